"""The nodes as users run them: in processes, over DDS."""

import signal
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import PointCloud2

from bev_loc.ros.conversions import cloud_points, pose_matrix, stamp_ns
from ros.street_drive import SCANS, SPEED_M_S, write_drive

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording that needs no data set."""
    return write_drive(tmp_path_factory.mktemp("drive"))


class Watch:
    """What the three nodes publish."""

    def __init__(self, ros) -> None:
        self.odometry = ros.collect(Odometry, "odometry")
        self.clouds = ros.collect(PointCloud2, "cloud_deskewed")
        self.poses = ros.collect(PoseWithCovarianceStamped, "pose")
        self._diagnostics = ros.collect(DiagnosticArray, "/diagnostics")

    def status(self, node: str) -> DiagnosticStatus | None:
        """The newest status of a node."""
        return next((m.status[0] for m in reversed(self._diagnostics) if m.status[0].name == node), None)

    def value(self, node: str, key: str) -> int:
        """A count out of it, 0 before there is one."""
        status = self.status(node)
        return int(next((v.value for v in status.values if v.key == key), 0)) if status else 0

    def accounted(self) -> int:
        """Scans that odometry has processed or counted as dropped."""
        status = self.status("odometry_node")
        dropped = [int(v.value) for v in status.values if v.key.startswith("dropped: ")] if status else []
        return self.value("odometry_node", "scans processed") + sum(dropped)


def replay(ros, source: Path, rate: float, scans: int, **localization: object):
    """Replay `source` through all three nodes until every scan is accounted for."""
    watch = Watch(ros)
    nodes = [ros.start("odometry_node"), ros.start("localization_node", **localization)]
    source_node = ros.start("source_node", source=str(source), rate=rate, wait_for="'points cloud_deskewed'")
    ros.spin_until(lambda: watch.accounted() >= scans, f"{scans} scans processed or counted")
    assert source_node.wait() == 0
    ros.spin_until(lambda: len(watch.poses) >= len(watch.odometry), "a pose for every odometry")
    return watch, nodes


def test_every_scan_of_a_drive_is_processed_and_the_pose_follows_the_truth(ros, drive):
    watch, nodes = replay(ros, drive, 1.0, SCANS)

    assert watch.accounted() == watch.value("odometry_node", "scans received") == SCANS
    T_first, T_last = (pose_matrix(m.pose.pose) for m in (watch.odometry[0], watch.odometry[-1]))
    driven_s = (stamp_ns(watch.odometry[-1].header.stamp) - stamp_ns(watch.odometry[0].header.stamp)) * 1e-9
    assert (T_last - T_first)[0, 3] == pytest.approx(SPEED_M_S * driven_s, abs=0.1)
    _poses_equal_odometry(watch)
    _clouds_belong_to_odometry(watch)
    for node, number in zip(nodes, (signal.SIGINT, signal.SIGTERM)):
        assert node.end(number) == 0, node.output
        assert "Traceback" not in node.output
        if find_spec("tf2_msgs") is None:  # the topics carry the same poses, as checked above
            assert node.output.count("TF is off") == 1 and "tf2_msgs" in node.output


def test_a_real_drive_at_ten_scans_a_second_reaches_the_map(ros, data, tmp_path):
    source = data / "kitti_raw"
    if not source.is_dir():
        pytest.skip(f"{source} absent")
    map_folder = tmp_path / "map"
    watch, nodes = replay(ros, source, 1.0, 40, save_map_path=str(map_folder))

    assert watch.accounted() == watch.value("odometry_node", "scans received") == 40
    assert len(watch.odometry) == watch.value("odometry_node", "scans processed")
    _poses_equal_odometry(watch)
    for node, number in zip(nodes, (signal.SIGTERM, signal.SIGINT)):
        assert node.end(number) == 0, node.output
    assert (map_folder / "map.json").is_file(), "a clean exit saves the map"


def _poses_equal_odometry(watch: Watch) -> None:
    """A map that is being built has map = odom until a loop closes."""
    T_odom_base = {stamp_ns(m.header.stamp): pose_matrix(m.pose.pose) for m in watch.odometry}
    assert watch.odometry[0].header.frame_id == "odom" and watch.odometry[0].child_frame_id == "base_link"
    assert watch.poses[0].header.frame_id == "map"
    for message in watch.poses:
        np.testing.assert_allclose(pose_matrix(message.pose.pose), T_odom_base[stamp_ns(message.header.stamp)], atol=1e-9)


def _clouds_belong_to_odometry(watch: Watch) -> None:
    stamps = {stamp_ns(m.header.stamp) for m in watch.odometry}
    assert {stamp_ns(m.header.stamp) for m in watch.clouds} <= stamps and watch.clouds
    assert all(m.header.frame_id == "base_link" and len(cloud_points(m)) for m in watch.clouds)

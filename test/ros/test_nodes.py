"""The nodes as users run them: in processes, over DDS."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from ros.status import Statuses
from ros.street_drive import SCANS, SPEED_M_S, write_drive
from sensor_msgs.msg import PointCloud2

from bev_loc.ros.conversions import cloud_points, pose_matrix, stamp_ns, transform_matrix

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
        self.statuses = Statuses(ros)


def replay(ros, source: Path, scans: int, **localization: object):
    """Replay `source` through all three nodes, as fast as they follow, until each scan has its odometry and is in the map."""
    watch = Watch(ros)
    nodes = [ros.start("odometry_node"), ros.start("localization_node", **localization)]
    ros.meet("odometry_node", "localization_node")
    source_node = ros.start("source_node", source=str(source), rate=0.0, wait_for="'points cloud_deskewed'")
    ros.spin_until(lambda: not source_node.running, "the end of the replay")
    assert source_node.wait() == 0
    for node, processed in (("odometry_node", "scans processed"), ("localization_node", "processed")):
        ros.spin_until(lambda node=node: watch.statuses.settled(node) == scans, f"{scans} scans processed or counted by {node}")
        assert watch.statuses.count(node, processed) == scans, watch.statuses.values(node)
    return watch, nodes


def test_every_scan_of_a_drive_is_processed_the_pose_follows_the_truth_and_tf_says_the_same(with_tf2, run_time_only, make_ros, drive):
    from tf2_msgs.msg import TFMessage

    ros = make_ros(os.pathsep.join(filter(None, [with_tf2, run_time_only])))
    sent = ros.collect(TFMessage, "/tf")
    watch, nodes = replay(ros, drive, SCANS)

    T_first, T_last = (pose_matrix(m.pose.pose) for m in (watch.odometry[0], watch.odometry[-1]))
    driven_s = (stamp_ns(watch.odometry[-1].header.stamp) - stamp_ns(watch.odometry[0].header.stamp)) * 1e-9
    assert (T_last - T_first)[0, 3] == pytest.approx(SPEED_M_S * driven_s, abs=0.1)
    _poses_equal_odometry(watch)
    _clouds_belong_to_odometry(watch)
    _transforms_equal_topics(sent, watch)
    for node, number in zip(nodes, (signal.SIGINT, signal.SIGTERM)):
        assert node.end(number) == 0, node.output
        assert "Traceback" not in node.output


def test_every_scan_of_a_real_drive_reaches_the_map(ros, data, tmp_path):
    source = data / "kitti_raw"
    map_folder = tmp_path / "map"
    watch, nodes = replay(ros, source, 40, save_map_path=str(map_folder))

    _poses_equal_odometry(watch)
    for node, number in zip(nodes, (signal.SIGTERM, signal.SIGINT)):
        assert node.end(number) == 0, node.output
        if find_spec("tf2_msgs") is None:  # the topics carry the same transforms, as checked above
            assert node.output.count("TF is off") == 1 and "tf2_msgs" in node.output
    assert (map_folder / "map.json").is_file(), "a clean exit saves the map"


def _poses_equal_odometry(watch: Watch) -> None:
    """A map that is being built has map = odom until a loop closes."""
    T_odom_base = {stamp_ns(m.header.stamp): pose_matrix(m.pose.pose) for m in watch.odometry}
    T_map_base = {stamp_ns(m.header.stamp): pose_matrix(m.pose.pose) for m in watch.poses}
    assert watch.odometry[0].header.frame_id == "odom" and watch.odometry[0].child_frame_id == "base_link"
    assert watch.poses[0].header.frame_id == "map"
    both = set(T_odom_base) & set(T_map_base)
    assert len(both) > len(T_odom_base) // 2
    for stamp in both:
        np.testing.assert_allclose(T_map_base[stamp], T_odom_base[stamp], atol=1e-9)


def _transforms_equal_topics(sent: list, watch: Watch) -> None:
    """odom -> base_link is the odometry, map -> odom makes it the pose; nothing else is sent."""
    T_parent_child: dict[tuple[str, str], dict[int, np.ndarray]] = {}
    for transform in (t for message in sent for t in message.transforms):
        edge = (transform.header.frame_id, transform.child_frame_id)
        T_parent_child.setdefault(edge, {})[stamp_ns(transform.header.stamp)] = transform_matrix(transform)
    assert set(T_parent_child) == {("odom", "base_link"), ("map", "odom")}
    T_odom_base, T_map_odom = T_parent_child["odom", "base_link"], T_parent_child["map", "odom"]
    odometry = {stamp_ns(m.header.stamp): pose_matrix(m.pose.pose) for m in watch.odometry}
    poses = {stamp_ns(m.header.stamp): pose_matrix(m.pose.pose) for m in watch.poses}
    assert len(set(odometry) & set(T_odom_base)) > SCANS // 2
    assert len(set(poses) & set(T_odom_base) & set(T_map_odom)) > SCANS // 2
    for stamp in set(odometry) & set(T_odom_base):
        np.testing.assert_allclose(T_odom_base[stamp], odometry[stamp], atol=1e-9)
    for stamp in set(poses) & set(T_odom_base) & set(T_map_odom):
        np.testing.assert_allclose(T_map_odom[stamp] @ T_odom_base[stamp], poses[stamp], atol=1e-9)


def _clouds_belong_to_odometry(watch: Watch) -> None:
    of_odometry, of_clouds = ({stamp_ns(m.header.stamp) for m in each} for each in (watch.odometry, watch.clouds))
    assert len(of_odometry & of_clouds) > len(of_odometry) // 2
    assert all(m.header.frame_id == "base_link" and len(cloud_points(m)) for m in watch.clouds)

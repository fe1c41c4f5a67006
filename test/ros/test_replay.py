"""Recordings through ROS faster than real time: the source waits for the nodes, and nothing is lost."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from nav_msgs.msg import Odometry
from odometry.box_world import scan, street
from ros.status import Statuses
from ros.street_drive import FIRST_STAMP_NS, SPEED_M_S, T_world_lidar
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import PointCloud2
from sources.conftest import BagWriter

from bev_loc.records import ImuSample
from bev_loc.ros.conversions import pose_matrix, stamp_ns

pytestmark = pytest.mark.ros
SCANS = 12
PERIOD_NS = 100_000_000


def rosbag2(folder: Path) -> str:
    """Clouds with point times, and an IMU, as a driver would have recorded them."""
    boxes, rng, bag = street(), np.random.default_rng(5), BagWriter(folder / "drive", "mcap")
    for i in range(SCANS):
        sweep, begin_ns = scan(boxes, T_world_lidar, 0.1 * i, rng), FIRST_STAMP_NS + i * PERIOD_NS
        points = np.zeros(len(sweep.points_lidar), [("x", "f4"), ("y", "f4"), ("z", "f4"), ("t", "u4")])
        points["x"], points["y"], points["z"] = sweep.points_lidar.T
        points["t"] = np.rint(sweep.offsets_s * 1e9)
        for k in range(20):
            rest = ImuSample(stamp_ns=begin_ns + k * PERIOD_NS // 20, gyro_rad_s=np.zeros(3), acc_m_s2=np.array([0.0, 0.0, 9.81]))
            bag.imu(rest, frame="base_link")
        bag.cloud(points, begin_ns, arrival_ns=begin_ns + PERIOD_NS, frame="base_link")
    bag.close()
    return f"bag:{folder / 'drive'}"


def kitti(folder: Path) -> str:
    """A KITTI odometry sequence: scans without point times, already motion compensated."""
    boxes, rng = street(), np.random.default_rng(5)
    (folder / "velodyne").mkdir()
    for i in range(SCANS):
        points = scan(boxes, lambda t_s, i=i: T_world_lidar(0.1 * i), 0.0, rng).points_lidar
        np.column_stack([points, np.zeros(len(points))]).astype(np.float32).tofile(folder / "velodyne" / f"{i:06d}.bin")
    (folder / "times.txt").write_text("".join(f"{0.1 * i:e}\n" for i in range(SCANS)))
    return f"kitti:{folder}"


@pytest.mark.parametrize("record", [rosbag2, kitti])
def test_a_replay_with_back_pressure_and_clock_loses_nothing(ros, tmp_path, record):
    statuses, odometry, clock = Statuses(ros), ros.collect(Odometry, "odometry"), ros.collect(Clock, "/clock")
    nodes = [ros.start(name, use_sim_time="true") for name in ("odometry_node", "localization_node")]
    ros.meet("odometry_node", "localization_node")
    replayed = ros.start("source_node", source=record(tmp_path), rate=0.0, clock="true", wait_for="'points cloud_deskewed begin'")
    ros.meet("source_node")
    ros.collect(Clock, "begin")  # not before it is heard here
    ros.spin_until(lambda: not replayed.running, "the end of the replay")
    assert replayed.wait() == 0 and f"replayed {SCANS} scans" in replayed.output
    ros.spin_until(lambda: statuses.settled("odometry_node") == SCANS, "what became of every scan")
    values = statuses.values("odometry_node")
    assert values["scans processed"] == str(SCANS) and values["dropped: too slow"] == "0", values
    assert "scans without" not in replayed.output, replayed.output
    ros.spin_until(lambda: statuses.count("localization_node", "processed") == len(odometry) == SCANS, "every pose in the map")

    ticks = [stamp_ns(tick.clock) for tick in clock]
    assert ticks == sorted(ticks) and ticks[-1] - ticks[0] > (SCANS - 2) * PERIOD_NS
    assert ticks[-1] >= stamp_ns(odometry[-1].header.stamp)
    T_first, T_last = (pose_matrix(m.pose.pose) for m in (odometry[0], odometry[-1]))
    driven_s = (stamp_ns(odometry[-1].header.stamp) - stamp_ns(odometry[0].header.stamp)) * 1e-9
    assert (T_last - T_first)[0, 3] == pytest.approx(SPEED_M_S * driven_s, abs=0.15)
    for node in nodes:
        assert node.end(signal.SIGINT) == 0 and "Traceback" not in node.output


def test_a_replay_at_the_speed_of_the_recording_does_not_run_ahead_of_it(ros, tmp_path):
    ros.collect(PointCloud2, "points")
    replayed = ros.start("source_node", source=kitti(tmp_path), rate=1.0, wait_for="'points begin'")
    ros.meet("source_node")
    begin_s = time.monotonic()
    ros.collect(Clock, "begin")
    ros.spin_until(lambda: not replayed.running, "the end of the replay")
    assert replayed.wait() == 0 and f"replayed {SCANS} scans" in replayed.output
    assert time.monotonic() - begin_s >= (SCANS - 1) * PERIOD_NS * 1e-9


def test_a_replay_says_who_did_not_listen_and_which_scans_had_no_answer(ros, tmp_path):
    odometry, clouds = ros.node.create_publisher(Odometry, "odometry", 10), []

    def answer(cloud: PointCloud2) -> None:
        clouds.append(cloud)
        if len(clouds) != 3:
            odometry.publish(Odometry(header=cloud.header))

    ros.node.create_subscription(PointCloud2, "points", answer, 10)
    replayed = ros.start("source_node", source=kitti(tmp_path), rate=0.0, wait_for="'points cloud_deskewed'", wait_s=5.0)
    ros.spin_until(lambda: not replayed.running, "the end of the replay")
    assert replayed.wait() == 0 and len(clouds) == SCANS
    assert "nobody listens to cloud_deskewed:" in replayed.output and ", 1 scans without odometry\n" in replayed.output

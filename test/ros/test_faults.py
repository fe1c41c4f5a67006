"""What goes wrong on topics: nothing comes, the wrong thing comes, time goes back. Every case is said and survived."""

import array
import signal
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from nav_msgs.msg import Odometry
from ros.sensors import Sensors
from ros.status import Statuses
from ros.street_drive import FIRST_STAMP_NS
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import String

from bev_loc.config import Config
from bev_loc.records import ImuSample
from bev_loc.ros import qos
from bev_loc.ros.conversions import header, imu_message, pose_matrix, stamp_ns
from bev_loc.ros.imu_queue import ImuQueue
from bev_loc.ros.odometry_run import OdometryRun
from bev_loc.ros.tf import Tf
from bev_loc.ros.time_jump import StampOrder

pytestmark = pytest.mark.ros


def test_the_node_says_why_it_hears_nothing_what_it_detected_and_that_a_driver_ended(ros):
    statuses, odometry = Statuses(ros), ros.collect(Odometry, "odometry")
    elsewhere = Sensors(ros, points_topic="velodyne_points", imu_topic="imu/data")
    node = ros.start("odometry_node")
    ros.spin_until(lambda: "Imu topics seen: /imu/data" in node.output, "the other IMU topic")
    ros.spin_until(lambda: "PointCloud2 topics seen: /velodyne_points" in node.output, "the other cloud topic")
    assert "no PointCloud2 on 'points' for" in node.output
    assert "points_topic:=" in node.output and "imu_topic:=" in node.output
    ros.spin_until(lambda: "velodyne_points" in statuses.message("odometry_node"), "the same on /diagnostics")
    assert elsewhere.points.get_subscription_count() == 0

    sensors = Sensors(ros, g=1.0)
    ros.spin_until(sensors.matched, "subscriptions")
    sensors.send_until(lambda: odometry, "odometry")
    for _ in range(20):  # not faster than they are processed: of scans that were dropped nothing is detected
        sensors.send_and_hear(odometry)
    ros.spin_until(lambda: "input: " in node.output, "what was detected")
    assert "point times: field 'time' in s" in node.output and "imu: accelerometer in g" in node.output
    assert node.output.count("input: scan rate") == 1

    def status(key: str) -> float:
        return float(statuses.values("odometry_node").get(key, 0))

    sensors.send_until(lambda: status("scan rate [Hz]") > 1.0 and status("processing [ms]") > 0, "the rate of the scans")
    values = statuses.values("odometry_node")
    assert values["lidar frame"] == values["imu frame"] == "base_link"

    ros.node.destroy_publisher(sensors.points)
    ros.spin_until(lambda: "its publisher is gone" in statuses.message("odometry_node"), "the end of the driver")
    assert node.end(signal.SIGINT) == 0


def broken_clouds(sensors: Sensors) -> list[PointCloud2]:
    """Clouds that no driver should send, fresh ones."""
    broken = [sensors.cloud(3) for _ in range(6)]
    broken[0].fields = [PointField(name=n, offset=0, datatype=99, count=1) for n in "xyz"]
    broken[1].data = array.array("B", bytes(broken[1].data)[:1000])
    broken[2].width, broken[2].data = 0, array.array("B")
    broken[3].point_step = 0
    broken[4].header = header(0, "base_link")
    broken[5].header.stamp.sec = -5
    broken.append(PointCloud2())
    foreign = sensors.cloud(4)
    foreign.header.frame_id = "another_lidar"
    return [*broken, foreign]


def test_broken_clouds_are_counted_the_drive_goes_on_and_stamps_that_start_over_begin_anew(ros):
    statuses, odometry = Statuses(ros), ros.collect(Odometry, "odometry")
    node, sensors = ros.start("odometry_node"), Sensors(ros)
    ros.spin_until(sensors.matched, "subscriptions")
    sensors.send_until(lambda: len(odometry) >= 3, "odometry")
    sensors.send_and_hear(odometry)
    broken = broken_clouds(sensors)
    for first in range(0, len(broken), 3):  # with the sound one after them no more than the node lets wait
        for message in broken[first : first + 3]:
            sensors.points.publish(message)
        sensors.send_and_hear(odometry)
    known = len(odometry)
    sensors.send_until(lambda: len(odometry) >= known + 2, "odometry after the broken clouds")
    reasons = ("malformed cloud", "truncated scan", "empty scan", "stamp went back", "foreign frame")
    ros.spin_until(lambda: all(statuses.count("odometry_node", f"dropped: {r}") for r in reasons), "counts of all reasons")
    T_first, T_last = (pose_matrix(m.pose.pose) for m in (odometry[0], odometry[-1]))
    driven_s = (stamp_ns(odometry[-1].header.stamp) - stamp_ns(odometry[0].header.stamp)) * 1e-9
    assert (T_last - T_first)[0, 3] == pytest.approx(5.0 * driven_s, abs=0.3)
    assert "jumped back" not in node.output, "a stray stamp is no jump"

    sensors.shift_s = -60.0
    sensors.send_until(lambda: stamp_ns(odometry[-1].header.stamp) < sensors.stamp_ns(0) + 10**10, "odometry of a second run")
    assert "stamps on 'points' jumped back by" in node.output
    assert "Traceback" not in node.output and node.end(signal.SIGTERM) == 0


def test_ten_million_points_on_the_topic_are_thinned_and_the_drive_goes_on(ros):
    statuses, odometry = Statuses(ros), ros.collect(Odometry, "odometry")
    node, sensors = ros.start("odometry_node"), Sensors(ros)
    ros.spin_until(sensors.matched, "subscriptions")
    sensors.shift_s = time.time() - 5.0 - FIRST_STAMP_NS * 1e-9
    sensors.send_until(lambda: len(odometry) >= 3, "odometry")
    huge = sensors.cloud(sensors.sweeps)
    times = 10_000_000 // huge.width + 1
    huge.width, huge.row_step, huge.data = huge.width * times, huge.row_step * times, huge.data * times
    assert len(huge.data) >= 160_000_000
    sensors.points.publish(huge)
    sensors.sweeps += 1
    ros.spin_until(lambda: statuses.count("odometry_node", "clouds thinned to a million points") == 1, "the count of it")
    sensors.send_until(lambda: stamp_ns(odometry[-1].header.stamp) > sensors.stamp_ns(sensors.sweeps - 1), "odometry after it")
    ros.spin_until(lambda: statuses.count("odometry_node", "late: half a second or more after scan end") >= 3, "the late ones")
    T_first, T_last = (pose_matrix(m.pose.pose) for m in (odometry[0], odometry[-1]))
    driven_s = (stamp_ns(odometry[-1].header.stamp) - stamp_ns(odometry[0].header.stamp)) * 1e-9
    assert (T_last - T_first)[0, 3] == pytest.approx(5.0 * driven_s, abs=0.3)
    assert "Traceback" not in node.output and node.end(signal.SIGINT) == 0


def test_a_clock_that_jumps_back_begins_a_new_drive_in_the_same_map(ros):
    odometry, states = ros.collect(Odometry, "odometry"), ros.collect(String, "state", qos.LATCHED)
    clock = ros.node.create_publisher(Clock, "/clock", 10)
    nodes = [ros.start(name, use_sim_time="true") for name in ("odometry_node", "localization_node")]
    sensors = Sensors(ros)

    def tick() -> None:
        clock.publish(Clock(clock=header(sensors.stamp_ns(sensors.sweeps + 1), "").stamp))

    ros.spin_until(lambda: sensors.matched() and clock.get_subscription_count() == 2 and states, "subscriptions")
    mapped = len(states) + 1  # a state for every scan that is in the map
    sensors.send_until(lambda: tick() or (len(odometry) >= 5 and len(states) >= mapped and states[-1].data == "tracking"), "odometry")
    sensors.shift_s = -100.0
    known, said = len(odometry), len(states)
    ros.spin_until(lambda: tick() or all("/clock jumped back by" in node.output for node in nodes), "the jump in both logs")
    assert "searching for the place in the map of" in nodes[1].output and "starts anew" in nodes[0].output
    sensors.send_until(lambda: len(odometry) >= known + 2, "odometry after the jump")
    later = [m for m in odometry if stamp_ns(m.header.stamp) < sensors.stamp_ns(0) + 10**10]
    np.testing.assert_allclose(pose_matrix(later[0].pose.pose)[:3, 3], 0.0, atol=1e-6)
    ros.spin_until(lambda: any(state.data == "searching" for state in states[said:]), "searching")  # it may have been found since
    for node in nodes:
        assert "Traceback" not in node.output and node.end(signal.SIGINT) == 0


def test_one_stray_stamp_is_no_jump_and_two_in_a_row_are():
    order, second = StampOrder(), 10**9
    jumps = [order.back_s(s * second) for s in (100, 101, 5, 102, 103, 7, 8, 9)]
    assert jumps == [0, 0, 0, 0, 0, 0, 95.0, 0]
    order.forget()
    assert order.back_s(second) == 0 and order.back_s(2 * second) == 0


def test_a_stamp_repeated_for_ever_is_no_new_beginning():
    order = StampOrder()
    assert order.back_s(10**10) == 0 and not any(order.back_s(0) for _ in range(100))


def test_imu_samples_of_another_clock_hold_nobody_up():
    from ros.test_queues import sample

    buffer = ImuQueue()
    for stamp_ns_ in (10**12, 10, 20):
        buffer.add(sample(stamp_ns_))
    assert [s.stamp_ns for s in buffer.take_until(100, patience_s=0.0)] == [10, 20] and buffer.ahead == 1


def test_an_imu_that_says_it_measures_nothing_and_one_of_another_frame_are_counted_not_used(ros):
    odometry = OdometryRun(ros.node, Tf(ros.node, send=False, listen=False), Config())
    silent = imu_message(ImuSample(stamp_ns=1, gyro_rad_s=np.zeros(3), acc_m_s2=np.zeros(3)), "imu")
    silent.linear_acceleration_covariance[0] = -1.0
    odometry.on_imu(silent)
    for frame in ("imu", "imu", "other_imu"):
        odometry.on_imu(imu_message(ImuSample(stamp_ns=2, gyro_rad_s=np.zeros(3), acc_m_s2=np.zeros(3)), frame))
    assert sorted(odometry.dropped_imu.values()) == [1, 1] and odometry.notes()["imu frame"] == "imu"

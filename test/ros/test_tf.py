"""Transforms: sent where they are known, asked for where they are needed, never guessed."""

import signal
from itertools import count

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from nav_msgs.msg import Odometry
from odometry.box_world import scan, street
from ros.street_drive import FIRST_STAMP_NS, T_world_lidar
from sensor_msgs.msg import Imu, PointCloud2

from bev_loc.geometry import se3
from bev_loc.records import ImuSample
from bev_loc.ros import qos
from bev_loc.ros.conversions import cloud_message, imu_message
from bev_loc.ros.extrinsics import Mount
from bev_loc.ros.tf import Tf

pytestmark = pytest.mark.ros


def test_a_mount_is_found_through_the_frames_between(with_tf2, make_ros):
    ros = make_ros(with_tf2)
    tf = Tf(ros.node, send=True, listen=True)
    T_base_mast, T_mast_lidar = se3.from_xyz_rpy((1, 0, 0.5, 0, 0, 0.3)), se3.from_xyz_rpy((0, 0, 1.2, 0.1, 0, 0))
    T_base_imu = se3.from_xyz_rpy((0.2, 0, 0, 0, 0, 0))
    assert tf.lookup("base_link", "lidar") is None
    tf.send_static(T_base_mast, "base_link", "mast")
    tf.send_static(T_mast_lidar, "mast", "lidar")
    tf.send(T_base_imu, FIRST_STAMP_NS, "base_link", "imu")
    ros.spin_until(lambda: tf.lookup("imu", "lidar") is not None, "all transforms")
    np.testing.assert_allclose(tf.lookup("base_link", "lidar"), T_base_mast @ T_mast_lidar, atol=1e-12)
    np.testing.assert_allclose(tf.lookup("imu", "lidar"), se3.inverse(T_base_imu) @ T_base_mast @ T_mast_lidar, atol=1e-12)
    assert tf.lookup("base_link", "camera") is None
    type_hash = str(ros.node.get_publishers_info_by_topic("/tf")[0].topic_type_hash)
    assert type_hash == "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087", "not upstream's TFMessage"


def test_a_configured_mount_wins_and_equal_frames_need_none(with_tf2, make_ros):
    ros = make_ros(with_tf2)
    tf = Tf(ros.node, send=True, listen=True)
    given = Mount(ros.node, tf, "input.T_base_lidar", (1.0, 2.0, 3.0, 0.0, 0.0, 0.0), "base_link")
    unknown = Mount(ros.node, tf, "input.T_base_imu", (), "base_link")
    assert given.of("lidar")[0, 3] == 1.0
    np.testing.assert_array_equal(unknown.of("base_link"), np.eye(4))
    assert unknown.of("imu") is None


def test_a_scan_waits_for_its_transform_and_both_frames_are_named(with_tf2, make_ros):
    ros = make_ros(with_tf2)
    odometry = ros.collect(Odometry, "odometry")
    node = ros.start("odometry_node")
    points = ros.node.create_publisher(PointCloud2, "points", qos.CLOUD)
    imu = ros.node.create_publisher(Imu, "imu", 10)
    ros.meet("odometry_node")
    ros.spin_until(lambda: points.get_subscription_count() and imu.get_subscription_count(), "subscriptions")
    boxes, rng = street(), np.random.default_rng(5)

    def send(i: int) -> None:
        begin_ns = FIRST_STAMP_NS + i * 100_000_000
        sweep = scan(boxes, T_world_lidar, 0.1 * i, rng)
        for k in range(11):
            rest = ImuSample(stamp_ns=begin_ns + k * 10**7, gyro_rad_s=np.zeros(3), acc_m_s2=np.array([0.0, 0.0, 9.81]))
            imu.publish(imu_message(rest, "imu"))
        points.publish(cloud_message(sweep.points_lidar, begin_ns, "lidar", sweep.offsets_s))

    send(0)
    ros.spin_until(lambda: "input.T_base_lidar" in node.output, "the warning")
    assert "'lidar'" in node.output and "'base_link'" in node.output and not odometry
    tf = Tf(ros.node, send=True, listen=False)
    tf.send_static(se3.from_xyz_rpy((0.5, 0, 1.7, 0, 0, 0)), "base_link", "lidar")
    tf.send_static(np.eye(4), "base_link", "imu")
    sent = count(1)
    ros.spin_until(lambda: len(odometry) or (send(next(sent)), ros.spin_for(0.2)) and False, "odometry")
    assert "starts with an IMU" in node.output and "gravity" in node.output
    assert node.end(signal.SIGINT) == 0

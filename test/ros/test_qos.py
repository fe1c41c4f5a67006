"""Clouds arrive from whatever a driver offers."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import PointCloud2

from bev_loc.ros.conversions import cloud_message
from bev_loc.ros.qos import CLOUD, CloudSubscription

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_a_cloud_arrives_from_a_reliable_and_from_a_best_effort_publisher(ros, reliability):
    received: list[PointCloud2] = []
    CloudSubscription(ros.node, "points", received.append)
    driver = rclpy.create_node("driver", context=ros.context)
    publisher = driver.create_publisher(PointCloud2, "points", QoSProfile(depth=5, reliability=reliability))
    message = cloud_message(np.ones((100, 3), np.float32), 1, "lidar")
    ros.spin_until(lambda: publisher.publish(message) or ros.spin_for(0.1) or received, "a cloud")
    used = [info.qos_profile.reliability for info in ros.node.get_subscriptions_info_by_topic("/points")]
    assert used == [reliability]
    driver.destroy_node()


def test_a_late_reliable_publisher_is_heard_after_the_fall_back(ros):
    received: list[PointCloud2] = []
    CloudSubscription(ros.node, "points", received.append)
    driver = rclpy.create_node("driver", context=ros.context)
    best_effort = driver.create_publisher(PointCloud2, "points", QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT))
    small = cloud_message(np.ones((1, 3), np.float32), 1, "lidar")
    ros.spin_until(lambda: best_effort.publish(small) or ros.spin_for(0.1) or received, "a best-effort cloud")
    reliable = driver.create_publisher(PointCloud2, "points", CLOUD)
    second = cloud_message(np.ones((2, 3), np.float32), 2, "lidar")
    ros.spin_until(lambda: reliable.publish(second) or ros.spin_for(0.1) or any(m.width == 2 for m in received), "a reliable cloud")
    driver.destroy_node()

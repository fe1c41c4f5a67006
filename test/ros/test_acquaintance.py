"""Nothing is sent to those who do not know the sender yet, and nobody waits for those who cannot say."""

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import PointCloud2

from bev_loc.ros import qos
from bev_loc.ros.acquaintance import unacquainted

pytestmark = pytest.mark.ros


def test_who_listens_has_to_answer_before_it_counts_as_acquainted(ros):
    listener = rclpy.create_node("listener", context=ros.context, namespace="/robot1")
    executor = SingleThreadedExecutor(context=ros.context)
    listener.create_subscription(PointCloud2, "/points", lambda message: None, qos.CLOUD)
    executor.add_node(listener)
    ros.spin_until(lambda: ros.node.count_subscribers("points"), "the listener")
    assert unacquainted(ros.node, ["imu"], 60.0, ros.spin_for) == []
    assert unacquainted(ros.node, ["imu", "points"], 0.5, ros.spin_for) == ["/robot1/listener"], "nobody spins it: it cannot answer"
    assert unacquainted(ros.node, ["imu", "points"], 60.0, lambda s: ros.spin_for(s) or executor.spin_once(0.0)) == []
    executor.shutdown()
    listener.destroy_node()


def test_a_node_in_another_process_is_acquainted_once_it_runs_and_one_that_takes_no_questions_is_not_waited_for(ros):
    mute = rclpy.create_node("mute", context=ros.context, start_parameter_services=False)
    mute.create_subscription(PointCloud2, "points", lambda message: None, qos.CLOUD)
    ros.start("odometry_node")
    ros.spin_until(lambda: ros.node.count_subscribers("points") == 2, "both listeners")
    assert unacquainted(ros.node, ["points"], 60.0, ros.spin_for) == []
    mute.destroy_node()


def test_a_replay_that_is_stopped_does_not_wait_for_an_answer(ros):
    deaf = rclpy.create_node("deaf", context=ros.context)
    deaf.create_subscription(PointCloud2, "points", lambda message: None, qos.CLOUD)
    ros.spin_until(lambda: ros.node.count_subscribers("points"), "the listener")
    assert unacquainted(ros.node, ["points"], 60.0, lambda s: True) == ["/deaf"]
    deaf.destroy_node()

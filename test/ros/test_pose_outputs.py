"""The pose follows the odometry: at once when the place is known, never before, never on the word of an older drive."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry as OdometryMessage

from bev_loc.config import Config
from bev_loc.geometry import se3
from bev_loc.records import Fit, Odometry, OdometryHealth
from bev_loc.ros.conversions import odometry_message, pose_matrix, stamp_ns
from bev_loc.ros.map_outputs import Pace
from bev_loc.ros.pose_outputs import PoseOutputs
from bev_loc.ros.tf import Tf

pytestmark = pytest.mark.ros
SECOND_NS = 10**9
T_MAP_ODOM = se3.from_se2(100.0, 0.0, np.pi / 2)


def odometry(second: int, frame: str = "base_link") -> OdometryMessage:
    """One metre a second along x of the odometry's frame."""
    health = OdometryHealth(points_in=0, points_used=0, matches=0, rmse_m=0.0, iterations=0)
    T_odom_base, covariance = se3.from_se2(float(second), 0.0, 0.0), np.diag([1e-4, 1e-4, 1e-4, 0.01, 0.04, 0.09])
    record = Odometry(
        stamp_ns=second * SECOND_NS, T_odom_base=T_odom_base, covariance=covariance, points_base=np.zeros((0, 3), np.float32), health=health
    )
    return odometry_message(record, "odom", frame)


@pytest.fixture
def outputs(ros):
    """The outputs, and a function that gives the seconds of all poses so far."""
    poses = ros.collect(PoseWithCovarianceStamped, "pose")
    made = PoseOutputs(ros.node, Config(), Tf(ros.node, send=False, listen=False))
    ros.spin_until(lambda: ros.node.count_subscribers("pose") and ros.node.count_publishers("pose"), "the topic")

    def seen(count: int) -> list[PoseWithCovarianceStamped]:
        ros.spin_until(lambda: len(poses) >= count, f"{count} poses")
        ros.spin_for(0.1)
        return poses

    return made, seen


def seconds(poses: list[PoseWithCovarianceStamped]) -> list[int]:
    return [stamp_ns(pose.header.stamp) // SECOND_NS for pose in poses]


def test_nothing_is_said_before_the_place_is_known_then_the_pose_it_was_found_for(outputs):
    made, seen = outputs
    made.on_odometry(odometry(1))
    made.on_odometry(odometry(2))
    made.place(T_MAP_ODOM, None, odometry(2))
    made.on_odometry(odometry(3))
    poses = seen(2)
    assert seconds(poses) == [2, 3]
    np.testing.assert_allclose(pose_matrix(poses[1].pose.pose), T_MAP_ODOM @ se3.from_se2(3.0, 0.0, 0.0), atol=1e-9)
    along = np.diag(np.reshape(poses[1].pose.covariance, (6, 6)))
    np.testing.assert_allclose(along[:3], [0.04, 0.01, 0.09], atol=1e-9, err_msg="a map turned by 90 degrees swaps x and y")


def test_in_a_given_map_a_pose_is_as_sure_as_the_fit_to_the_map_whatever_the_odometry_lost_before(outputs):
    made, seen = outputs
    fit = Fit(T_odom_base=se3.from_se2(1.0, 0.0, 0.0), covariance=np.diag([1e-6] * 3 + [1e-4] * 3))
    made.place(T_MAP_ODOM, fit)
    made.on_odometry(odometry(1))
    made.on_odometry(odometry(11))
    at_the_fit, later = (np.diag(np.reshape(pose.pose.covariance, (6, 6))) for pose in seen(2))
    assert (at_the_fit[:3] < 0.001).all(), "the odometry's own variances are 0.01 and more"
    assert (later > at_the_fit).all()


def test_no_stamp_is_said_twice_or_backwards_and_no_foreign_frame(outputs):
    made, seen = outputs
    made.place(T_MAP_ODOM)
    for message in (odometry(5), odometry(5), odometry(4), odometry(6, frame="another_robot"), odometry(7)):
        made.on_odometry(message)
    made.place(T_MAP_ODOM, None, odometry(5))
    assert seconds(seen(2)) == [5, 7]


def test_an_odometry_that_began_anew_has_no_place_until_one_is_found_for_it(outputs):
    made, seen = outputs
    made.place(T_MAP_ODOM)
    made.on_odometry(odometry(1))
    made.on_begun(2 * SECOND_NS)
    made.on_odometry(odometry(2))
    made.place(T_MAP_ODOM, None, odometry(1))  # the worker is still with the drive before
    made.on_odometry(odometry(3))
    made.place(None, None, odometry(3))
    made.place(T_MAP_ODOM, None, odometry(4))
    made.forget()
    made.on_odometry(odometry(1))
    made.place(np.eye(4))
    made.on_odometry(odometry(2))
    assert seconds(seen(3)) == [1, 4, 2]


def test_showing_a_map_waits_for_its_period_and_rests_after_it():
    pace = Pace()
    assert pace.due(0, 5.0)
    pace.shown(0, since_s=1e9)  # took no time at all
    assert not pace.due(4 * SECOND_NS, 5.0) and pace.due(5 * SECOND_NS, 5.0) and pace.due(-SECOND_NS, 5.0)
    pace.shown(0, since_s=-1e9)  # took for ever
    assert not pace.due(5 * SECOND_NS, 5.0)

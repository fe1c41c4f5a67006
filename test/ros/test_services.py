"""The localization node's services, transitions and refusals."""

import signal
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from geometry_msgs.msg import PoseWithCovarianceStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from odometry.box_world import scan, street
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros.node_process import NodeProcess
from ros.street_drive import FIRST_STAMP_NS, T_world_lidar
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from bev_loc.geometry import se3
from bev_loc.maps.bundle import load_map
from bev_loc.records import Odometry as OdometryRecord
from bev_loc.records import OdometryHealth
from bev_loc.ros import qos
from bev_loc.ros.conversions import cloud_message, header, odometry_message, pose_with_covariance, stamp_ns

pytestmark = pytest.mark.ros


class Drive:
    """Publishes deskewed clouds and odometry, two metres a step, as odometry_node would."""

    def __init__(self, ros) -> None:
        self._ros = ros
        self._odometry = ros.node.create_publisher(Odometry, "odometry", qos.RESULT)
        self._cloud = ros.node.create_publisher(PointCloud2, "cloud_deskewed", qos.CLOUD)
        self._boxes, self._rng = street(), np.random.default_rng(5)
        self.steps = 0

    def matched(self) -> bool:
        return bool(self._odometry.get_subscription_count() and self._cloud.get_subscription_count())

    def step(self) -> None:
        x_m, stamp_ns = 2.5 * self.steps, FIRST_STAMP_NS + self.steps * 10**8
        T_odom_base = se3.from_se2(x_m, 0.0, 0.0)
        sweep = scan(self._boxes, lambda t_s: T_world_lidar(x_m / 5.0), 0.0, self._rng)
        points = sweep.points_lidar + np.float32([0.0, 0.0, 1.7])
        health = OdometryHealth(points_in=len(points), points_used=0, matches=0, rmse_m=0.0, iterations=0)
        record = OdometryRecord(
            stamp_ns=stamp_ns, T_odom_base=T_odom_base, covariance=np.eye(6) * 1e-4, points_base=points, health=health
        )
        self._odometry.publish(odometry_message(record, "odom", "base_link"))
        self._cloud.publish(cloud_message(points, stamp_ns, "base_link"))
        self.steps += 1


def trigger(ros, name: str) -> Trigger.Response:
    return ros.call(Trigger, f"/localization_node/{name}", Trigger.Request())


def set_parameter(ros, name: str, value: object):
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return ros.call(SetParameters, "/localization_node/set_parameters", request).results[0]


def change(ros, transition: int) -> bool:
    return ros.call(
        ChangeState, "/localization_node/change_state", ChangeState.Request(transition=Transition(id=transition))
    ).success


def state(ros) -> str:
    return ros.call(GetState, "/localization_node/get_state", GetState.Request()).current_state.label


def mapping(ros) -> tuple[list[String], list[PoseWithCovarianceStamped], NodeProcess, Drive]:
    """States and poses of a node that has mapped the first four steps of a drive, the node and the drive."""
    states, poses = ros.collect(String, "state", qos.LATCHED), ros.collect(PoseWithCovarianceStamped, "pose")
    node, drive = ros.start("localization_node"), Drive(ros)
    ros.meet("localization_node")
    ros.spin_until(lambda: drive.matched() and states, "subscriptions and the first state")
    for known in range(4):  # one at a time: clouds that come faster than they are read are lost, as a sensor's are
        said = len(states)
        drive.step()
        ros.spin_until(lambda known=known, said=said: len(poses) > known and len(states) > said, "its pose, and that it is in the map")
    return states, poses, node, drive


def test_a_map_is_saved_loaded_and_searched_by_services(ros, tmp_path: Path):
    states, poses, node, drive = mapping(ros)
    assert states[-1].data == "tracking"

    refused = trigger(ros, "save_map")
    assert not refused.success and "save_map_path" in refused.message
    folder = tmp_path / "map"
    assert set_parameter(ros, "save_map_path", str(folder)).successful
    saved = trigger(ros, "save_map")
    assert saved.success and "4 keyframes" in saved.message and (folder / "map.json").is_file()

    missing = tmp_path / "nothing"
    set_parameter(ros, "map", str(missing))
    refused = trigger(ros, "load_map")
    assert not refused.success and str(missing) in refused.message
    set_parameter(ros, "map", str(folder))
    loaded_clouds = ros.collect(PointCloud2, "map_points", qos.LATCHED)
    assert trigger(ros, "load_map").success
    ros.spin_until(lambda: states[-1].data == "searching", "searching in the loaded map")
    ros.spin_until(lambda: loaded_clouds, "the loaded map, for a late joiner")
    refused = set_parameter(ros, "verify.min_overlap", 2.0)
    assert not refused.successful and "verify.min_overlap" in refused.reason
    assert set_parameter(ros, "verify.min_overlap", 0.5).successful
    known = len(poses)
    drive.steps = 0
    assert trigger(ros, "relocalize").success
    hints = ros.node.create_publisher(PoseWithCovarianceStamped, "initialpose", 1)
    ros.spin_until(hints.get_subscription_count, "subscription of initialpose")
    hints.publish(pose_with_covariance(np.eye(4), np.eye(6), 0, "elsewhere"))
    ros.spin_until(lambda: "expected a finite pose in 'map'" in node.output, "the refusal of a foreign frame")
    assert len(poses) == known, "no pose before the place is known"
    assert trigger(ros, "reset").success
    assert node.end(signal.SIGTERM) == 0


def test_poses_go_on_forwards_after_a_reset(ros):
    states, poses, node, drive = mapping(ros)
    said = len(states)
    assert trigger(ros, "reset").success
    ros.spin_until(lambda: len(states) > said, "the state of the new beginning")
    known, drive.steps = len(states), 2
    drive.step()  # as one that waited while the node was reset
    ros.spin_until(lambda: len(states) > known, "its state")
    drive.steps = 4
    drive.step()
    ros.spin_until(lambda: stamp_ns(poses[-1].header.stamp) == FIRST_STAMP_NS + 4 * 10**8, "the next pose")
    assert [stamp_ns(pose.header.stamp) for pose in poses] == [FIRST_STAMP_NS + i * 10**8 for i in range(5)]
    assert node.end(signal.SIGTERM) == 0


def test_two_beginnings_of_the_odometry_close_together_are_both_heeded(ros):
    states, begun = ros.collect(String, "state", qos.LATCHED), ros.node.create_publisher(Header, "odometry_begun", qos.RESULT)
    node, drive = ros.start("localization_node"), Drive(ros)
    ros.spin_until(lambda: drive.matched() and begun.get_subscription_count() and states, "subscriptions")
    known = len(states)
    drive.step()
    ros.spin_until(lambda: len(states) > known, "the first step in the map")
    for step in (1, 2):  # said before the pairs have come
        begun.publish(header(FIRST_STAMP_NS + step * 10**8, "odom"))
    ros.spin_for(0.3)
    drive.step()
    drive.step()
    ros.spin_until(lambda: node.output.count("the odometry began anew") == 2, "both in the log")
    assert node.end(signal.SIGTERM) == 0


def test_a_killed_node_has_lost_at_most_its_last_keyframe_and_one_that_saw_nothing_replaces_no_map(ros, tmp_path: Path):
    folder, states = tmp_path / "map", ros.collect(String, "state", qos.LATCHED)
    node, drive = ros.start("localization_node", save_map_path=str(folder)), Drive(ros)
    ros.spin_until(lambda: drive.matched() and states, "subscriptions")
    assert not (folder / "map.json").exists(), "nothing was seen yet"
    for _ in range(5):
        known = len(states)
        drive.step()
        ros.spin_until(lambda known=known: len(states) > known, "the next state")
    node.kill()
    entries = load_map(folder).entries
    assert 4 <= len(entries) <= 5
    np.testing.assert_allclose(entries[3].T_map_kf, se3.from_se2(7.5, 0.0, 0.0), atol=1e-6)

    states.clear()
    again = ros.start("localization_node", save_map_path=str(folder))
    ros.spin_until(lambda: states, "the second node")
    assert again.end(signal.SIGINT) == 0
    assert len(load_map(folder).entries) == len(entries)


def test_a_lifecycle_manager_can_take_the_node_through_its_states(ros):
    poses = ros.collect(PoseWithCovarianceStamped, "pose")
    node, drive = ros.start("localization_node", autostart="false"), Drive(ros)
    assert state(ros) == "unconfigured"
    refused = trigger(ros, "reset")
    assert not refused.success and "not configured" in refused.message
    assert change(ros, Transition.TRANSITION_CONFIGURE) and change(ros, Transition.TRANSITION_ACTIVATE)
    ros.spin_until(drive.matched, "subscriptions")
    drive.step()
    ros.spin_until(lambda: poses, "a pose")
    assert change(ros, Transition.TRANSITION_DEACTIVATE) and state(ros) == "inactive"
    ros.spin_until(lambda: not drive.matched(), "no subscriptions while inactive")
    assert change(ros, Transition.TRANSITION_CLEANUP) and state(ros) == "unconfigured"
    set_parameter(ros, "map", "/no/such/map")
    assert not change(ros, Transition.TRANSITION_CONFIGURE) and state(ros) == "unconfigured"
    assert "/no/such/map" in node.output
    assert node.end(signal.SIGINT) == 0


def test_what_cannot_start_says_why_in_one_sentence_and_exits_with_one(ros):
    cases = [
        ("source_node", {"source": "/no/such/folder"}, ["/no/such/folder", "expected"]),
        ("localization_node", {"map": "/no/such/map"}, ["/no/such/map", "map"]),
        ("localization_node", {"save_map_path": "/proc/map"}, ["/proc/map", "cannot be written"]),
        ("odometry_node", {"odometry__scan_voxels_m": "0.5"}, ["odometry.scan_voxels_m", "odometry.scan_voxel_m"]),
        ("odometry_node", {"input__T_base_imu": "[1.0, 0, 0, 0, 0, 0]"}, ["input.T_base_imu"]),
    ]
    for process, words in [(ros.start(node, **parameters), words) for node, parameters, words in cases]:
        assert process.wait() == 1
        assert all(word in process.output for word in words) and "Traceback" not in process.output, process.output

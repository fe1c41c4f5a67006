"""A vehicle in a map, through the node: found, kidnapped, lost, found again; maps for late joiners; several robots."""

import signal
from collections.abc import Iterable

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from geometry_msgs.msg import PoseWithCovarianceStamped
from houses_on_a_plain import CONFIG, BoxWorld, drive, square_drive
from nav_msgs.msg import Odometry as OdometryMessage
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from ros.sensors import Sensors
from ros.status import Statuses
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker

from bev_loc import config_io
from bev_loc.config import Config, RosConfig
from bev_loc.records import Odometry
from bev_loc.ros import qos
from bev_loc.ros.conversions import cloud_message, cloud_points, header, odometry_message, pose_matrix, stamp_ns, transform_matrix
from bev_loc.ros.pose_outputs import PoseOutputs
from bev_loc.ros.tf import Tf

pytestmark = pytest.mark.ros
SECOND_NS = 10**9


@pytest.fixture(scope="module")
def world() -> BoxWorld:
    return BoxWorld(seed=1)


def parameters_of(config: Config) -> dict[str, object]:
    """What differs from the defaults, as the `ros` fixture takes it."""
    return {leaf.key.replace(".", "__"): leaf.value for leaf, _ in config_io.changes(config)}


class Odometer:
    """Sends odometry and clouds to localization, one after the other, each when the last was done."""

    def __init__(self, ros) -> None:
        self._ros = ros
        self.states = ros.collect(String, "state", qos.LATCHED)
        self.poses = ros.collect(PoseWithCovarianceStamped, "pose")
        self._odometry = ros.node.create_publisher(OdometryMessage, "odometry", qos.RESULT)
        self._cloud = ros.node.create_publisher(PointCloud2, "cloud_deskewed", qos.CLOUD)
        self.begun = ros.node.create_publisher(Header, "odometry_begun", qos.RESULT)
        ros.meet("localization_node")
        ros.spin_until(self._matched, "subscriptions")
        ros.spin_until(lambda: self.states, "a state")

    def follow(self, way: Iterable[Odometry], until: str = "") -> Odometry:
        """Drive until the state is `until`, or to the end; the last pose sent."""
        for odometry in way:
            known = len(self.states)
            self._odometry.publish(odometry_message(odometry, "odom", "base_link"))
            self._cloud.publish(cloud_message(odometry.points_base, odometry.stamp_ns, "base_link"))
            self._ros.spin_until(lambda known=known: len(self.states) > known, "the next state")
            if until and self.states[-1].data == until:
                return odometry
        assert not until, f"the drive ended, the state is still {self.states[-1].data}, not {until}"
        return odometry

    def _matched(self) -> bool:
        return bool(self._odometry.get_subscription_count() and self._cloud.get_subscription_count())


def set_live(ros, name: str, value: object) -> None:
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    (result,) = ros.call(SetParameters, "/localization_node/set_parameters", request).results
    assert result.successful, result.reason


def test_a_vehicle_maps_and_another_is_found_in_the_map_lost_when_kidnapped_and_found_again(ros, world, tmp_path):
    statuses, folder = Statuses(ros), tmp_path / "square"
    mapping = ros.start("localization_node", save_map_path=str(folder), **parameters_of(CONFIG))
    Odometer(ros).follow(drive(world, square_drive(120.0), seed=1))
    ros.spin_until(lambda: statuses.count("localization_node", "processed") == 60, "the last counts")
    expected = {"state", "keyframes", "odometry rate [Hz]", "processing of a keyframe [ms]", "delay of the pose after its stamp [ms]",
                "memory [MB]", "peak memory [MB]", "waiting", "received", "dropped: too slow"}  # fmt: skip
    assert expected <= statuses.values("localization_node").keys()
    assert mapping.end(signal.SIGTERM) == 0 and "map with 30 keyframes" in mapping.output

    node = ros.start("localization_node", map=str(folder), **parameters_of(CONFIG))
    vehicle = Odometer(ros)
    late, words = ros.collect(PointCloud2, "map_points", qos.LATCHED), ros.collect(Marker, "state_text", qos.LATCHED)
    ros.spin_until(lambda: late, "the map, for a late joiner")
    assert len(cloud_points(late[0])) > 1000 and late[0].header.frame_id == "map"
    assert vehicle.states[-1].data == "searching" and not vehicle.poses, "no pose before the place is known"

    way = square_drive(40.0, start_m=20.0, sideways_m=0.5)
    last = vehicle.follow(drive(world, way, seed=2, first_ns=100 * SECOND_NS), until="tracking")
    ros.spin_until(lambda: vehicle.poses, "a pose")
    T_world_base = way[(last.stamp_ns - 100 * SECOND_NS) // 10**8]
    start = square_drive(2.0)[0]  # the map's frame is where the mapping drive began
    np.testing.assert_allclose(pose_matrix(vehicle.poses[-1].pose.pose), np.linalg.inv(start) @ T_world_base, atol=0.15)

    set_live(ros, "localization.lost_after", 3)
    elsewhere = square_drive(24.0)  # six keyframes, fewer than the eight of the default
    vehicle.follow(drive(BoxWorld(seed=2), elsewhere, seed=3, first_ns=200 * SECOND_NS), until="lost")
    vehicle.follow(drive(world, square_drive(40.0, start_m=70.0), seed=4, first_ns=300 * SECOND_NS), until="tracking")
    for log in ("searching -> tracking", "tracking -> lost", "lost -> tracking"):
        assert log in node.output

    shown = ["searching", "tracking", "lost", "tracking"]
    ros.spin_until(lambda: [word.text for word in words][-4:] == shown, "the words above the vehicle in rviz")
    assert {word.header.frame_id for word in words} == {"base_link"}

    for service in ("relocalize", "load_map"):
        assert ros.call(Trigger, f"/localization_node/{service}", Trigger.Request()).success
        first_ns = (400 if service == "relocalize" else 500) * SECOND_NS
        vehicle.follow(drive(world, square_drive(40.0, start_m=30.0), seed=5, first_ns=first_ns), until="tracking")
    again = drive(world, square_drive(40.0, start_m=60.0), seed=6, first_ns=50 * SECOND_NS)
    vehicle.follow(again, until="searching")
    vehicle.follow(again, until="tracking")
    assert "jumped back by" in node.output and "searching for the place in the map of" in node.output
    vehicle.begun.publish(header(600 * SECOND_NS, "odom"))
    ros.spin_for(0.3)
    again = drive(world, square_drive(40.0, start_m=10.0), seed=7, first_ns=600 * SECOND_NS)
    vehicle.follow(again, until="searching")
    vehicle.follow(again, until="tracking")
    assert "the odometry began anew" in node.output
    ros.spin_until(lambda: float(statuses.values("localization_node").get("overlap", 0)) > 0.3, "overlap on /diagnostics")
    ros.spin_until(lambda: statuses.count("localization_node", "time went back") == 1, "the count of it")
    assert node.end(signal.SIGTERM) == 0


def test_two_robots_in_one_domain_do_not_hear_each_other_and_names_can_be_remapped(with_tf2, make_ros):
    from tf2_msgs.msg import TFMessage

    ros = make_ros(with_tf2)
    inputs = {"robot1": "/robot1/points", "robot2": "/velodyne_points"}
    sensors = {robot: Sensors(ros, points, f"/{robot}/imu", start_s=3.0 * n) for n, (robot, points) in enumerate(inputs.items())}
    odometry = {robot: ros.collect(OdometryMessage, f"/{robot}/odometry") for robot in inputs}
    transforms = {robot: ros.collect(TFMessage, f"/{robot}/tf") for robot in inputs}
    global_tf = ros.collect(TFMessage, "/tf")
    nodes = []
    for robot in inputs:
        names = ("-r", f"__ns:=/{robot}", "-r", "/tf:=tf", "-r", "/tf_static:=tf_static", "-r", f"points:={inputs[robot]}")
        nodes.append(ros.start("odometry_node", *names, ros__odom_frame=f"{robot}_odom"))
    ros.meet(*(f"/{robot}/odometry_node" for robot in inputs))
    ros.spin_until(lambda: all(each.matched() for each in sensors.values()), "subscriptions")
    sensors["robot1"].send_until(lambda: len(odometry["robot1"]) >= 2, "odometry of the first")
    assert not odometry["robot2"]
    sensors["robot2"].send_until(lambda: len(odometry["robot2"]) >= 2, "odometry of the second")
    for robot in inputs:
        ros.spin_until(lambda robot=robot: transforms[robot], f"a transform of {robot}")
        assert {m.header.frame_id for m in odometry[robot]} == {f"{robot}_odom"}
        assert {t.header.frame_id for m in transforms[robot] for t in m.transforms} == {f"{robot}_odom"}
    assert not global_tf
    for node in nodes:
        assert node.end(signal.SIGINT) == 0


def test_alone_the_pose_is_the_one_transform(with_tf2, ros, world):
    from tf2_msgs.msg import TFMessage

    sent, poses = ros.collect(TFMessage, "/tf"), ros.collect(PoseWithCovarianceStamped, "pose")
    outputs = PoseOutputs(ros.node, Config(ros=RosConfig(standalone_tf=True)), Tf(ros.node, send=True, listen=False))
    outputs.place(np.eye(4))
    for odometry in drive(world, square_drive(8.0), seed=1):
        outputs.on_odometry(odometry_message(odometry, "odom", "base_link"))
    ros.spin_until(lambda: len(sent) == len(poses) == 4, "a transform with every pose")
    transforms = [t for message in sent for t in message.transforms]
    assert {(t.header.frame_id, t.child_frame_id) for t in transforms} == {("map", "base_link")}
    T_map_base = {stamp_ns(m.header.stamp): pose_matrix(m.pose.pose) for m in poses}
    for t in transforms:
        np.testing.assert_allclose(transform_matrix(t), T_map_base[stamp_ns(t.header.stamp)], atol=1e-9)

"""The rviz configuration shows topics that exist, with the types and the delivery that the nodes offer."""

from functools import partial
from xml.etree import ElementTree

import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

pytestmark = pytest.mark.ros

TYPE_OF_DISPLAY = {
    "PointCloud2": "sensor_msgs/msg/PointCloud2",
    "Path": "nav_msgs/msg/Path",
    "Marker": "visualization_msgs/msg/Marker",
    "MarkerArray": "visualization_msgs/msg/MarkerArray",
    "PoseWithCovariance": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "Image": "sensor_msgs/msg/Image",
}
DURABILITY = {"Transient Local": DurabilityPolicy.TRANSIENT_LOCAL, "Volatile": DurabilityPolicy.VOLATILE}
RELIABILITY = {"Reliable": ReliabilityPolicy.RELIABLE, "Best Effort": ReliabilityPolicy.BEST_EFFORT}


def test_every_display_has_a_topic_of_its_type_and_delivery(ros, repository):
    manager = yaml.safe_load((repository / "rviz" / "localization.rviz").read_text())["Visualization Manager"]
    displays = {d["Name"]: d for d in manager["Displays"] if "Topic" in d}
    assert set(displays) == {"map", "scan", "path", "closures", "state", "pose", "bird's-eye view"}
    assert manager["Global Options"]["Fixed Frame"] == "map"
    assert any(d["Class"].endswith("/TF") for d in manager["Displays"])

    ros.start("odometry_node")
    ros.start("localization_node")
    for name, display in displays.items():
        topic, kind = display["Topic"], display["Class"].split("/")[1]
        offered = ros.wait_for(partial(ros.node.get_publishers_info_by_topic, topic["Value"]), f"a publisher of {topic['Value']}")
        assert {o.topic_type for o in offered} == {TYPE_OF_DISPLAY[kind]}, name
        for o in offered:
            assert RELIABILITY[topic["Reliability Policy"]] == o.qos_profile.reliability, name
            assert DURABILITY[topic["Durability Policy"]] == o.qos_profile.durability, name
    pose_tool = next(t for t in manager["Tools"] if t["Class"].endswith("/SetInitialPose"))["Topic"]["Value"]
    listening = ros.wait_for(partial(ros.node.get_subscriptions_info_by_topic, pose_tool), pose_tool)
    assert listening[0].topic_type == "geometry_msgs/msg/PoseWithCovarianceStamped"
    for node in ("odometry_node", "localization_node"):
        ros.spin_until(lambda node=node: node in ros.node.get_node_names(), f"{node} in the graph")
        assert opened_by(ros.node, node) <= allowed(repository, node), "config/sros2_policy.xml"


def opened_by(observer, node: str) -> set[tuple[str, str]]:
    """(direction, name) of every topic and service that a node has, as the graph knows it."""
    looks = {"publish": observer.get_publisher_names_and_types_by_node, "subscribe": observer.get_subscriber_names_and_types_by_node,
             "reply": observer.get_service_names_and_types_by_node}  # fmt: skip
    return {(direction, name) for direction, look in looks.items() for name, _ in look(node, "/")}


def allowed(repository, node: str) -> set[tuple[str, str]]:
    """The same, as the security policy allows it."""
    policy = ElementTree.parse(repository / "config" / "sros2_policy.xml")
    found = set()
    for group in policy.find(f".//profile[@node='{node}']"):
        (direction,) = group.attrib
        names = (entry.text.replace("~", f"/{node}", 1) for entry in group)
        found |= {(direction, name if name.startswith("/") else f"/{name}") for name in names}
    return found

"""Everything for one vehicle: sensors or a recording, odometry, localization, and rviz to look at it.

`ros2 launch bev_loc localization.launch.py --show-args` is the manual.
"""

import os
from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from bev_loc.thread_environment import set_thread_environment, thread_environment
from launch import LaunchContext, LaunchDescription

SHARE = Path(__file__).resolve().parents[1]
BOOLEAN = ["true", "false"]
PRESETS = ["", "hdl64", "vlp16", "os1", "livox"]
_COMPILING_S = 300.0  # the nodes compile for a minute or two the first time: a recording waits for them
ARGUMENTS = (
    DeclareLaunchArgument(
        "source", default_value="live",
        description="live: the sensors' own topics; or a recording to replay: a path, kitti:PATH, bag:PATH or sim:NAME",
    ),
    DeclareLaunchArgument("rate", default_value="1.0", description="speed of the replay; 0: as fast as the nodes follow"),
    DeclareLaunchArgument("map", default_value="", description="map folder to localize in; empty: build a new map"),
    DeclareLaunchArgument(
        "mapping", default_value="auto", choices=["auto", *BOOLEAN],
        description="build or extend a map; auto: only when no map is given",
    ),
    DeclareLaunchArgument(
        "save_map", default_value="", description="folder that a clean exit and ~/save_map write the map to; empty: nowhere"
    ),
    DeclareLaunchArgument(
        "points_topic", default_value="", description="point cloud topic, live or in the bag; empty: points, in a bag the largest"
    ),
    DeclareLaunchArgument(
        "imu_topic", default_value="", description="IMU topic, live or in the bag; empty: imu, in a bag the fastest"
    ),
    DeclareLaunchArgument(
        "preset", default_value="", choices=PRESETS,
        description="values for a sensor, from config/presets; params_file and arguments win over them; empty: the defaults",
    ),
    DeclareLaunchArgument(
        "params_file", default_value="",
        description="parameters of all nodes (config/presets/my_robot.yaml and config/ros_parameters.yaml are templates); "
        "empty: the defaults",
    ),
    DeclareLaunchArgument(
        "standalone_tf", default_value="false", choices=BOOLEAN,
        description="send map -> base_link alone, where nothing else uses the odom frame (Nav2 wants it false)",
    ),
    DeclareLaunchArgument(
        "odometry_cores", default_value="",
        description="processor cores that odometry_node may use, as taskset takes them (0 or 0,2-3); empty: all",
    ),
    DeclareLaunchArgument(
        "other_cores", default_value="",
        description="processor cores that the other nodes may use, so that they never delay odometry; empty: all",
    ),
    DeclareLaunchArgument(
        "use_sim_time", default_value="false", choices=BOOLEAN,
        description="follow /clock; a replayed recording then publishes it",
    ),
    DeclareLaunchArgument(
        "namespace", default_value="", description="of all nodes and topics; /tf moves into it too, one robot per namespace"
    ),
    DeclareLaunchArgument("lines", default_value="false", choices=BOOLEAN, description="detect line segments in camera images"),
    DeclareLaunchArgument(
        "image_topic", default_value="", description="of the camera, raw or ending in /compressed; empty: image and image/compressed"
    ),
    DeclareLaunchArgument("rviz", default_value="false", choices=BOOLEAN, description="show map, scan, path and closures"),
)  # fmt: skip


def generate_launch_description() -> LaunchDescription:
    """Arguments, environment, nodes."""
    set_thread_environment()
    environment = thread_environment()
    # Fast DDS renamed the variable with version 3, after Jazzy
    profile = "FASTRTPS_DEFAULT_PROFILES_FILE" if os.environ.get("ROS_DISTRO") == "jazzy" else "FASTDDS_DEFAULT_PROFILES_FILE"
    if profile not in os.environ:
        environment[profile] = str(SHARE / "config" / "fastdds_shared_memory.xml")
    settings = [SetEnvironmentVariable(name, value) for name, value in environment.items()]
    return LaunchDescription([*ARGUMENTS, *settings, OpaqueFunction(function=nodes)])


def nodes(context: LaunchContext) -> list[Node]:
    """The processes for the arguments given."""
    given = {argument.name: LaunchConfiguration(argument.name).perform(context) for argument in ARGUMENTS}
    live, sim_time = given["source"] == "live", given["use_sim_time"] == "true"
    mapping = not given["map"] if given["mapping"] == "auto" else given["mapping"] == "true"
    if not (mapping or given["map"]):
        raise RuntimeError("mapping:=false needs a map: give map:=DIR, or leave mapping out to build one")
    pinned = {"odometry_node": given["odometry_cores"]}
    always = {"use_sim_time": sim_time} | ({"ros.standalone_tf": True} if given["standalone_tf"] == "true" else {})
    topics = {"points": given["points_topic"], "imu": given["imu_topic"]}

    def node(executable: str, parameters: dict, remappings: tuple[tuple[str, str], ...] = (), **more) -> Node:
        ours = executable != "rviz2"
        preset = str(SHARE / "config" / "presets" / f"{given['preset']}.yaml") if given["preset"] else ""
        files = [file for file in (preset, given["params_file"]) if file and ours]
        cores = pinned.get(executable, given["other_cores"])
        in_namespace = [("/tf", "tf"), ("/tf_static", "tf_static")] if given["namespace"] else []
        return Node(
            package="bev_loc" if ours else "rviz2",
            executable=executable,
            name=executable,
            namespace=given["namespace"],
            parameters=[*files, {**(always if ours else {"use_sim_time": sim_time}), **parameters}],
            remappings=[*remappings, *in_namespace],
            output="screen",
            **({"prefix": f"taskset -c {cores}"} if cores else {}),
            **more,
        )

    started = [
        node("odometry_node", {}, tuple((name, topic) for name, topic in topics.items() if live and topic)),
        node(
            "localization_node",
            {"map": given["map"], "mapping": bool(given["map"]) and mapping, "save_map_path": given["save_map"]},
        ),
    ]
    if not live:
        in_recording = {f"input.{name}_topic": topic for name, topic in topics.items() if topic}
        replay = {"source": given["source"], "rate": float(given["rate"]), "clock": sim_time}
        started.append(node("source_node", replay | {"wait_for": "points cloud_deskewed", "wait_s": _COMPILING_S} | in_recording))
    if given["lines"] == "true":
        started.append(node("line_node", {}, _camera(given["image_topic"])))
    if given["rviz"] == "true":
        started.append(node("rviz2", {}, arguments=["-d", str(SHARE / "rviz" / "localization.rviz")]))
    return started


def _camera(topic: str) -> tuple[tuple[str, str], ...]:
    """Remappings of the two transports of one camera."""
    if not topic:
        return ()
    raw = topic.removesuffix("/compressed")
    return ("image", raw), ("image/compressed", f"{raw}/compressed")

"""The launch file, executed with a recording stand-in: what would be started for which arguments."""

from itertools import product
from xml.etree import ElementTree

import pytest
from ros.launch_recorder import Launched

from bev_loc.ros.node_parameters import NODE_PARAMETERS


@pytest.fixture
def launch(repository, monkeypatch):
    """Executes the launch file with arguments."""
    return lambda **arguments: Launched(repository / "launch" / "localization.launch.py", arguments, monkeypatch)


def test_every_argument_has_a_description(launch):
    arguments = launch().arguments
    assert {"map", "source", "mapping", "rviz", "params_file", "points_topic", "imu_topic", "use_sim_time", "namespace"} <= set(arguments)
    assert all(len(argument.description) > 20 for argument in arguments.values())


def test_live_sensors_need_two_nodes_and_their_topics_are_remapped(launch):
    started = launch(points_topic="/os1/points", imu_topic="/os1/imu").nodes
    assert set(started) == {"odometry_node", "localization_node"}
    assert set(started["odometry_node"].remappings) == {("points", "/os1/points"), ("imu", "/os1/imu")}
    assert started["localization_node"].values["mapping"] is False and started["localization_node"].values["map"] == ""


def test_a_recording_is_replayed_by_a_third_node_that_waits_for_the_others(launch):
    started = launch(source="bag:/data/drive.mcap", points_topic="/os1/points", rate="0.5").nodes
    values = started["source_node"].values
    assert values["source"] == "bag:/data/drive.mcap" and values["rate"] == 0.5 and values["clock"] is False
    assert values["input.points_topic"] == "/os1/points" and values["wait_for"] == "points cloud_deskewed"
    assert values["wait_s"] >= 120.0, "the first start compiles"
    assert started["odometry_node"].remappings == []


@pytest.mark.parametrize(
    ("map_folder", "mapping", "extends"),
    [("", "auto", False), ("", "true", False), ("/m", "auto", False), ("/m", "false", False), ("/m", "true", True)],
)
def test_a_map_is_built_used_or_extended(launch, map_folder, mapping, extends):
    values = launch(map=map_folder, mapping=mapping).nodes["localization_node"].values
    assert (values["map"], values["mapping"]) == (map_folder, extends)


def test_neither_a_map_nor_mapping_is_refused(launch):
    with pytest.raises(RuntimeError, match="map:=DIR"):
        launch(mapping="false")


@pytest.mark.parametrize(("name", "value"), [("rviz", "yes"), ("mapping", "on"), ("use_sim_time", "1")])
def test_a_switch_takes_only_its_choices(launch, name, value):
    with pytest.raises(RuntimeError, match=name):
        launch(**{name: value})


@pytest.mark.parametrize(
    ("source", "map_folder", "sim_time", "namespace", "rviz", "params_file"),
    product(["live", "kitti:/data/00"], ["", "/maps/a"], ["false", "true"], ["", "robot1"], ["false", "true"], ["", "/p.yaml"]),
)
def test_every_combination_starts_nodes_with_parameters_that_exist(
    launch, repository, source, map_folder, sim_time, namespace, rviz, params_file
):
    launched = launch(source=source, map=map_folder, use_sim_time=sim_time, namespace=namespace, rviz=rviz, params_file=params_file)
    started = launched.nodes
    assert ("source_node" in started) == (source != "live") and ("rviz2" in started) == (rviz == "true")
    for name, node in started.items():
        assert node.namespace == namespace and node.values["use_sim_time"] is (sim_time == "true")
        assert (("/tf", "tf") in node.remappings) == bool(namespace)
        if name == "rviz2":
            assert node.files == [] and node.arguments == ["-d", str(repository / "rviz" / "localization.rviz")]
            continue
        assert node.package == "bev_loc" and (repository / "scripts" / name).is_file()
        assert node.files == ([params_file] if params_file else [])
        declared = {leaf.key: leaf for leaf in NODE_PARAMETERS[name]}
        for key, value in node.values.items():
            assert key.startswith("input.") or key == "use_sim_time" or type(value).__name__ == declared[key].kind
    if "source_node" in started:
        assert started["source_node"].values["clock"] is (sim_time == "true")


def test_the_shared_memory_profile_is_set_for_every_process_and_holds_big_clouds(launch, repository, monkeypatch):
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    file = repository / "config" / "fastdds_shared_memory.xml"
    for distribution, name in (("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"), ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE")):
        monkeypatch.setenv("ROS_DISTRO", distribution)
        assert launch().environment[name] == str(file)
    assert launch().environment["OMP_WAIT_POLICY"] == "PASSIVE"
    sizes = [int(e.text) for e in ElementTree.parse(file).iter() if e.tag.endswith("segment_size")]
    assert sizes == [32 * 2**20]


def test_a_profile_of_the_users_own_stays(launch, monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "kilted")
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/etc/my_profile.xml")
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in launch().environment


@pytest.mark.parametrize("preset", ["hdl64", "vlp16", "os1", "livox"])
def test_a_preset_comes_before_the_users_file(launch, repository, preset):
    started = launch(preset=preset, params_file="/p.yaml", rviz="true", source="sim:town").nodes
    file = repository / "config" / "presets" / f"{preset}.yaml"
    assert file.is_file()
    for name in ("odometry_node", "localization_node", "source_node"):
        assert started[name].files == [str(file), "/p.yaml"]
    assert started["rviz2"].files == []


@pytest.mark.parametrize(
    ("topic", "remapped"),
    [("", set()), ("/cam/image", {("image", "/cam/image"), ("image/compressed", "/cam/image/compressed")}),
     ("/cam/image/compressed", {("image", "/cam/image"), ("image/compressed", "/cam/image/compressed")})],
)  # fmt: skip
def test_lines_are_detected_in_either_transport_of_the_camera_only_when_asked_for(launch, topic, remapped):
    assert "line_node" not in launch(image_topic=topic).nodes
    started = launch(lines="true", image_topic=topic, namespace="robot1", params_file="/p.yaml").nodes["line_node"]
    assert set(started.remappings) == remapped | {("/tf", "tf"), ("/tf_static", "tf_static")} and started.files == ["/p.yaml"]


def test_the_map_is_saved_where_the_argument_says(launch):
    assert launch(save_map="/maps/a").nodes["localization_node"].values["save_map_path"] == "/maps/a"
    assert launch().nodes["localization_node"].values["save_map_path"] == ""


def test_an_unknown_preset_is_refused(launch):
    with pytest.raises(RuntimeError, match="hdl64"):
        launch(preset="hdl65")


def test_odometry_and_the_rest_may_have_cores_of_their_own(launch):
    started = launch(odometry_cores="0", other_cores="1", source="sim:town", rviz="true").nodes
    assert {name: node.prefix for name, node in started.items()} == {
        "odometry_node": "taskset -c 0", "localization_node": "taskset -c 1", "source_node": "taskset -c 1", "rviz2": "taskset -c 1",
    }  # fmt: skip
    assert not any(node.prefix for node in launch().nodes.values())


def test_the_stand_alone_switch_reaches_the_nodes_that_send_transforms(launch):
    started = launch(standalone_tf="true", rviz="true").nodes
    assert started["odometry_node"].values["ros.standalone_tf"] is started["localization_node"].values["ros.standalone_tf"] is True
    assert "ros.standalone_tf" not in started["rviz2"].values
    assert "ros.standalone_tf" not in launch().nodes["odometry_node"].values, "a parameter file decides"


def test_the_table_in_the_readme_is_the_launch_arguments(launch, repository):
    rows = ["| launch argument | default | choices | meaning |", "|---|---|---|---|"]
    for argument in launch().arguments.values():
        default = f"`{argument.default_value}`" if argument.default_value else ""
        choices = " \\| ".join(filter(None, argument.choices or []))
        rows.append(f"| `{argument.name}` | {default} | {choices} | {argument.description} |")
    table = "\n".join(rows) + "\n"
    readme = (repository / "README.md").read_text()
    shown = readme.partition("<!-- launch arguments -->\n")[2].partition("<!-- end launch arguments -->")[0]
    assert shown == table, f"paste this:\n{table}"

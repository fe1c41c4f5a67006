"""ROS parameters are the configuration: same keys, values, ranges and refusals."""

import re

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

import rclpy
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter

from bev_loc import config_io
from bev_loc.config import Config
from bev_loc.errors import ConfigError
from bev_loc.ros.node_parameters import NODE_PARAMETERS
from bev_loc.ros.params import Parameters, ros_yaml
from bev_loc.ros.tables import node_parameter_table

pytestmark = pytest.mark.ros


@pytest.fixture
def node_with(ros):
    """Makes a node with the given command-line arguments, and its parameters."""
    made = []

    def make(*arguments: str, own: str = "localization_node") -> Parameters:
        node = rclpy.create_node(
            own, context=ros.context, cli_args=["--ros-args", *arguments],
            automatically_declare_parameters_from_overrides=True,
        )  # fmt: skip
        made.append(node)
        return Parameters(node, own), node

    yield make
    for node in made:
        node.destroy_node()


def test_without_arguments_the_parameters_are_the_default_configuration(node_with):
    parameters, _ = node_with()
    assert parameters.config == Config()


def test_every_leaf_is_declared_with_meaning_range_type_and_read_only_flag(node_with):
    _, node = node_with()
    for leaf in config_io.leaves(Config()):
        descriptor = node.describe_parameter(leaf.key)
        assert descriptor.description.startswith(leaf.meaning)
        assert leaf.unit in descriptor.description
        assert descriptor.read_only is not leaf.live
        assert descriptor.type == {
            "bool": ParameterType.PARAMETER_BOOL,
            "int": ParameterType.PARAMETER_INTEGER,
            "float": ParameterType.PARAMETER_DOUBLE,
            "str": ParameterType.PARAMETER_STRING,
            "floats": ParameterType.PARAMETER_DOUBLE_ARRAY,
        }[leaf.kind]
        bounds = descriptor.floating_point_range or descriptor.integer_range
        assert [(b.from_value, b.to_value) for b in bounds] == ([] if leaf.minimum is None else [(leaf.minimum, leaf.maximum)])
        assert all(choice in descriptor.additional_constraints for choice in leaf.choices)


def test_given_values_arrive_in_the_configuration_whole_numbers_too(node_with):
    parameters, _ = node_with(
        "-p", "bev.range_m:=50", "-p", "input.T_base_lidar:=[1, 0, 2, 0, 0, 3]", "-p", "map:=/maps/a", "-p", "odometry.deskew:=off"
    )
    assert parameters.config.bev.range_m == 50.0
    assert parameters.config.input.T_base_lidar == (1.0, 0.0, 2.0, 0.0, 0.0, 3.0)
    assert parameters.config.odometry.deskew == "off"
    assert parameters.own("map") == "/maps/a"


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("bev.rangem:=40.0", ["'bev.rangem'", "'bev.range_m'", "/localization_node"]),
        ("bev.range_m:=1000.0", ["'bev.range_m'", "5 to 200", "1000.0"]),
        ("bev.range_m:=wide", ["'bev.range_m'", "a number", "'wide'"]),
        ("mapp:=/maps/a", ["'mapp'"]),
        ("mapping:=3.5", ["'mapping'", "true or false"]),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_name(node_with, argument, words):
    with pytest.raises(ConfigError) as error:
        node_with("-p", argument)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_one_file_may_hold_the_parameters_of_all_nodes(node_with, tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text("/**:\n  ros__parameters:\n    source: sim:town\n    map: /maps/a\n    bev: {cell_m: 0.5}\n")
    parameters, node = node_with("--params-file", str(file))
    assert parameters.config.bev.cell_m == 0.5 and parameters.own("map") == "/maps/a"
    assert not node.has_parameter("source")


def test_a_live_leaf_follows_while_running_and_others_say_why_not(node_with):
    parameters, node = node_with()
    changed = []
    parameters.on_change = changed.append

    def set_one(name: str, value: object):
        return node.set_parameters([Parameter(name, value=value)])[0]

    assert set_one("keyframes.distance_m", 3.0).successful
    assert parameters.config.keyframes.distance_m == 3.0 and changed == [parameters.config]
    refused = set_one("keyframes.distance_m", 1e6)
    assert not refused.successful and "keyframes.distance_m" in refused.reason
    assert parameters.config.keyframes.distance_m == 3.0
    read_only = set_one("bev.range_m", 50.0)
    assert not read_only.successful and "read-only" in read_only.reason
    assert set_one("save_map_path", "/maps/b").successful and parameters.own("save_map_path") == "/maps/b"


@pytest.mark.parametrize("own", NODE_PARAMETERS)
def test_the_parameter_file_of_the_package_is_the_configuration(node_with, repository, own):
    file = repository / "config" / "ros_parameters.yaml"
    assert file.read_text() == ros_yaml(Config()), "regenerate with: tools/renew_derived.py"
    parameters, _ = node_with("--params-file", str(file), own=own)
    assert parameters.config == Config()


def test_the_table_in_the_readme_is_the_nodes_parameters(repository):
    readme = (repository / "README.md").read_text()
    shown = readme.partition("<!-- ros parameters -->\n")[2].partition("<!-- end ros parameters -->")[0]
    assert shown == node_parameter_table(), "paste the output of: python -m bev_loc.ros.tables"


def test_a_preset_is_part_of_the_configuration(node_with, repository):
    presets = sorted((repository / "config" / "presets").glob("*.yaml"))
    assert [file.stem for file in presets] == ["hdl64", "livox", "my_robot", "os1", "vlp16"]
    for file in presets:
        own, _ = node_with("--params-file", str(file), own="odometry_node")
        changed = {leaf.key for leaf, _ in config_io.changes(own.config)}
        assert bool(changed) == (file.stem not in ("hdl64", "my_robot")), (file.name, changed)


def test_what_the_template_of_ones_own_robot_offers_exists_and_a_file_wins_over_a_preset(node_with, repository, tmp_path):
    template = (repository / "config" / "presets" / "my_robot.yaml").read_text()
    used, offered = re.subn(r"^(\s+)# (\w+: \S+.*)$", r"\1\2", template, flags=re.MULTILINE)
    assert offered >= 8
    file = tmp_path / "my_robot.yaml"
    file.write_text(used)
    vlp16 = repository / "config" / "presets" / "vlp16.yaml"
    parameters, _ = node_with("--params-file", str(vlp16), "--params-file", str(file), own="odometry_node")
    assert parameters.config.input.T_base_lidar == (0.3, 0.0, 1.2, 0.0, 0.0, 0.0)
    assert parameters.config.odometry.scan_voxel_m == 0.3 and parameters.config.input.point_time_field == "time"

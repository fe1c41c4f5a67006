"""ROS parameters from the one configuration: declared, checked, and followed while the node runs."""

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from .. import config_io
from ..config import Config
from ..config_io import Leaf
from ..errors import ConfigError
from .node_parameters import NODE_PARAMETERS

_TYPES = {
    "bool": Parameter.Type.BOOL,
    "int": Parameter.Type.INTEGER,
    "float": Parameter.Type.DOUBLE,
    "str": Parameter.Type.STRING,
    "floats": Parameter.Type.DOUBLE_ARRAY,
}
_OF_ROS = ("use_sim_time", "start_type_description_service", "qos_overrides.")


class Parameters:
    """The parameters of one node: the whole configuration, and what is the node's own.

    The node must have been created with `automatically_declare_parameters_from_overrides=True`: what the
    user gave is then there to be checked, so that a misspelt name is an error, not silence.
    """

    def __init__(self, node: Node, own: str) -> None:
        """Declare everything on `node`, whose own parameters are `NODE_PARAMETERS[own]`; ConfigError if refused."""
        self._node = node
        self._own = {leaf.key: leaf for leaf in NODE_PARAMETERS[own]}
        self.on_change: Callable[[Config], None] = lambda config: None  # called after a live leaf changed
        given = self._take_given(node)
        where = f"parameters of {node.get_fully_qualified_name()}"
        of_config = {key: value for key, value in given.items() if key not in self._own}
        self.config = config_io.override(Config(), of_config, where)
        for leaf in config_io.leaves(self.config):
            _declare(node, leaf, leaf.value)
        for leaf in self._own.values():
            _declare(node, leaf, config_io.checked(leaf, given.get(leaf.key, leaf.value), where))
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._adopt)

    def own(self, name: str) -> Any:
        """The present value of one of the node's own parameters."""
        return self._node.get_parameter(name).value

    def _take_given(self, node: Node) -> dict[str, Any]:
        """What the user gave, undeclared again, without ROS's own and without the other nodes' parameters."""
        of_others = {leaf.key for leaves in NODE_PARAMETERS.values() for leaf in leaves} - set(self._own)
        given: dict[str, Any] = {}
        for name, parameter in node.get_parameters_by_prefix("").items():
            if name.startswith(_OF_ROS):
                continue
            node.undeclare_parameter(name)
            if name not in of_others:  # one file may serve all nodes
                value = parameter.value
                given[name] = list(value) if parameter.type_.name.endswith("ARRAY") else value
        return given

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            self._changed(parameters)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _adopt(self, parameters: list[Parameter]) -> None:
        config = self._changed(parameters)
        if config != self.config:
            self.config = config
            self.on_change(config)

    def _changed(self, parameters: list[Parameter]) -> Config:
        known = {leaf.key for leaf in config_io.leaves(self.config)}
        values = {p.name: p.value for p in parameters if p.name in known}
        for p in parameters:
            if p.name in self._own:
                config_io.checked(self._own[p.name], p.value, "set")
        return config_io.override(self.config, values, "set")


def _declare(node: Node, leaf: Leaf, value: Any) -> None:
    descriptor = descriptor_of(leaf)
    if leaf.kind == "floats" and not value:  # ROS has no type for an empty list: declared, not set
        node.declare_parameter(leaf.key, Parameter.Type.DOUBLE_ARRAY, descriptor, ignore_override=True)
    else:
        value = list(value) if leaf.kind == "floats" else value
        node.declare_parameter(leaf.key, value, descriptor, ignore_override=True)


def descriptor_of(leaf: Leaf) -> ParameterDescriptor:
    """Meaning, unit, type, range and read-only flag as ROS tools show them."""
    descriptor = ParameterDescriptor(
        name=leaf.key,
        type=_TYPES[leaf.kind].value,
        description=f"{leaf.meaning} [{leaf.unit}]" if leaf.unit else leaf.meaning,
        read_only=not leaf.live,
    )
    if leaf.choices:
        descriptor.additional_constraints = "one of " + ", ".join(leaf.choices)
    if leaf.minimum is not None and leaf.kind == "float":
        descriptor.floating_point_range = [FloatingPointRange(from_value=leaf.minimum, to_value=leaf.maximum)]
    if leaf.minimum is not None and leaf.kind == "int":
        descriptor.integer_range = [IntegerRange(from_value=int(leaf.minimum), to_value=int(leaf.maximum), step=1)]
    return descriptor


def ros_yaml(config: Config) -> str:
    """The parameter file of `config`, for every node, each key with its meaning."""
    lines = ["# Made by `tools/renew_derived.py`. Copy it, keep what you change; keys left out keep these values.",
             "/**:", "  ros__parameters:"]  # fmt: skip
    for line in config_io.dump(config).splitlines():
        unset = ": []" in line.partition("#")[0]  # ROS parameter files cannot hold an empty list
        lines.append("    " + (f"  # {line.strip()}" if unset else line))
    return "\n".join(lines) + "\n"

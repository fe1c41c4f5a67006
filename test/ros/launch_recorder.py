"""A stand-in for `launch` and `launch_ros` that executes a launch file and records what it would start.

It knows only what the launch file of this package uses, and is as strict as the originals about it.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


class LaunchContext:
    def __init__(self) -> None:
        self.launch_configurations: dict[str, str] = {}
        self.environment: dict[str, str] = {}


class DeclareLaunchArgument:
    def __init__(self, name: str, *, default_value: str, description: str, choices: list[str] | None = None) -> None:
        assert isinstance(default_value, str), f"{name}: launch takes texts"
        self.name, self.default_value, self.description, self.choices = name, default_value, description, choices

    def execute(self, context: LaunchContext) -> None:
        value = context.launch_configurations.setdefault(self.name, self.default_value)
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(f"argument '{self.name}' must be one of {self.choices}, got '{value}'")


class SetEnvironmentVariable:
    def __init__(self, name: str, value: str) -> None:
        assert isinstance(name, str) and isinstance(value, str)
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        context.environment[self.name] = self.value


class LaunchConfiguration:
    def __init__(self, name: str) -> None:
        self.name = name

    def perform(self, context: LaunchContext) -> str:
        return context.launch_configurations[self.name]


class OpaqueFunction:
    def __init__(self, *, function) -> None:
        self.function = function

    def execute(self, context: LaunchContext) -> list:
        return self.function(context)


class Node:
    def __init__(self, *, package, executable, name, namespace, parameters, remappings, output, prefix="", arguments=()) -> None:
        assert all(isinstance(entry, (str, dict)) for entry in parameters)
        self.package, self.executable, self.name, self.namespace = package, executable, name, namespace
        self.parameters, self.remappings, self.output, self.arguments = parameters, remappings, output, arguments
        self.prefix = prefix

    @property
    def values(self) -> dict:
        """All parameters given as values."""
        return {key: value for entry in self.parameters if isinstance(entry, dict) for key, value in entry.items()}

    @property
    def files(self) -> list[str]:
        """The parameter files."""
        return [entry for entry in self.parameters if isinstance(entry, str)]


class LaunchDescription:
    def __init__(self, entities: list) -> None:
        self.entities = entities


class Launched:
    """What a launch file declared, set and would have started."""

    def __init__(self, file: Path, arguments: dict[str, str], monkeypatch) -> None:
        _pretend(monkeypatch)
        specification = importlib.util.spec_from_file_location("launch_file_under_test", file)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        entities = module.generate_launch_description().entities
        self.arguments = {entity.name: entity for entity in entities if isinstance(entity, DeclareLaunchArgument)}
        unknown = set(arguments) - set(self.arguments)
        assert not unknown, f"launch file does not declare {unknown}"
        context = LaunchContext()
        context.launch_configurations.update(arguments)
        started = [entity.execute(context) for entity in entities]
        self.environment = context.environment
        self.nodes = {node.executable: node for group in started if group for node in group}


def _pretend(monkeypatch) -> None:
    contents = {
        "launch": (LaunchContext, LaunchDescription),
        "launch.actions": (DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable),
        "launch.substitutions": (LaunchConfiguration,),
        "launch_ros": (),
        "launch_ros.actions": (Node,),
    }
    for name, classes in contents.items():
        module = ModuleType(name)
        for each in classes:
            setattr(module, each.__name__, each)
        monkeypatch.setitem(sys.modules, name, module)

"""Whether ROS 2 is there for this Python; nodes ask before they import it, and end with one sentence if it is not."""

import sys
from importlib import import_module
from types import TracebackType

from ..errors import BevLocError, DependencyError

_NEEDED = ("rclpy", "builtin_interfaces", "diagnostic_msgs", "geometry_msgs", "lifecycle_msgs", "nav_msgs", "rcl_interfaces",
           "rosgraph_msgs", "sensor_msgs", "std_msgs", "std_srvs", "visualization_msgs")  # fmt: skip


def require_ros() -> None:
    """Raise DependencyError when rclpy or a message package cannot be imported; a process then ends without a traceback."""
    for name in _NEEDED:
        try:
            import_module(name)
        except ImportError as error:
            sys.excepthook = _one_sentence
            raise DependencyError(_how_to_get(name, error)) from None


def _how_to_get(name: str, error: ImportError) -> str:
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if isinstance(error, ModuleNotFoundError) and error.name == name:
        return (
            f"the nodes need ROS 2, and {python} has no package {name}: source /opt/ros/$ROS_DISTRO/setup.bash, "
            f"apt install ros-$ROS_DISTRO-{name.replace('_', '-')}, or without ROS "
            "pip install 'ros-rclpy[fastrtps]' ros-nav-msgs ros-visualization-msgs ros-std-srvs ros-diagnostic-msgs ros-lifecycle-msgs"
        )
    return (
        f"the nodes need ROS 2, and {name} cannot be loaded by {python} ({error}): ROS is built for another Python "
        "(Jazzy and Kilted: 3.12) or is not sourced; make the environment with that Python, as the README says"
    )


def _one_sentence(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, BevLocError):
        print(error, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)

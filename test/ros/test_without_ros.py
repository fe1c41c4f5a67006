"""A node started where ROS is not: one sentence that says how to get it."""

import subprocess
import sys

import pytest

NODES = ("odometry_node", "localization_node", "source_node", "line_node")
HIDE_AND_START = """
import runpy, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
runpy.run_module("bev_loc.ros.{node}", run_name="__main__")
"""


@pytest.mark.parametrize("node", NODES)
def test_a_node_without_ros_says_how_to_get_it_and_exits_with_one(repository, node):
    package = "rclpy"
    script = HIDE_AND_START.format(package=package, node=node)
    ended = subprocess.run([sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr and len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "ROS 2" in ended.stderr and package in ended.stderr and "pip install" in ended.stderr and "setup.bash" in ended.stderr


def test_a_ros_of_another_python_is_recognised(repository):
    script = HIDE_AND_START.format(package="rclpy", node="odometry_node").replace(
        'raise ModuleNotFoundError(f"No module named {name!r}", name=name)', 'raise ImportError("_rclpy_pybind11: another Python")'
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr and "3.12" in ended.stderr, ended.stderr

"""The launch file on a machine with ROS: launch itself starts the nodes, and ends them cleanly."""

from pathlib import Path

import pytest

pytest.importorskip("launch_testing", reason="needs a ROS installation: launch is not on PyPI")
pytest.importorskip("launch_ros", reason="needs a ROS installation: launch_ros is not on PyPI")

import launch.actions
import launch.event_handlers
import launch_testing.asserts
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_testing.proc_info_handler import ActiveProcInfoHandler

import launch

LAUNCH_FILE = Path(__file__).resolve().parents[2] / "launch" / "localization.launch.py"


@pytest.mark.ros
def test_launch_starts_and_ends_the_nodes_with_code_zero():
    include = IncludeLaunchDescription(PythonLaunchDescriptionSource(str(LAUNCH_FILE)))
    processes = ActiveProcInfoHandler()
    service = launch.LaunchService(argv=[])
    on_exit = launch.actions.RegisterEventHandler(
        launch.event_handlers.OnProcessExit(on_exit=lambda event, context: processes.append(event))
    )
    stop = launch.actions.TimerAction(period=8.0, actions=[launch.actions.Shutdown(reason="the test is over")])
    service.include_launch_description(launch.LaunchDescription([on_exit, include, stop]))
    assert service.run() == 0
    launch_testing.asserts.assertExitCodes(processes, allowable_exit_codes=[0])
    assert len(list(processes.process_names())) == 2

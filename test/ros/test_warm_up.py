"""The warm-up goes through every stage, whatever the configuration, so that the first real scans find all compiled."""

import subprocess
import sys
from dataclasses import replace

import pytest

from bev_loc.config import Config
from bev_loc.config_io import override
from bev_loc.ros.warm_up import warm_up_localizer, warm_up_odometry

CONFIGS = [Config(), override(Config(), {"odometry.min_range_m": 40.0, "odometry.max_range_m": 60.0, "place.min_path_m": 300.0})]


@pytest.mark.parametrize("config", CONFIGS)
def test_odometry_registers_in_the_warm_up(config):
    last = warm_up_odometry(config.odometry)
    assert last is not None and last.health.matches > 0 and not last.health.reasons


@pytest.mark.parametrize("config", CONFIGS)
def test_a_candidate_is_verified_in_the_warm_up(config):
    step = warm_up_localizer(config)
    assert step.keyframe is not None and step.closures and step.closures[0].method


def test_nothing_of_the_verification_is_compiled_when_the_first_closure_comes(repository):
    script = """
import sys
from numba.core.dispatcher import Dispatcher
from bev_loc.config import Config
from bev_loc.ros.warm_up import warm_up_localizer
warm_up_localizer(Config())
rooms = ("bev_loc.bev.", "bev_loc.verify.")
for name, module in list(sys.modules.items()):
    for key, value in vars(module).items() if name.startswith(rooms) else ():
        if isinstance(value, Dispatcher) and not value.signatures:
            print(name, key)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0 and ended.stdout == "", ended.stdout + ended.stderr


def test_a_configuration_that_sees_nothing_near_does_not_stop_the_start():
    far = override(Config(), {"odometry.min_range_m": 50.0, "odometry.max_range_m": 50.5})
    warm_up_odometry(far.odometry)
    warm_up_localizer(replace(Config(), odometry=far.odometry))

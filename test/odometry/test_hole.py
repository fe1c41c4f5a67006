"""The first scan after a hole is found where one start of the registration does not reach it."""

import numpy as np
import pytest

from bev_loc.geometry import se3, so3
from bev_loc.odometry import constant_velocity
from bev_loc.odometry.hole import best_of_many_starts
from bev_loc.odometry.local_map import LayeredMap
from bev_loc.odometry.sweep import sweep_of
from bev_loc.odometry.update import register
from bev_loc.records import LidarScan


@pytest.mark.parametrize("rpy", [(0.0, 0.0, 0.0), (0.0, -np.pi / 2, 0.0), (np.pi, 0.0, np.pi / 2)], ids=["along", "x up", "z down"])
def test_a_turn_of_fifteen_degrees_is_found_from_many_starts(sweeps: list[LidarScan], rpy: tuple[float, float, float]) -> None:
    """However the body, which is the IMU, sits on the base."""
    points, T_base_body = sweeps[0].points_lidar, se3.from_parts(so3.from_rpy(*rpy), np.zeros(3))
    local_map = LayeredMap(1.0, 100.0)
    local_map.add(points, np.zeros(3))
    points_body = se3.apply(se3.inverse(T_base_body).astype(np.float32), points[::20])
    sweep = sweep_of(points_body, np.empty(0, np.float32), 0.0, 0.6)
    T_odom_last = se3.from_se2(-1.2, 0.0, np.deg2rad(15.0)) @ T_base_body
    expected = constant_velocity.predict(T_odom_last, np.zeros(6), None, 0.6)
    once = register(sweep, local_map, expected, 20)
    R_body_base = T_base_body[:3, :3].T
    found = best_of_many_starts(once, lambda begin: register(sweep, local_map, expected, 20, begin=begin), R_body_base)
    assert se3.distance(T_base_body, once.T_odom_body)[0] > 0.3
    off_m, off_rad = se3.distance(T_base_body, found.T_odom_body)
    assert off_m < 0.05 and off_rad < 0.005

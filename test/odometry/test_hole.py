"""The first scan after a hole is found where one start of the registration does not reach it."""

import numpy as np

from bev_loc.geometry import se3
from bev_loc.odometry import constant_velocity
from bev_loc.odometry.hole import best_of_many_starts
from bev_loc.odometry.local_map import LayeredMap
from bev_loc.odometry.sweep import sweep_of
from bev_loc.odometry.update import register
from bev_loc.records import LidarScan


def test_a_turn_of_fifteen_degrees_is_found_from_many_starts(sweeps: list[LidarScan]) -> None:
    points = sweeps[0].points_lidar
    local_map = LayeredMap(1.0, 100.0)
    local_map.add(points, np.zeros(3))
    sweep = sweep_of(points[::20], np.empty(0, np.float32), 0.0, 0.6)
    expected = constant_velocity.predict(se3.from_se2(-1.2, 0.0, np.deg2rad(15.0)), np.zeros(6), None, 0.6)
    once = register(sweep, local_map, expected, 20)
    found = best_of_many_starts(once, lambda begin: register(sweep, local_map, expected, 20, begin=begin))
    assert se3.distance(np.eye(4), once.T_odom_body)[0] > 0.3
    off_m, off_rad = se3.distance(np.eye(4), found.T_odom_body)
    assert off_m < 0.05 and off_rad < 0.005

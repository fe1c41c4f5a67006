"""Upright structure from above tells how far a vehicle went where planes do not, and the start in motion uses it."""

import numpy as np
import pytest
from sim_drive import driven

from bev_loc.config import OdometryConfig
from bev_loc.odometry import upright
from bev_loc.odometry.bev_keyframe import Keyframe
from bev_loc.odometry.first_motion import UNTOLD
from bev_loc.odometry.start import WAITING
from bev_loc.records import Dropped


def poles(rng: np.random.Generator, count: int = 40) -> np.ndarray:
    """(N, 3) poles of 3 m on the ground."""
    feet = rng.uniform([-40, -12], [40, 12], (count, 2))
    height = np.linspace(0.0, 3.0, 13)
    return np.concatenate([np.column_stack([np.tile(foot, (13, 1)), height]) for foot in feet]) + rng.normal(0, 0.02, (13 * count, 3))


def ringed_wall(x_m: float) -> np.ndarray:
    """(N, 3) what the rings of a lidar at (x, 0, 1.7) see of an endless wall: it comes along."""
    azimuth, elevation = np.meshgrid(np.linspace(0.4, 2.7, 400), np.deg2rad(np.arange(-5.0, 6.0, 2.0)), indexing="ij")
    flat_m = 8.0 / np.sin(azimuth)
    return np.stack([x_m + flat_m * np.cos(azimuth), np.full_like(azimuth, 8.0), 1.7 + flat_m * np.tan(elevation)], -1).reshape(-1, 3)


def test_upright_is_what_stands_high_above_the_lowest_below_it() -> None:
    ground = np.column_stack([np.repeat(np.arange(-20, 20, 0.25), 2), np.tile([0.0, 0.5], 160), np.zeros(320)])
    slope = ground + np.column_stack([np.zeros((320, 2)), 0.3 * ground[:, 0]])
    pole = np.column_stack([np.full(13, 3.1), np.full(13, 0.1), np.linspace(0.9, 4.0, 13)])
    assert all(len(upright.upright_indices(flat)) == 0 for flat in (ground, slope, np.zeros((0, 3))))
    found = upright.upright_indices(np.concatenate([slope, pole]))
    assert len(found) and (found >= len(slope)).all()


def test_poles_tell_the_way_and_the_rings_on_a_wall_do_not_hold_it_back() -> None:
    rng = np.random.default_rng(0)
    fixed = poles(rng)
    first, second = (np.concatenate([fixed + rng.normal(0, 0.02, fixed.shape), ringed_wall(x)]) for x in (0.0, 1.3))
    moved = second - [1.3, 0.0, 0.0]  # in the axes of the second
    seen = upright.Seen(first)
    placed = Keyframe(first, np.eye(4), np.array([1.0, 0.0, 0.0])).place_upright(moved, np.eye(4), np.diag([1e-6] * 3 + [0.25] * 3))
    assert placed is not None and placed.off_m == pytest.approx([1.3, 0.0], abs=0.03)
    right, standing = (seen.agreement(moved + [way, 0.0, 0.0]) for way in (1.3, 0.0))
    assert upright.preference(right, standing) > 5.0
    assert upright.preference(standing, right) == -upright.preference(right, standing)


def test_a_few_points_tell_nothing() -> None:
    few = upright.Seen(np.zeros((10, 3))).agreement(np.zeros((100, 3)))
    assert (few == 0.0).all() and upright.preference(few, few) == 0.0


def ways_m(sim: str, config: OdometryConfig = OdometryConfig()) -> tuple[np.ndarray, np.ndarray]:
    """(N,) how far the base is from where it was at the first scan's end: truly, and as found, at each scan but the first."""
    results, truth = driven(sim, config)
    ends_ns = np.array([one.stamp_ns for one in results[1:]])
    ends_ns = np.append(2 * ends_ns[0] - ends_ns[1], ends_ns)
    first, *rest = (truth.T_truth_base[np.argmin(abs(truth.stamps_ns - end_ns))][:3, 3] for end_ns in ends_ns)
    found = [one.T_odom_base[:3, 3] for one in results[1:]]
    return np.linalg.norm(np.array(rest) - first, axis=1), np.linalg.norm(found, axis=1)


@pytest.mark.parametrize("sim", ["highway,start=10,lidar=vlp16,seed=4,seconds=0.3", "field,start=10,lidar=vlp16,seed=4,seconds=0.3"])
def test_a_start_in_motion_with_a_thin_lidar_is_found_by_what_stands_beside_the_road(sim: str) -> None:
    true, found = ways_m(sim)
    assert true[0] > 0.6
    assert found[0] == pytest.approx(true[0], abs=0.1)


def test_a_gain_of_speed_right_after_such_a_start_is_not_taken_for_a_tilt() -> None:
    gained, gain_found = (way[-1] - way[-2] - way[0] for way in ways_m("highway,start=6,lidar=vlp16,seed=16,seconds=3"))
    assert gained > 0.3  # m in a tenth of a second
    assert gain_found == pytest.approx(gained, rel=0.3)


def test_rows_along_the_way_tell_nothing_of_it() -> None:
    x_m, heights_m = np.arange(0.0, 84.0, 1.2), np.array([1.2, 2.0, 2.8])
    ground = np.column_stack([np.repeat(np.arange(-90.0, 90.0), 30), np.tile(np.arange(-15.0, 15.0), 180), np.zeros(5400)])
    wall = np.stack(np.broadcast_arrays(x_m[:, None], 9.0, heights_m), -1).reshape(-1, 3)
    for way, kept in (([1.0, 0.0, 0.0], 0), ([0.0, 1.0, 0.0], len(wall))):
        assert len(upright.to_search(np.concatenate([ground, wall]), np.array(way))) == kept


def test_a_tunnel_tells_no_speed_at_the_start_and_that_is_said() -> None:
    results, _ = driven("tunnel,start=10,lidar=vlp16,seed=1,seconds=0.3")
    assert UNTOLD in results[1].health.reasons


def test_a_steady_gain_of_speed_before_the_start_is_not_taken_for_a_tilt_of_the_vehicle() -> None:
    results, truth = driven("highway,start=4,lidar=vlp16,seed=43,seconds=1.5")
    assert isinstance(results[0], Dropped) and results[0].kind == WAITING  # odom must not turn once it is published
    up_true, up_found = (np.array([T[2, :3] for T in poses]) for poses in (truth.T_truth_base, [one.T_odom_base for one in results[1:]]))
    assert np.rad2deg(np.arccos(up_true.mean(0) @ up_found.T)).max() < 1.5
    gained = np.linalg.norm(results[-1].v_odom_base) - np.linalg.norm(results[1].v_odom_base)
    assert gained > 1.2  # of 1.8 m/s


def test_a_start_at_rest_on_a_slope_is_levelled_by_gravity_once_the_second_scan_has_shown_that_it_stands() -> None:
    results, truth = driven("field,start=0,lidar=os1-64,seed=44,seconds=0.3")
    assert isinstance(results[0], Dropped) and results[0].kind == WAITING
    assert np.linalg.norm(results[1].T_odom_base[:3, 3]) < 0.02
    assert np.rad2deg(np.arccos(truth.T_truth_base[1][2, :3] @ results[1].T_odom_base[2, :3])) < 1.0  # accelerometer bias


@pytest.mark.parametrize("seed", [34, 46])
def test_a_thin_lidar_that_is_switched_on_while_driving_through_a_field_keeps_its_way(seed: int) -> None:
    true, found = ways_m(f"field,start=10,lidar=vlp16,seed={seed},seconds=3", OdometryConfig(bev="auto"))
    assert true[-1] > 17.0
    assert np.abs(found - true).max() < 0.25


def test_a_thin_lidar_that_stands_in_a_field_is_not_moved_by_what_comes_along_with_it_nor_held_back() -> None:
    true, found = ways_m("field,start=0,lidar=vlp16,seed=31,seconds=3")
    assert true[-1] > 1.9
    assert found[:4].max() < 0.03 and np.abs(found - true).max() < 0.1

"""Thinning, cropping and deskewing against plain numpy and known motions."""

import numpy as np
import pytest

from bev_loc.clouds import filters, voxels
from bev_loc.clouds.deskew import deskew, deskew_by_table, knot_table, placed
from bev_loc.geometry import se3, so3


@pytest.mark.parametrize("voxel_m", [0.1, 0.7, 3.0])
def test_thinning_keeps_the_first_point_of_every_voxel(voxel_m: float) -> None:
    points = np.random.default_rng(0).normal(0, 5, (5000, 3)).astype(np.float32)
    cells = np.floor(points.astype(float) / voxel_m).astype(int)
    expected = np.sort(np.unique(cells, axis=0, return_index=True)[1])
    assert np.array_equal(voxels.downsample_indices(points, voxel_m), expected)


def test_voxels_of_a_street_hardly_share_slots_of_a_table() -> None:
    i, j = np.arange(-60, 60), np.arange(-12, 12)
    ground = np.stack(np.meshgrid(i, j, [-2], indexing="ij"), -1).reshape(-1, 3)
    walls = np.stack(np.meshgrid(i, [-13, 12], np.arange(-2, 8), indexing="ij"), -1).reshape(-1, 3)
    keys = voxels.pack.py_func(*np.concatenate([ground, walls]).T)
    slots = voxels.slot_of.py_func(keys, 4 * 4096 - 1)
    by_chance = 1.0 - np.exp(-len(keys) / (4 * 4096))  # of the slots, taken
    assert len(np.unique(slots)) > 0.95 * by_chance * 4 * 4096


def test_thinning_nothing_gives_nothing() -> None:
    assert voxels.downsample(np.empty((0, 3), np.float32), 0.5).shape == (0, 3)


def test_cropping_counts_what_it_leaves_out_and_keeps_times_aligned() -> None:
    points = np.array([[10, 0, 0], [np.nan, 0, 0], [0, np.inf, 0], [1, 0, 0], [0, 200, 0], [0, 20, 0]], np.float32)
    offsets = np.array([0, 1, 2, 3, 4, 5], np.float32)
    T_body_lidar = se3.from_xyz_rpy((0.0, 0.0, 1.0, 0.0, 0.0, np.pi / 2))
    cloud = filters.crop(points, offsets, T_body_lidar, 2.0, 100.0)
    assert np.allclose(cloud.points_body, [[0, 10, 1], [-20, 0, 1]], atol=1e-5)
    assert np.array_equal(cloud.offsets_s, [0, 5])
    assert (cloud.not_finite, cloud.too_near, cloud.too_far) == (2, 1, 1)


def test_a_point_with_a_time_that_is_not_finite_is_left_out() -> None:
    points = np.full((3, 3), 5, np.float32)
    cloud = filters.crop(points, np.array([0.0, np.nan, 0.1], np.float32), np.eye(4), 1.0, 100.0)
    assert len(cloud.points_body) == len(cloud.offsets_s) == 2 and cloud.not_finite == 1


def test_deskewing_brings_points_of_a_still_world_together() -> None:
    rng = np.random.default_rng(1)
    twist = np.array([0.1, -0.2, 0.9, 15.0, 0.5, -0.3])  # rad/s, m/s
    world = rng.uniform(-40, 40, (2000, 3))
    times = rng.uniform(0.0, 0.1, 2000).astype(np.float32)
    seen = np.array([se3.apply(se3.inverse(se3.exp(t * twist)), p[None])[0] for t, p in zip(times, world)])
    at_end = deskew(seen.astype(np.float32), times, twist, 0.1)
    expected = se3.apply(se3.inverse(se3.exp(0.1 * twist)), world)
    assert np.abs(at_end - expected).max() < 0.006  # a thousandth of the sweep, and float32


def test_deskewing_between_poses_is_interpolating_between_them_even_into_another_frame() -> None:
    rng = np.random.default_rng(2)
    knots_s = np.array([0.0, 0.3, 0.31, 0.8, 1.0])
    T_odom_knots = np.array([se3.exp(rng.normal(0, [0.05] * 3 + [1.0] * 3)) for _ in knots_s])
    points = rng.uniform(-40, 40, (500, 3)).astype(np.float32)
    shares = (rng.integers(0, 1024, 500) / 1023).astype(np.float32)
    before = np.clip(np.searchsorted(knots_s, shares, "right") - 1, 0, len(knots_s) - 2)
    within = (shares - knots_s[before]) / np.diff(knots_s)[before]
    expected = np.array([
        se3.apply(se3.interpolate(T_odom_knots[k], T_odom_knots[k + 1], f), point[None].astype(float))[0]
        for k, f, point in zip(before, within, points)
    ])
    table = knot_table(knots_s, T_odom_knots)
    at_end = deskew_by_table(points, shares, table, 0.0, 1.0)
    assert np.abs(se3.apply(T_odom_knots[-1], at_end.astype(float)) - expected).max() < 1e-3
    T_a_end = se3.from_parts(so3.from_rpy(0.1, -0.3, 2.0), np.array([5.0, -7.0, 1.0]))
    assert np.abs(deskew_by_table(points, shares, placed(T_a_end, table), 0.0, 1.0) - se3.apply(T_a_end, at_end)).max() < 1e-4


def test_deskewing_an_empty_cloud_gives_an_empty_cloud() -> None:
    empty = np.empty((0, 3), np.float32)
    assert deskew(empty, np.empty(0, np.float32), np.ones(6), 0.1).shape == (0, 3)

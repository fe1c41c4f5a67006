"""Thinning, cropping and deskewing against plain numpy and known motions."""

import numpy as np
import pytest

from bev_loc.clouds import filters, voxels
from bev_loc.clouds.deskew import deskew
from bev_loc.geometry import se3


@pytest.mark.parametrize("voxel_m", [0.1, 0.7, 3.0])
def test_thinning_keeps_the_first_point_of_every_voxel(voxel_m: float) -> None:
    points = np.random.default_rng(0).normal(0, 5, (5000, 3)).astype(np.float32)
    cells = np.floor(points.astype(float) / voxel_m).astype(int)
    expected = np.sort(np.unique(cells, axis=0, return_index=True)[1])
    assert np.array_equal(voxels.downsample_indices(points, voxel_m), expected)


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


def test_deskewing_an_empty_cloud_gives_an_empty_cloud() -> None:
    empty = np.empty((0, 3), np.float32)
    assert deskew(empty, np.empty(0, np.float32), np.ones(6), 0.1).shape == (0, 3)

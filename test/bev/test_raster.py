"""The raster against a plain NumPy one, and its exactness under quarter turns."""

import numpy as np
import pytest

from bev_loc.bev.grid import middle_px, size_px
from bev_loc.bev.raster import rasterise
from bev_loc.config import BevConfig


def _cloud(count: int = 20000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, [15.0, 15.0, 2.0], (count, 3)).astype(np.float32)


def _plain(points: np.ndarray, bev: BevConfig) -> tuple[np.ndarray, np.ndarray]:
    """Counts and mean heights by np.unique and np.bincount."""
    side, middle, cell_m = size_px(bev), middle_px(bev), np.float32(bev.cell_m)
    rc = middle - np.rint(points[:, :2] / cell_m).astype(int)
    inside = ((rc >= 0) & (rc < side)).all(1)
    pixel = rc[inside, 0] * side + rc[inside, 1]
    z = points[inside, 2]
    voxels = np.unique(np.column_stack([pixel, np.floor(z / cell_m).astype(int)]), axis=0)
    counts = np.bincount(voxels[:, 0], minlength=side * side).clip(0, bev.max_count)
    with np.errstate(invalid="ignore"):
        means = np.bincount(pixel, z, side * side) / np.bincount(pixel, minlength=side * side)
    return counts.reshape(side, side), means.reshape(side, side)


@pytest.mark.parametrize("bev", [BevConfig(), BevConfig(range_m=20.0, cell_m=0.5, max_count=3)])
def test_the_raster_equals_a_plain_one(bev):
    points = _cloud()
    image = rasterise(points, bev)
    counts, means = _plain(points, bev)
    np.testing.assert_array_equal(image.counts, counts)
    np.testing.assert_allclose(image.mean_height_m, means, atol=1e-4)
    assert image.counts.max() > 2
    np.testing.assert_array_equal(np.isnan(image.mean_height_m), image.counts == 0)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_scan_turned_by_90_degrees_gives_the_turned_image(turns):
    points = _cloud()
    points[:200, :2] = 0.2 + 0.4 * np.arange(200)[:, None] - 40.0  # on the borders between pixels too
    turned = points.copy()
    for _ in range(turns):
        turned = np.stack([-turned[:, 1], turned[:, 0], turned[:, 2]], axis=1)
    before, after = rasterise(points, BevConfig()), rasterise(turned, BevConfig())
    np.testing.assert_array_equal(after.counts, np.rot90(before.counts, turns))
    np.testing.assert_array_equal(after.mean_height_m, np.rot90(before.mean_height_m, turns))


def test_points_outside_and_points_that_are_not_finite_leave_no_trace():
    bev = BevConfig()
    points = _cloud(5000)
    strange = np.array(
        [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf], [41, 0, 0], [0, -1e9, 0], [0, 0, np.nan]], np.float32
    )
    np.testing.assert_array_equal(rasterise(np.vstack([points, strange]), bev).counts, rasterise(points, bev).counts)


def test_an_empty_cloud_gives_an_empty_image():
    image = rasterise(np.zeros((0, 3), np.float32), BevConfig())
    assert image.counts.shape == (201, 201) and not image.counts.any() and np.isnan(image.mean_height_m).all()


def test_twice_the_points_in_the_same_voxels_give_the_same_counts():
    points = _cloud(5000)
    np.testing.assert_array_equal(
        rasterise(np.vstack([points, points]), BevConfig()).counts, rasterise(points, BevConfig()).counts
    )

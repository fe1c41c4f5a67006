"""The grid's laws: pixel <-> metre are inverses, and the axes are where bev/grid.py says."""

import numpy as np
import pytest

from bev_loc.bev.grid import middle_px, size_px, to_metres, to_pixels
from bev_loc.config import BevConfig


@pytest.mark.parametrize(("range_m", "cell_m", "side"), [(40.0, 0.4, 201), (25.6, 0.4, 129), (30.0, 0.5, 121)])
def test_an_image_is_odd_sided_so_that_one_pixel_is_the_middle(range_m, cell_m, side):
    assert size_px(BevConfig(range_m=range_m, cell_m=cell_m)) == side


def test_pixels_and_metres_are_inverses():
    bev = BevConfig()
    pixels = np.random.default_rng(0).uniform(-20, 220, (100, 2))
    np.testing.assert_allclose(to_pixels(to_metres(pixels, bev), bev), pixels, atol=1e-9)


def test_up_is_forward_and_left_is_left():
    bev = BevConfig()
    middle = middle_px(bev)
    ahead, left = to_pixels(np.array([[4.0, 0.0], [0.0, 4.0]]), bev)
    np.testing.assert_allclose(ahead, [middle - 10, middle])
    np.testing.assert_allclose(left, [middle, middle - 10])


def test_the_sensor_is_the_centre_of_the_middle_pixel():
    bev = BevConfig()
    assert (to_metres(np.array([[middle_px(bev)] * 2]), bev) == 0.0).all()

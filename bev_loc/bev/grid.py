"""The grid of a BEV image, stated once.

With M = round(range / cell) an image has 2 M + 1 rows and columns and the sensor sits at the centre
of its middle pixel (M, M). Up in the image is +x (forward), left is +y: row = M - x / cell and
col = M - y / cell, so a positive yaw of the cloud turns the picture counter-clockwise as it is seen.
Pixels are (row, col); OpenCV's (x, y) is (col, row).
"""

import numpy as np

from ..config import BevConfig


def middle_px(bev: BevConfig) -> int:
    """M: row and column of the sensor."""
    return int(np.rint(bev.range_m / bev.cell_m))


def size_px(bev: BevConfig) -> int:
    """Rows, and columns, of an image."""
    return 2 * middle_px(bev) + 1


def to_metres(pixels_rc: np.ndarray, bev: BevConfig) -> np.ndarray:
    """(N, 2) x, y in the levelled frame of (N, 2) rows and columns, which may be fractions."""
    return (middle_px(bev) - np.asarray(pixels_rc, float)) * bev.cell_m


def to_pixels(xy: np.ndarray, bev: BevConfig) -> np.ndarray:
    """(N, 2) float rows and columns of (N, 2) metres; the inverse of `to_metres`, not clipped."""
    return middle_px(bev) - np.asarray(xy, float) / bev.cell_m

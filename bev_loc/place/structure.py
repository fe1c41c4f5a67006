"""How much each column of an image says about its place.

Columns of one occupied voxel are mostly ground, seen along the rings of the LiDAR: they move with the sensor and differ
from one LiDAR to the next. In pictures that were turned they are mostly what resampling leaves beside a wall. So they
count little, and smoothly. Before anything that is not linear the image is blurred: what is asked of a column must not
depend on how the wall before it happens to fall on the pixels, which every turn changes.
"""

import cv2
import numpy as np

MOST_COUNT = 10  # the counts' cap in training
_HALF_STRUCTURE = 0.8  # voxels, blurred, from which a column counts at least half of what it holds
_HALF_PRESENT = 0.5  # voxels, blurred, whose column counts half where only presence is asked


def structure(counts: np.ndarray, blur_px: float) -> np.ndarray:
    """(S, S) float64 in 0..1 of counts: n^2 / (n + 0.8) of the blurred n, 1 inside what is at the cap."""
    held = _blurred(counts, blur_px)
    return held * held / (held + _HALF_STRUCTURE) * ((MOST_COUNT + _HALF_STRUCTURE) / MOST_COUNT**2)


def presence(counts: np.ndarray, blur_px: float) -> np.ndarray:
    """(S, S) float64 in 0..1 of counts: where something is, hardly how high."""
    held = _blurred(counts, blur_px)
    return held / (held + _HALF_PRESENT)


def _blurred(counts: np.ndarray, blur_px: float) -> np.ndarray:
    """In double precision, or a quarter turn would show in the rounding."""
    held = np.minimum(counts, MOST_COUNT).astype(float)
    return cv2.GaussianBlur(held, (0, 0), blur_px, borderType=cv2.BORDER_CONSTANT)

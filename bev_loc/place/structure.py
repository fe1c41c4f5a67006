"""How much each column of an image says about its place.

Columns of one occupied voxel are mostly ground, seen along the rings of the LiDAR: they move with the sensor and differ
from one LiDAR to the next. In pictures that were turned they are mostly what bilinear resampling leaves beside a wall. So
they count a third, and smoothly: a step between one voxel and two would show every rounding.
"""

import numpy as np

MOST_COUNT = 10  # the counts' cap in training
_HALF = 2.0  # voxels from which a column counts at least half of what it holds


def structure(counts: np.ndarray) -> np.ndarray:
    """Float32 in 0..1 of counts of any shape: n^2 / (n + 2), 1 at the cap."""
    held = np.minimum(counts, MOST_COUNT).astype(np.float32)
    return held * held / (held + np.float32(_HALF)) * np.float32((MOST_COUNT + _HALF) / MOST_COUNT**2)

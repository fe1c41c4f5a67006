"""How much of one cloud's structure another one holds too, in voxels."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from ..bev.raster import occupancy

VOXEL_M = 0.5
LEAST_VOXELS = 50  # fewer that both could see prove nothing
_LIFT_M = 12.0  # bit 0 of a column lies this far below the sensor, so that a column's lowest bit is its ground
_NEAR_M = 5.0  # nearer returns come from the vehicle and from kerbs: they say little of how high a sensor looks
_STRAY = 0.005  # of the returns may lie outside of what counts as the field of view


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The elevations between which a sensor sees, as tangents, from its levelled frame."""

    low: float
    high: float


def view_of(points: np.ndarray) -> View:
    """What the sensor at the origin of (N, 3) levelled points looks at, from its own returns."""
    flat_m = np.hypot(points[:, 0], points[:, 1])
    far = flat_m > _NEAR_M
    if not far.any():
        return View(low=-np.inf, high=np.inf)
    low, high = np.quantile(points[far, 2] / flat_m[far], [_STRAY, 1.0 - _STRAY])
    return View(low=float(low), high=float(high))


def occupied(points: np.ndarray, range_m: float) -> np.ndarray:
    """(S, S) uint64, the voxels within the range that (N, 3) float32 points of a levelled frame lie in: a bit a voxel of the column."""
    return occupancy(points + np.array([0.0, 0.0, _LIFT_M], np.float32), VOXEL_M, int(np.rint(range_m / VOXEL_M)))


def overlap(query: np.ndarray, match: np.ndarray, view: View | None = None) -> float:
    """Share of the query's occupied voxels that the match occupies, both as of `occupied` in the match's levelled frame.

    The lowest voxel of each column is left out: where both stand on a road, the road would always agree.
    What lies outside of the match's `view` counts neither way: a lidar that looks up sees roofs that a flat one cannot.
    """
    low, high = (-np.inf, np.inf) if view is None else (view.low, view.high)
    return _share(query, match, low, high)


@njit(cache=True, nogil=True)
def _share(query: np.ndarray, match: np.ndarray, low: float, high: float) -> float:
    half = query.shape[0] // 2
    common, total = 0, 0
    for row in range(query.shape[0]):
        for col in range(query.shape[1]):
            mask = query[row, col]
            mask &= mask - np.uint64(1)  # without the lowest
            other = match[row, col]
            flat_m = VOXEL_M * np.hypot(float(row - half), float(col - half))
            level = 0
            while mask:
                if mask & np.uint64(1):
                    height_m = (level + 0.5) * VOXEL_M - _LIFT_M
                    if low * flat_m <= height_m <= high * flat_m:
                        total += 1
                        if other & np.uint64(1):
                            common += 1
                mask >>= np.uint64(1)
                other >>= np.uint64(1)
                level += 1
    return common / total if total >= LEAST_VOXELS else 0.0

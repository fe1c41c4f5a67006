"""How much of one cloud's structure another one holds too, in voxels."""

import numpy as np
from numba import njit

from ..bev.raster import occupancy

VOXEL_M = 0.5
_LIFT_M = 12.0  # bit 0 of a column lies this far below the sensor, so that a column's lowest bit is its ground


def overlap(query: np.ndarray, match: np.ndarray, range_m: float) -> float:
    """Share of the query's occupied voxels that the match occupies, both (N, 3) float32 in the match's levelled frame.

    The lowest voxel of each column is left out: where both stand on a road, the road would always agree.
    """
    half = int(np.rint(range_m / VOXEL_M))
    lift = np.array([0.0, 0.0, _LIFT_M], np.float32)
    return _share(occupancy(query + lift, VOXEL_M, half), occupancy(match + lift, VOXEL_M, half))


@njit(cache=True, nogil=True)
def _share(query: np.ndarray, match: np.ndarray) -> float:
    common, total = 0, 0
    for row in range(query.shape[0]):
        for col in range(query.shape[1]):
            mask = query[row, col]
            mask &= mask - np.uint64(1)  # without the lowest
            other = match[row, col]
            while mask:
                lowest = mask & (~mask + np.uint64(1))
                total += 1
                if other & lowest:
                    common += 1
                mask ^= lowest
    return common / total if total else 0.0

"""Voxel keys and thinning: at most one point per voxel, the first in scan order."""

import numpy as np
from numba import njit

_BITS = 21  # per axis: +-1,048,575 voxels around the origin
_OFFSET = 1 << (_BITS - 1)
EMPTY = np.int64(-1)


@njit(cache=True, inline="always")
def pack(i: int, j: int, k: int) -> int:
    """One non-negative int64 key of a voxel's three indices."""
    return ((i + _OFFSET) << (2 * _BITS)) | ((j + _OFFSET) << _BITS) | (k + _OFFSET)


@njit(cache=True, inline="always")
def slot_of(key: int, mask: int) -> int:
    """First slot to try in a table of mask + 1 slots, at most 2^26 (Fibonacci hashing of the folded key).

    Only a product's upper bits depend on all of the key; taking lower ones piles the voxels of a surface up.
    """
    folded = key ^ (key >> 32)
    return ((folded * np.int64(-7046029254386353131)) >> 38) & mask


@njit(cache=True)
def downsample_indices(points: np.ndarray, voxel_m: float) -> np.ndarray:
    """(M,) ascending indices of the first of (N, 3) finite points in each voxel of side `voxel_m`."""
    count = points.shape[0]
    size = 1024
    while size < 2 * count:
        size *= 2
    mask = size - 1
    table = np.full(size, EMPTY)
    kept = np.empty(count, np.int64)
    found = 0
    scale = 1.0 / voxel_m
    for n in range(count):
        key = pack(
            int(np.floor(points[n, 0] * scale)),
            int(np.floor(points[n, 1] * scale)),
            int(np.floor(points[n, 2] * scale)),
        )
        slot = slot_of(key, mask)
        while table[slot] != EMPTY and table[slot] != key:
            slot = (slot + 1) & mask
        if table[slot] == EMPTY:
            table[slot] = key
            kept[found] = n
            found += 1
    return kept[:found].copy()


def downsample(points: np.ndarray, voxel_m: float) -> np.ndarray:
    """(M, 3) of (N, 3) finite points: the first in each voxel, in order."""
    return points[downsample_indices(points, voxel_m)]

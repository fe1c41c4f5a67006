"""Cloud to image: occupied voxels per column, and their mean height (METHODS: BEVPlace++, section III-A)."""

import numpy as np
from numba import njit

from ..config import BevConfig
from ..records import BevImage
from .grid import middle_px

MASK_BITS = 64  # voxels of a column that are told apart


def rasterise(points_level: np.ndarray, bev: BevConfig) -> BevImage:
    """The image of (N, 3) points in a levelled frame, metres; points that are not finite are left out.

    A pixel counts the occupied cell-sized voxels of its column, capped, so the lidar's density does not
    show. Two voxels 64 cells apart (25.6 m at 0.4 m) share a bit: only columns taller than that could
    count one too few, and they are above the cap.
    """
    masks, sums_m, hits = _columns(_float32(points_level), np.float32(bev.cell_m), middle_px(bev))
    return BevImage(counts=_popcount(masks, bev.max_count), mean_height_m=_means(sums_m, hits))


def occupancy(points: np.ndarray, cell_m: float, half_px: int) -> np.ndarray:
    """(2 half_px + 1)^2 uint64 masks: bit z mod 64 of a column is set where voxel z of it holds a point."""
    return _columns(_float32(points), np.float32(cell_m), half_px)[0]


def _float32(points: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(points, np.float32)


@njit(cache=True, nogil=True)
def _columns(points: np.ndarray, cell_m: float, middle: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = 2 * middle + 1
    masks = np.zeros((size, size), np.uint64)
    sums_m = np.zeros((size, size), np.float64)
    hits = np.zeros((size, size), np.int32)
    limit = np.float32(middle + 0.5)
    for i in range(points.shape[0]):
        u, v, w = points[i, 0] / cell_m, points[i, 1] / cell_m, points[i, 2] / cell_m
        if not (abs(u) < limit and abs(v) < limit and abs(w) < np.float32(1e6)):  # also refuses NaN
            continue
        row, col = middle - int(np.rint(u)), middle - int(np.rint(v))  # rint is odd: quarter turns are exact
        masks[row, col] |= np.uint64(1) << np.uint64(int(np.floor(w)) & 63)
        sums_m[row, col] += points[i, 2]
        hits[row, col] += 1
    return masks, sums_m, hits


@njit(cache=True, nogil=True)
def _popcount(masks: np.ndarray, cap: int) -> np.ndarray:
    counts = np.zeros(masks.shape, np.uint8)
    for row in range(masks.shape[0]):
        for col in range(masks.shape[1]):
            mask, count = masks[row, col], 0
            while mask and count < cap:
                mask &= mask - np.uint64(1)  # clears the lowest set bit
                count += 1
            counts[row, col] = count
    return counts


@njit(cache=True, nogil=True)
def _means(sums_m: np.ndarray, hits: np.ndarray) -> np.ndarray:
    means_m = np.full(hits.shape, np.nan, np.float32)
    for row in range(hits.shape[0]):
        for col in range(hits.shape[1]):
            if hits[row, col]:
                means_m[row, col] = sums_m[row, col] / hits[row, col]
    return means_m

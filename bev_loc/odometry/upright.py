"""How well two scans agree on where upright structure stands, seen from above.

Planes cannot tell how far a vehicle went along a motorway, and the rings of a sparse lidar come along with it on the
ground and on every wall. Trees, poles and the ends of walls stay where they are. From above all rings on a wall fall
onto one line, so that only what is really there counts.
"""

import numpy as np
from scipy.spatial import cKDTree

from ..clouds import voxels

_CELL_M, _HIGH_M = 2.0, 1.0  # upright is what lies this high above the lowest point of its cell
_FINE_M, _COARSE_M = 0.2, 0.5  # thinning of the scan that is searched and of the one that searches
_NEAR_M = 0.4  # where agreement ends
_MIN_POINTS, _MAX_POINTS = 50, 2000  # that search


def upright_indices(points_odom: np.ndarray) -> np.ndarray:
    """(M,) indices of the (N, 3) points, in level axes, that stand high above the ground or what else is below them."""
    cells = np.floor(points_odom[:, :2] / _CELL_M).astype(np.int64) @ (1, 1 << 20)
    _, cell = np.unique(cells, return_inverse=True)
    lowest = np.full(cell.max(initial=0) + 1, np.inf)
    np.minimum.at(lowest, cell, points_odom[:, 2])
    return np.flatnonzero(points_odom[:, 2] - lowest[cell] > _HIGH_M)


def to_search(points_odom: np.ndarray) -> np.ndarray:
    """Indices of upright points, dense."""
    some = upright_indices(points_odom)
    return some[voxels.downsample_indices(points_odom[some], _FINE_M)]


def searching(points_odom: np.ndarray) -> np.ndarray:
    """Indices of upright points, thin."""
    some = upright_indices(points_odom)
    some = some[voxels.downsample_indices(points_odom[some], _COARSE_M)]
    return some[:: -(-len(some) // _MAX_POINTS) or 1]


class Seen:
    """Upright points (N, 3) of one scan, in level axes, from above."""

    def __init__(self, points_odom: np.ndarray) -> None:
        self._tree = cKDTree(points_odom[:, :2])

    def agreement(self, points_odom: np.ndarray) -> np.ndarray:
        """(M,) from 0 to 1: how near each of (M, 3) upright points of another scan comes to one of these."""
        if self._tree.n < _MIN_POINTS or len(points_odom) < _MIN_POINTS:
            return np.zeros(len(points_odom))
        distance_m, _ = self._tree.query(points_odom[:, :2], distance_upper_bound=_NEAR_M)
        return 1.0 - np.minimum(distance_m, _NEAR_M) / _NEAR_M


def preference(agreement_a: np.ndarray, agreement_b: np.ndarray) -> float:
    """How surely the same points agree better in a than in b, in deviations of a paired comparison."""
    better = agreement_a - agreement_b
    spread = np.sqrt(better @ better)
    return float(better.sum() / spread) if spread else 0.0


def peak(places: np.ndarray, heights: np.ndarray) -> float:
    """Where (N,) even places have their highest point, by a parabola through the best and its neighbours."""
    best = int(np.clip(np.argmax(heights), 1, len(places) - 2))
    before, here, after = heights[best - 1 : best + 2]
    bend = before - 2.0 * here + after
    step = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(places[best] + np.clip(step, -1.0, 1.0) * (places[1] - places[0]))

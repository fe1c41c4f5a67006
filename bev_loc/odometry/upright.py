"""How well two scans agree on where upright structure stands, seen from above.

Planes cannot tell how far a vehicle went along a motorway, and the rings of a sparse lidar come along with it on the
ground and on every wall. Trees, poles and walls across the way stay where they are. From above all rings on a wall
fall onto one row of places, and rows along the way tell nothing of it.
"""

import numpy as np
from scipy.spatial import cKDTree

from ..clouds import voxels

_CELL_M, _HIGH_M = 2.0, 1.0  # upright is what lies this high above the lowest point of its cell
_FINE_M, _COARSE_M = 0.2, 0.5  # thinning of the scan that is searched and of the one that searches
_NEIGHBOURS, _SLIM = 4, 0.1  # a row: so many neighbours of a point, hardly wider than a tenth of their length
_ALONG = np.cos(np.deg2rad(30.0))  # the way
_NEAR_M = 0.4  # where agreement ends
_MIN_POINTS, _MAX_POINTS = 12, 2000  # that search


def upright_indices(points_odom: np.ndarray) -> np.ndarray:
    """(M,) indices of the (N, 3) points, in level axes, that stand high above the ground or what else is below them."""
    cells = np.floor(points_odom[:, :2] / _CELL_M).astype(np.int64) @ (1, 1 << 20)
    _, cell = np.unique(cells, return_inverse=True)
    lowest = np.full(cell.max(initial=0) + 1, np.inf)
    np.minimum.at(lowest, cell, points_odom[:, 2])
    return np.flatnonzero(points_odom[:, 2] - lowest[cell] > _HIGH_M)


def to_search(points_odom: np.ndarray, ahead_odom: np.ndarray) -> np.ndarray:
    """Indices of upright points that tell how far one went along (3,), dense."""
    some = upright_indices(points_odom)
    some = some[voxels.downsample_indices(points_odom[some], _FINE_M)]
    return some[~_in_rows(points_odom[some, :2], ahead_odom[:2])]


def searching(points_odom: np.ndarray, ahead_odom: np.ndarray) -> np.ndarray:
    """Indices of upright points that tell how far one went along (3,), thin."""
    some = to_search(points_odom, ahead_odom)
    some = some[voxels.downsample_indices(points_odom[some], _COARSE_M)]
    return some[:: -(-len(some) // _MAX_POINTS) or 1]


def _in_rows(xy: np.ndarray, way: np.ndarray) -> np.ndarray:
    """(N,) whether the place of each of (N, 2) points is one of a row of places along (2,)."""
    if len(xy) <= _NEIGHBOURS:
        return np.zeros(len(xy), bool)
    cells, cell = np.unique(np.floor(xy / _FINE_M), axis=0, return_inverse=True)
    places = np.column_stack([np.bincount(cell, axis) for axis in xy.T]) / np.bincount(cell)[:, None]
    _, near = cKDTree(places).query(places, min(_NEIGHBOURS + 1, len(places)))
    away = places[near] - places[near].mean(1, keepdims=True)
    spread, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", away, away))
    rows = (spread[:, 0] < _SLIM**2 * spread[:, 1]) & (np.abs(axes[:, :, 1] @ way) > _ALONG * np.linalg.norm(way))
    return rows[cell]


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

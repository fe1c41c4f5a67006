"""Overlap counts what both sensors could have seen, and nothing else."""

import numpy as np

from bev_loc.verify.overlap import View, occupied, overlap, view_of


def _overlap(query: np.ndarray, match: np.ndarray, view: View | None = None) -> float:
    return overlap(occupied(query, 40.0), occupied(match, 40.0), view)


def _wall(low_m: float, high_m: float, y_m: float = 10.0) -> np.ndarray:
    """(N, 3) a wall along x beside the sensor, and the ground, which stands lowest in every column."""
    x, z = np.meshgrid(np.arange(-20, 20, 0.2), np.arange(low_m, high_m, 0.2))
    wall = np.column_stack([x.ravel(), np.full(x.size, y_m), z.ravel()])
    ground = np.column_stack([*np.meshgrid(np.arange(-20, 20, 0.4), np.arange(-20, 20, 0.4)), ]).reshape(2, -1).T
    return np.vstack([wall, np.column_stack([ground, np.full(len(ground), -1.7)])]).astype(np.float32)


def test_the_same_wall_overlaps_whole_and_another_one_not_at_all() -> None:
    assert _overlap(_wall(-1.7, 2.0), _wall(-1.7, 2.0)) == 1.0
    assert _overlap(_wall(-1.7, 2.0), _wall(-1.7, 2.0, y_m=13.0)) == 0.0


def test_what_a_flat_sensor_cannot_see_counts_neither_way() -> None:
    high, flat = _wall(-1.7, 8.0), _wall(-1.7, 0.3)
    assert _overlap(high, flat) < 0.35
    assert _overlap(high, flat, view_of(flat)) > 0.8
    assert _overlap(high, _wall(-1.7, 0.3, y_m=13.0), view_of(flat)) == 0.0


def test_a_handful_of_voxels_proves_nothing() -> None:
    few = np.array([[5.0, 5.0, z] for z in np.arange(-1.7, 3.0, 0.2)], np.float32)
    assert _overlap(few, few) == 0.0

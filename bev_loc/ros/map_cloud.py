"""The map as one cloud to look at: a bounded number of points, moved along when keyframes move."""

from collections.abc import Mapping

import numpy as np

from ..geometry import se3

MOST_POINTS = 400_000


class MapCloud:
    """Thinned clouds by keyframe; when there are too many points, every cloud gives up half of its own."""

    def __init__(self, most_points: int = MOST_POINTS) -> None:
        self._most_points = most_points
        self._clouds: dict[int, np.ndarray] = {}
        self._total = 0
        self._stride = 1

    def add(self, id: int, points_kf: np.ndarray) -> None:
        """Take the (N, 3) cloud of a new keyframe."""
        self._clouds[id] = points_kf[:: self._stride].copy()
        self._total += len(self._clouds[id])
        while self._total > self._most_points:
            self._stride *= 2
            self._clouds = {key: cloud[::2].copy() for key, cloud in self._clouds.items()}
            self._total = sum(map(len, self._clouds.values()))

    def points_map(self, T_map_kf: Mapping[int, np.ndarray]) -> np.ndarray:
        """(N, 3) float32 points of the keyframes that have a place in the map."""
        placed = [se3.apply(T_map_kf[id], cloud) for id, cloud in self._clouds.items() if id in T_map_kf]
        return np.concatenate(placed) if placed else np.zeros((0, 3), np.float32)

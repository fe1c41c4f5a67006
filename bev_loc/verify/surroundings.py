"""What stands around a match: by its own cloud, and by its neighbours' as well where the own one is not enough."""

from collections.abc import Callable

import numpy as np

from ..geometry import se3
from ..records import Keyframe
from .overlap import occupied, overlap, view_of


class Surroundings:
    """Voxels in the match's levelled frame; its neighbours are read when they are first needed."""

    def __init__(self, match: Keyframe, submap_match: Callable[[], np.ndarray], range_m: float) -> None:
        """`submap_match` gives the (N, 3) points of the neighbours in the match's frame."""
        self._match, self._submap_match, self._range_m = match, submap_match, range_m
        own = _levelled(match, match.points_kf)
        self._own, self._view = occupied(own, range_m), view_of(own)
        self._whole: np.ndarray | None = None

    def overlap(self, query: Keyframe, T_match_query: np.ndarray, enough: float) -> float:
        """Share of the query's voxels that are occupied here; without the neighbours, who can only add, where that is `enough`."""
        T_level_query = se3.from_parts(self._match.R_level_kf, np.zeros(3)) @ T_match_query
        here = occupied(se3.apply(T_level_query, query.points_kf), self._range_m)
        share = overlap(here, self._own, self._view)
        return share if share >= enough else overlap(here, self._with_neighbours(), self._view)

    def _with_neighbours(self) -> np.ndarray:
        if self._whole is None:
            self._whole = self._own | occupied(_levelled(self._match, self._submap_match()), self._range_m)
        return self._whole


def _levelled(keyframe: Keyframe, points_kf: np.ndarray) -> np.ndarray:
    return points_kf @ keyframe.R_level_kf.T.astype(np.float32)

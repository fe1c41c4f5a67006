"""The clouds around a keyframe, merged: what a place looks like from a little before to a little after."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from ..clouds.voxels import downsample
from ..errors import MapError
from ..geometry import se3
from ..records import Keyframe

_NEIGHBOUR_GAP_M = 20.0  # keyframes farther apart along the path share too little to be merged
_KEPT = 8


class Submaps:
    """Merged clouds by keyframe id, the last few kept."""

    def __init__(self, keyframe: Callable[[int], Keyframe], reach: int, voxel_m: float) -> None:
        """`keyframe` gives one by id (KeyError: there is none, MapError: it cannot be read); `reach` neighbours on each side join it."""
        self._keyframe, self._reach, self._voxel_m = keyframe, reach, voxel_m
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()

    def submap_kf(self, id: int) -> np.ndarray:
        """(N, 3) float32 cloud of keyframe `id` and its neighbours along the path, in its frame."""
        if id not in self._kept:
            self._kept[id] = self._merged(id)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(id)
        return self._kept[id]

    def forget_around(self, id: int) -> None:
        """Keyframe `id` is new: submaps that it belongs to are to be made again."""
        for other in range(id - self._reach, id + self._reach + 1):
            self._kept.pop(other, None)

    def _merged(self, id: int) -> np.ndarray:
        centre = self._keyframe(id)
        T_kf_odom = se3.inverse(centre.T_odom_kf)
        clouds = [centre.points_kf]
        for direction in (-1, 1):
            last = centre
            for step in range(1, self._reach + 1):
                neighbour = self._neighbour(id + direction * step)
                if neighbour is None:
                    break
                if neighbour.session != centre.session or abs(neighbour.path_m - last.path_m) > _NEIGHBOUR_GAP_M:
                    break
                clouds.append(se3.apply(T_kf_odom @ neighbour.T_odom_kf, neighbour.points_kf))
                last = neighbour
        return downsample(np.concatenate(clouds), self._voxel_m)

    def _neighbour(self, id: int) -> Keyframe | None:
        """The keyframe, unless there is none or a damaged map cannot show it: a submap does without."""
        try:
            return self._keyframe(id)
        except (KeyError, MapError):
            return None

"""Keyframes: when one is due, how it is made from an odometry result, and where it is found again."""

from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from typing import cast

import numpy as np

from ..bev.raster import rasterise
from ..clouds.voxels import downsample
from ..config import BevConfig, KeyframeConfig
from ..errors import MapError
from ..geometry import se3, so3
from ..records import BevImage, Keyframe, Odometry
from .compact import compact
from .describe import Describer
from .submaps import Submaps
from .surroundings import Surroundings

HEIGHT_QUANTUM_M = 0.01  # what is kept is rounded when made, so that a saved map equals the running one
DENSE_M = 0.5  # between keyframes while the place is searched for
MIN_POINTS = 50  # fewer describe nothing


class KeyframeStore:
    """The keyframes of this run, and behind them those of a loaded map (`shelf`, read on demand)."""

    def __init__(
        self,
        keyframes: KeyframeConfig,
        bev: BevConfig,
        describer: Describer,
        *,
        submap_keyframes: int,
        shelf: Mapping[int, Keyframe] | None = None,
        own: MutableMapping[int, Keyframe] | None = None,
    ) -> None:
        """`own` is where the keyframes of this run go; by default they stay in memory as they are."""
        self._config, self._bev, self._describer = keyframes, bev, describer
        self._shelf: Mapping[int, Keyframe] = shelf if shelf is not None else {}
        self._own: MutableMapping[int, Keyframe] = own if own is not None else {}
        self._last: Keyframe | None = None
        self._submaps = Submaps(self.get, submap_keyframes, keyframes.voxel_m)
        self._surroundings = Surroundings()

    def reconfigure(self, keyframes: KeyframeConfig) -> None:
        """Other distances between keyframes from now on."""
        self._config = keyframes

    def is_due(self, odometry: Odometry, *, now: bool = False, dense: bool = False, after_s: float | None = None) -> bool:
        """Whether the base has moved or turned enough since the last keyframe, or the source or `now` demands one.

        `dense` is for a place that is not known: there every half metre may show what the one before did not.
        `after_s` since the last one, however little has moved.
        """
        if len(odometry.points_base) < MIN_POINTS:
            return False
        if self._last is None or now or odometry.is_keyframe:
            return True
        if after_s is not None and odometry.stamp_ns - self._last.stamp_ns >= after_s * 1e9:
            return True
        distance_m, angle_rad = se3.distance(self._last.T_odom_kf, odometry.T_odom_base)
        enough_m = min(self._config.distance_m, DENSE_M) if dense else self._config.distance_m
        return distance_m >= enough_m or angle_rad >= np.radians(self._config.angle_deg)

    def make(self, odometry: Odometry, *, id: int, session: int) -> Keyframe:
        """The keyframe of this moment: thinned cloud, image of what is around, levelled, and descriptor."""
        if self._last is not None and session != self._last.session:
            self._surroundings.forget()
        thinned = downsample(odometry.points_base, self._config.voxel_m)
        around = np.concatenate([odometry.points_base, self._surroundings.earlier(thinned, odometry.T_odom_base)])
        R_level_kf = so3.level(odometry.T_odom_base[:3, :3])
        image = rasterise(around @ R_level_kf.T.astype(np.float32), self._bev)
        image = BevImage(counts=image.counts, mean_height_m=_rounded(image.mean_height_m))
        self._last = Keyframe(
            id=id,
            session=session,
            stamp_ns=odometry.stamp_ns,
            T_odom_kf=odometry.T_odom_base,
            R_level_kf=R_level_kf,
            points_kf=compact(thinned),
            image=image,
            descriptor=self._describer.describe(image).astype(np.float16).astype(np.float32),
            path_m=self._path_m(odometry),
        )
        return self._last

    def add(self, keyframe: Keyframe) -> None:
        """Keep `keyframe`; its id must be new."""
        if keyframe.id in self:
            raise MapError(f"keyframe {keyframe.id} is already in the map; ids must be unique")
        self._own[keyframe.id] = keyframe
        self._submaps.forget_around(keyframe.id)

    def get(self, id: int) -> Keyframe:
        """The keyframe of this id, read from the map if need be; MapError when it is damaged or unknown."""
        if id in self._own:
            return self._own[id]
        if id in self._shelf:
            return self._shelf[id]
        raise MapError(f"keyframe {id} is not in the map; it holds {len(self.ids())} others")

    def all(self) -> Mapping[int, Keyframe]:
        """A view of every keyframe by id; those of the map are read when they are looked up."""
        return ChainMap(self._own, cast(MutableMapping[int, Keyframe], self._shelf))

    def ids(self) -> list[int]:
        """Every id, ascending."""
        return sorted({*self._shelf, *self._own})

    def __contains__(self, id: int) -> bool:
        return id in self._own or id in self._shelf

    def submap_kf(self, id: int) -> np.ndarray:
        """(N, 3) float32 cloud of keyframe `id` and its neighbours along the path, in its frame."""
        return self._submaps.submap_kf(id)

    def _path_m(self, odometry: Odometry) -> float:
        if self._last is None:
            return 0.0
        return self._last.path_m + se3.distance(self._last.T_odom_kf, odometry.T_odom_base)[0]


def _rounded(heights_m: np.ndarray) -> np.ndarray:
    """float32 whole centimetres; NaN stays NaN."""
    return (np.rint(heights_m.astype(float) / HEIGHT_QUANTUM_M) * HEIGHT_QUANTUM_M).astype(np.float32)

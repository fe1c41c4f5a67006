"""Which keyframes might be the same place: those that look alike, and those near where the vehicle should be."""

from collections import deque

import numpy as np

from .config import Config, PlaceConfig
from .maps.contents import Entry
from .place.index import PlaceIndex
from .records import Candidate, Keyframe

_NEAR = 2  # keyframes tried around one expected place
_WIDER = 2  # times as many that look alike while nothing is expected: the right one is seldom the first on another day


class Search:
    """Descriptors of the given map's keyframes and of this run's own, once these are old enough to be a loop."""

    def __init__(self, config: Config, dimension: int, entries: tuple[Entry, ...], *, mapping: bool) -> None:
        self._place, self._radius_m = config.place, config.localization.track_radius_m
        self._mapping = mapping
        self._index = PlaceIndex(dimension)
        self._index.extend([entry.id for entry in entries], [entry.descriptor for entry in entries])
        self._ids = np.array([entry.id for entry in entries], np.int64)
        self._positions_m = np.array([entry.T_map_kf[:3, 3] for entry in entries], float).reshape(-1, 3)
        self._descriptors = {entry.id: entry.descriptor for entry in entries}
        self._young: deque[Keyframe] = deque()

    def near(self, keyframe: Keyframe, expected: list[np.ndarray]) -> list[Candidate]:
        """The map keyframes around each expected T_map_kf."""
        ids = dict.fromkeys(id for T_map_kf in expected for id in self.around(T_map_kf)[:_NEAR])
        return [
            Candidate(
                query_id=keyframe.id,
                match_id=id,
                distance=float(np.linalg.norm(self._descriptors[id] - keyframe.descriptor)),
            )
            for id in ids
        ]

    def alike(self, keyframe: Keyframe, near: list[Candidate], *, wide: bool) -> list[Candidate]:
        """Those that look alike and are not among `near`; `wide` takes more of them."""
        tried = {candidate.match_id for candidate in near}
        found = self._index.search(keyframe.id, keyframe.descriptor, self._place.candidates * (_WIDER if wide else 1))
        return [candidate for candidate in found if candidate.match_id not in tried]

    def around(self, T_map_kf: np.ndarray) -> list[int]:
        """Keyframes of the given map within the tracking radius, nearest first."""
        distances_m = np.linalg.norm((self._positions_m - T_map_kf[:3, 3])[:, :2], axis=1)  # heights drift most
        within = np.flatnonzero(distances_m <= self._radius_m)
        return self._ids[within[np.argsort(distances_m[within], kind="stable")]].tolist()

    def reconfigure(self, place: PlaceConfig) -> None:
        """Another number of candidates or age of a loop from the next keyframe on."""
        self._place = place

    def begin_session(self) -> None:
        """However young, what came before may be met again now: no odometry says that it is near."""
        while self._young:
            old = self._young.popleft()
            self._index.add(old.id, old.descriptor)

    def keep(self, keyframe: Keyframe) -> None:
        """Remember a keyframe of this run, to be found after `place.min_path_m` of driving."""
        if not self._mapping:
            return
        self._young.append(keyframe)
        while self._young and keyframe.path_m - self._young[0].path_m >= self._place.min_path_m:
            old = self._young.popleft()
            self._index.add(old.id, old.descriptor)

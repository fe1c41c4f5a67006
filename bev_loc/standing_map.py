"""The map as it stands in the middle of a run: the keyframes so far, where the pose graph has them now."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from .config import Config
from .graph.pose_graph import PoseGraph
from .maps.attic import Attic
from .maps.contents import MapBundle, entry
from .place.describe import Describer
from .place.keyframes import KeyframeStore
from .records import Closure, Keyframe


class StandingMap:
    """The given map and what this run adds to it; while only localizing, the map that was given."""

    def __init__(
        self, config: Config, known_map: MapBundle | None, describer: Describer, graph: PoseGraph, *, mapping: bool
    ) -> None:
        self._bev, self._describer, self._graph = config.bev, describer, graph
        self._fixed = None if mapping else known_map
        self._entries = {entry.id: entry for entry in known_map.entries} if known_map is not None else {}  # places: the graph's
        self._attic = Attic()
        self.keyframes = KeyframeStore(
            config.keyframes,
            config.bev,
            describer,
            submap_keyframes=config.verify.submap_keyframes,
            shelf=known_map.keyframes if known_map is not None else None,
            own=self._attic,
        )

    @property
    def free_id(self) -> int:
        """The first id that no keyframe has had."""
        # also of keyframes that never found their place: a drive that begins anew has them behind it still
        return 1 + max((*self._entries, *self.keyframes.ids()), default=-1)

    def add(self, keyframe: Keyframe) -> None:
        """Keep a keyframe of this run; its place is the graph's."""
        self.keyframes.add(keyframe)
        self._entries[keyframe.id] = entry(keyframe, keyframe.T_odom_kf)

    def put_away(self, id: int, file: Path, sha256: str) -> None:
        """Keyframe `id` of this run is in `file` on the disk now: from here on it is read from there."""
        self._attic.put_away(id, file, sha256)

    def places(self) -> dict[int, np.ndarray]:
        """(4, 4) T_map_kf by id of every keyframe of the map; cheaper than `bundle`."""
        return self._graph.places() if self._fixed is None else self._fixed.T_map_kf

    def closures(self) -> tuple[Closure, ...]:
        """Those that lie between keyframes of the map."""
        if self._fixed is not None:
            return self._fixed.closures
        return tuple(closure for closure in self._graph.closures if self._graph.misfit(closure) is not None)

    def bundle(self) -> MapBundle:
        """What is saved. Keyframes of a session that was never joined to the map have no place in it and are left out."""
        if self._fixed is not None:
            return self._fixed
        entries = tuple(replace(self._entries[id], T_map_kf=T_map_kf) for id, T_map_kf in self._graph.places().items())
        return MapBundle(
            entries=entries,
            keyframes=self.keyframes.all(),
            closures=self.closures(),
            bev=self._bev,
            describer=self._describer.name,
        )

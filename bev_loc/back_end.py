"""From verified closures to a place: which are believed, what the pose graph makes of them, T_map_odom."""

from dataclasses import dataclass, replace

import numpy as np

from .config import Config, GraphConfig, LocalizationConfig
from .geometry import se3
from .graph.consistency import ConsistencyGate
from .graph.pose_graph import PoseGraph, closure_covariance
from .maps.contents import MapBundle
from .records import Closure, Fit, Keyframe, State
from .tracking import Belief, Hit, Tracker
from .verify.reasons import TOO_BARE

_LOCALIZE_WINDOW = 50  # keyframes of the drive that may still move while localizing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What one keyframe came to."""

    keyframe: Keyframe  # with the session it ended in
    closures: tuple[Closure, ...]  # accepted: in the graph from now on; earlier ones that were confirmed too
    reasons: tuple[str, ...]  # short counted keys
    settled: dict[int, np.ndarray | None]  # T_map_kf of keyframes that will not move any more; None: they have no place


class BackEnd:
    """Pose graph and state of the system.

    The odometry's frame is one *session* until the place is given up; then the next begins, joined
    to the old ones by closures only, for nobody knows what happened in between.
    """

    def __init__(self, config: Config, known_map: MapBundle | None, *, mapping: bool) -> None:
        self.graph = PoseGraph(config.graph, window=None if mapping else _LOCALIZE_WINDOW)
        self.session = 0
        self._gate = ConsistencyGate(config.graph)
        self._localization = config.localization
        self._tracker = Tracker(config.localization) if known_map else None
        self._mapping = mapping
        self.T_map_odom: np.ndarray | None = None
        self.fit: Fit | None = None  # the last one in a map that is given
        self._graph_config = config.graph
        if known_map is None:  # the map's frame is where this drive's odometry begins
            self.T_map_odom = np.eye(4)
            self.graph.anchor(0, self.T_map_odom)
        else:
            self._load(known_map)

    @property
    def state(self) -> State:
        """Whether the place is known; in a map that is being built from nothing it always is."""
        return self._tracker.state if self._tracker else State.TRACKING

    def take(
        self, keyframe: Keyframe, closures: tuple[Closure, ...], *, T_map_hint: np.ndarray | None, map_near: bool
    ) -> Outcome:
        """The next keyframe with what verification said; afterwards places and T_map_odom are up to date."""
        accepted = tuple(c for c in closures if c.accepted)
        hits, loops = self._sort(keyframe, accepted)
        bare = bool(closures) and all(closure.reason == TOO_BARE for closure in closures)
        belief = self._judge(keyframe, hits, T_map_hint, map_near=map_near, bare=bare)
        if belief.T_map_odom is not None and self.T_map_odom is not None:  # it is elsewhere: what came before stays
            self.session += 1
        keyframe = replace(keyframe, session=self.session)
        self.graph.add_keyframe(keyframe.id, keyframe.T_odom_kf, self.session)
        if belief.T_map_odom is not None:
            self.graph.anchor(self.session, belief.T_map_odom)

        believed, refused = list(belief.closures), list(belief.refused)
        if self._mapping:  # else no closure is ever offered to it
            for closure in believed:
                self._gate.remember(closure)
        for closure in loops:
            admission = self._gate.offer(closure, self.graph)
            believed += admission.admitted
            refused += [admission.refused] if admission.refused else []
        for closure in believed:
            self.graph.add_closure(closure)
        self.graph.optimise()

        T_map_kf = self.graph.T_map_kf(keyframe.id)
        self.T_map_odom = None if T_map_kf is None else T_map_kf @ se3.inverse(keyframe.T_odom_kf)
        if self._tracker is not None:
            self.fit = _fit(keyframe, believed, self._graph_config) or self.fit
        if belief.lost:
            self._begin_session()
        told = _told(closures, believed, refused)
        return Outcome(keyframe=keyframe, closures=told, reasons=belief.reasons, settled=self.graph.retire(self.session))

    def restart(self) -> None:
        """The odometry began anew: where its frame lies now is to be found, also in a map that this drive made."""
        if self._tracker is None:
            self._tracker = Tracker(self._localization)
        self._tracker.forget()
        self._begin_session()

    def reconfigure(self, config: LocalizationConfig) -> None:
        """Other limits from the next keyframe on."""
        self._localization = config
        if self._tracker is not None:
            self._tracker.reconfigure(config)

    def relocalize(self) -> None:
        """Give the place up and search the given map for it; without one there is nothing to search."""
        if self._tracker is not None:
            self._tracker.forget()
            self._begin_session()

    def _load(self, known_map: MapBundle) -> None:
        for entry in known_map.entries:
            self.graph.add_map_keyframe(
                entry.id, entry.T_odom_kf, entry.session, entry.T_map_kf, fixed=not self._mapping
            )
        if self._mapping:
            for closure in known_map.closures:
                self.graph.add_closure(closure)
        self.session = 1 + max((entry.session for entry in known_map.entries), default=-1)

    def _begin_session(self) -> None:
        self.session += 1
        self.T_map_odom = self.fit = None

    def _sort(self, keyframe: Keyframe, accepted: tuple[Closure, ...]) -> tuple[list[Hit], list[Closure]]:
        """Closures that tell where the session lies in the map, and those that are loops in what is mapped."""
        if self._tracker is None or (self._mapping and self.state is State.TRACKING):
            return [], list(accepted)
        hits, loops = [], []
        for closure in accepted:
            T_map_match = self.graph.T_map_kf(closure.match_id)
            if T_map_match is None or self.graph.node(closure.match_id).session == self.session:
                loops.append(closure)
                continue
            T_map_odom = T_map_match @ closure.T_match_query @ se3.inverse(keyframe.T_odom_kf)
            hits.append(
                Hit(closure=closure, T_map_odom=T_map_odom, T_odom_kf=keyframe.T_odom_kf, path_m=keyframe.path_m)
            )
        return hits, loops

    def _judge(
        self, keyframe: Keyframe, hits: list[Hit], T_map_hint: np.ndarray | None, *, map_near: bool, bare: bool
    ) -> Belief:
        if self._tracker is None:
            return Belief()
        if self._mapping and self.state is State.TRACKING:  # new ground is no sign of being lost
            return Belief(reasons=() if T_map_hint is None else ("hint not needed",))
        T_map_kf = None if self.T_map_odom is None else self.T_map_odom @ keyframe.T_odom_kf
        return self._tracker.judge(keyframe, hits, T_map_kf, T_map_hint=T_map_hint, map_near=map_near, bare=bare)


def _fit(keyframe: Keyframe, believed: list[Closure], config: GraphConfig) -> Fit | None:
    """What the surest closure of this keyframe says of its place; None when it has none."""
    covariances = [closure_covariance(closure.information, config) for closure in believed if closure.query_id == keyframe.id]
    return Fit(T_odom_base=keyframe.T_odom_kf, covariance=min(covariances, key=np.trace)) if covariances else None


def _told(tried: tuple[Closure, ...], believed: list[Closure], refused: list[Closure]) -> tuple[Closure, ...]:
    """What was tried, with what evidence made of it; then those tried earlier that are believed only now."""
    changed = {(c.query_id, c.match_id): c for c in refused}
    now = tuple(changed.get((c.query_id, c.match_id), c) for c in tried)
    return now + tuple(c for c in believed if not any(c is other for other in tried))

"""Whether the place in a given map is known: searching, tracking, lost. Evidence decides, never one closure."""

from dataclasses import dataclass, replace

import numpy as np

from .config import LocalizationConfig
from .geometry import se3
from .graph.consistency import UNCONFIRMED
from .records import Closure, Keyframe, State

MISFIT = "does not fit the map"
BARE = "too little structure to tell"
_MEMORY_M = 100.0  # hits older than this much driving confirm nothing any more
_SPREAD_M = 1.0  # of driving between hits that agree: seen from one spot, a look-alike agrees with itself
_DRIFT = 0.02  # of the odometry, per metre: what two hits may differ by besides the limits
_HINT_M, _HINT_RAD = 10.0, np.radians(45.0)  # how well a person points at a map


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hit:
    """A closure into the map, as it says where the odometry's frame lies."""

    closure: Closure
    T_map_odom: np.ndarray
    T_odom_kf: np.ndarray  # of the query
    path_m: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belief:
    """What a keyframe changed."""

    closures: tuple[Closure, ...] = ()  # believed: they enter the graph
    refused: tuple[Closure, ...] = ()  # verified, yet not where the vehicle can be, or not confirmed so far
    T_map_odom: np.ndarray | None = None  # the place, when it was found just now
    lost: bool = False  # the place was given up just now
    reasons: tuple[str, ...] = ()  # short counted keys


class Tracker:
    """The state machine of localization in a map that is given."""

    def __init__(self, config: LocalizationConfig) -> None:
        self._config = config
        self.state = State.SEARCHING
        self._hits: list[Hit] = []  # not believed yet: for the first place, or for another one
        self._misses = 0
        self._fit_path_m = 0.0  # where on the path the map last fitted

    def reconfigure(self, config: LocalizationConfig) -> None:
        """Other limits from the next keyframe on."""
        self._config = config

    def forget(self) -> None:
        """Search from nothing, as after the start."""
        self.state, self._hits, self._misses = State.SEARCHING, [], 0

    def judge(
        self,
        keyframe: Keyframe,
        hits: list[Hit],
        T_map_kf: np.ndarray | None,
        *,
        T_map_hint: np.ndarray | None = None,
        map_near: bool = True,
        bare: bool = False,
    ) -> Belief:
        """Take the hits of `keyframe`, whose place is thought to be T_map_kf (None: unknown).

        `T_map_hint` is where a person says it is. `map_near` tells whether the map has keyframes there.
        A `bare` keyframe shows too little to be compared with anything: it speaks neither for nor against a place.
        """
        fitting = self._fitting(keyframe, hits, T_map_kf)
        if T_map_hint is not None and not fitting:
            for hit in hits:
                if _close(hit.T_map_odom @ hit.T_odom_kf, T_map_hint, _HINT_M, _HINT_RAD):
                    return self._found(keyframe, [hit])
        unconfirmed = () if T_map_hint is None or fitting else ("hint not confirmed",)
        if self.state is State.TRACKING and T_map_kf is not None:
            belief = Belief(reasons=(BARE,)) if bare else self._follow(keyframe, hits, fitting, map_near)
        else:
            belief = self._search(keyframe, hits)
        return replace(belief, reasons=unconfirmed + belief.reasons)

    def _fitting(self, keyframe: Keyframe, hits: list[Hit], T_map_kf: np.ndarray | None) -> list[Hit]:
        """The hits that say the vehicle is where it is thought to be."""
        if self.state is not State.TRACKING or T_map_kf is None:
            return []
        drift_m = _DRIFT * (keyframe.path_m - self._fit_path_m)
        return [hit for hit in hits if self._agree(hit.T_map_odom @ hit.T_odom_kf, T_map_kf, drift_m)]

    def _follow(self, keyframe: Keyframe, hits: list[Hit], fitting: list[Hit], map_near: bool) -> Belief:
        elsewhere = [hit for hit in hits if hit not in fitting]
        refused = tuple(replace(h.closure, accepted=False, reason="not where it is tracked") for h in elsewhere)
        if fitting:
            self._misses, self._fit_path_m, self._hits = 0, keyframe.path_m, []
            return Belief(closures=tuple(hit.closure for hit in fitting), refused=refused)
        self._misses += 1
        reason = MISFIT if map_near else "outside the map"
        self._remember(keyframe, elsewhere)
        witnesses = len({hit.closure.query_id for hit in self._hits})  # against the track, whether they agree or not
        if self._misses < self._config.lost_after and witnesses < self._config.consistent_hits:
            return Belief(refused=refused, reasons=(reason,))
        self.state = State.LOST  # the witnesses are kept: if one more agrees with them the place is found
        return Belief(refused=refused, lost=True, reasons=(reason, "lost"))

    def _search(self, keyframe: Keyframe, hits: list[Hit]) -> Belief:
        self._remember(keyframe, hits)
        for hit in hits:
            agreeing = self._agreeing(hit)
            spread_m = agreeing[-1].path_m - agreeing[0].path_m
            if len(agreeing) >= self._config.consistent_hits and (len(agreeing) == 1 or spread_m >= _SPREAD_M):
                return self._found(keyframe, agreeing)
        return Belief(refused=tuple(replace(h.closure, accepted=False, reason=UNCONFIRMED) for h in hits))

    def _found(self, keyframe: Keyframe, hits: list[Hit]) -> Belief:
        self.state, self._misses, self._fit_path_m = State.TRACKING, 0, keyframe.path_m
        self._hits = []
        return Belief(closures=tuple(hit.closure for hit in hits), T_map_odom=hits[-1].T_map_odom)

    def _remember(self, keyframe: Keyframe, hits: list[Hit]) -> None:
        self._hits = [hit for hit in self._hits if keyframe.path_m - hit.path_m <= _MEMORY_M] + hits

    def _agreeing(self, hit: Hit) -> list[Hit]:
        """`hit` and those remembered that agree with it, one a keyframe, oldest first.

        Two matches of one keyframe are no second evidence: a look-alike has look-alike neighbours.
        """
        agreeing = {hit.closure.query_id: hit}
        for other in self._hits:
            drift_m = _DRIFT * abs(hit.path_m - other.path_m)
            if self._agree(hit.T_map_odom @ hit.T_odom_kf, other.T_map_odom @ hit.T_odom_kf, drift_m):
                agreeing.setdefault(other.closure.query_id, other)
        return sorted(agreeing.values(), key=lambda h: h.closure.query_id)

    def _agree(self, T_map_a: np.ndarray, T_map_b: np.ndarray, drift_m: float) -> bool:
        limit_rad = np.radians(self._config.hit_angle_deg)
        return _close(T_map_a, T_map_b, self._config.hit_distance_m + drift_m, limit_rad)


def _close(T_a_b: np.ndarray, T_a_c: np.ndarray, limit_m: float, limit_rad: float) -> bool:
    distance_m, angle_rad = se3.distance(T_a_b, T_a_c)
    return distance_m <= limit_m and angle_rad <= limit_rad

"""Which verified closures enter the pose graph: those that agree with each other (pairwise consistency,
Mangelsen et al., ICRA 2018, applied incrementally)."""

from dataclasses import dataclass, replace

import numpy as np

from ..config import GraphConfig
from ..geometry import se3
from ..records import Closure
from .pose_graph import PoseGraph

_COMPARABLE_M = 60.0  # of driving between two closures: farther apart, drift excuses anything
_SLACK_M, _SLACK_RAD = 0.5, np.radians(2.0)  # for the closures' own errors
_VOTERS = 3  # the nearest closures judge: so one slip of the odometry is got over
_IMPOSSIBLE = 10.0  # times the expected drift: a look-alike, whatever agrees with it
UNCONFIRMED = "waits for another closure"
INCONSISTENT = "contradicts other closures"
BEYOND_DRIFT = "farther than odometry can err"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Admission:
    """What came of offering a closure."""

    admitted: tuple[Closure, ...]  # to enter the graph now: the one offered and those that waited for it
    refused: Closure | None = None  # the one offered when it does not enter now, with the reason


class ConsistencyGate:
    """Remembers the closures of the last stretch, admitted and not, and judges new ones against them."""

    def __init__(self, config: GraphConfig, witnesses: int = 1) -> None:
        """So many `witnesses` have to agree with a closure that lies farther off than drift explains."""
        self._config = config
        self._witnesses = witnesses
        self._admitted: list[Closure] = []
        self._waiting: list[Closure] = []

    def remember(self, closure: Closure) -> None:
        """`closure` entered the graph on other evidence; later ones are compared with it too."""
        self._admitted.append(closure)

    def offer(self, closure: Closure, graph: PoseGraph) -> Admission:
        """Judge a verified closure between keyframes of `graph`, the query being the newest.

        If half of the nearest closures of other keyframes agree, and it lies within the drift to be expected
        or enough of them agree, it enters, and with it those among them that had waited; else it waits.
        """
        if self._impossible(closure, graph):
            return Admission(admitted=(), refused=replace(closure, accepted=False, reason=BEYOND_DRIFT))
        self._forget_far(closure, graph)
        voters = self._voters(closure, graph)
        agreeing = [c for gap_m, c in voters if self._agree(c, closure, gap_m, graph)]
        uncontested = 2 * len(agreeing) >= len(voters)
        if uncontested and (len(agreeing) >= self._witnesses or self._expected(closure, graph)):
            freed = [c for c in self._waiting if c in agreeing]
            self._waiting = [c for c in self._waiting if c not in freed]
            self._admitted += [*freed, closure]
            return Admission(admitted=(*freed, closure))
        self._waiting.append(closure)
        reason = UNCONFIRMED if uncontested else INCONSISTENT
        return Admission(admitted=(), refused=replace(closure, accepted=False, reason=reason))

    def _voters(self, closure: Closure, graph: PoseGraph) -> list[tuple[float, Closure]]:
        """The nearest comparable closures, with the driving between them and this one."""
        near = []
        for other in self._admitted + self._waiting:
            if other.query_id != closure.query_id:
                gap_m = _gap_m(other, closure, graph)
                if gap_m <= _COMPARABLE_M:
                    near.append((gap_m, other))
        return sorted(near, key=lambda pair: pair[0])[:_VOTERS]

    def _forget_far(self, closure: Closure, graph: PoseGraph) -> None:
        """Drop closures that no later one can be compared with: their query lies too far behind."""
        newest = graph.node(closure.query_id)

        def near(other: Closure) -> bool:
            query = graph.node(other.query_id)
            return query.session == newest.session and newest.path_m - query.path_m <= _COMPARABLE_M

        self._admitted, self._waiting = list(filter(near, self._admitted)), list(filter(near, self._waiting))

    def _agree(self, a: Closure, b: Closure, gap_m: float, graph: PoseGraph) -> bool:
        """Whether the loop through both closures and the odometry between them comes back to itself."""
        T_match_match = _between(a.match_id, b.match_id, graph)
        T_query_query = _between(a.query_id, b.query_id, graph)
        return self._within(se3.distance(a.T_match_query @ T_query_query, T_match_match @ b.T_match_query), gap_m)

    def _expected(self, closure: Closure, graph: PoseGraph) -> bool:
        """Whether the closure is where the graph expects it, given the drift over its loop."""
        misfit, path_m = graph.misfit(closure), _loop_m(closure, graph)
        return misfit is not None and path_m is not None and self._within(misfit, path_m)

    def _impossible(self, closure: Closure, graph: PoseGraph) -> bool:
        """Whether it lies where no odometry could have gone astray to: along a street that repeats itself."""
        misfit = graph.misfit(closure)
        if misfit is None:
            return False
        path_m = _loop_m(closure, graph)
        path_m = _detour_m(closure, graph) if path_m is None else path_m
        return path_m is not None and not self._within(misfit, _IMPOSSIBLE * path_m)

    def _within(self, distance: tuple[float, float], path_m: float) -> bool:
        """Whether metres and radians are explained by the odometry's error over `path_m`."""
        drift_m = self._config.odometry_sigma_m * path_m
        drift_rad = np.radians(self._config.odometry_sigma_deg) * path_m
        return distance[0] <= _SLACK_M + drift_m and distance[1] <= _SLACK_RAD + drift_rad


def _gap_m(a: Closure, b: Closure, graph: PoseGraph) -> float:
    """Driving between the ends of two closures; infinite when they join other sessions."""
    total = 0.0
    for id_a, id_b in ((a.query_id, b.query_id), (a.match_id, b.match_id)):
        node_a, node_b = graph.node(id_a), graph.node(id_b)
        if node_a.session != node_b.session:
            return float("inf")
        total += abs(node_a.path_m - node_b.path_m)
    return total


def _loop_m(closure: Closure, graph: PoseGraph) -> float | None:
    """Driving between the two ends of a closure; None when they belong to different sessions."""
    query, match = graph.node(closure.query_id), graph.node(closure.match_id)
    return abs(query.path_m - match.path_m) if query.session == match.session else None


def _detour_m(closure: Closure, graph: PoseGraph) -> float | None:
    """Driving between the two ends of a closure of different sessions, over what joins these; None when too little does.

    Of the keyframes whose closures join them the third nearest counts: two look-alikes that were believed at first
    must not keep the right ones out.
    """
    nearest: dict[int, float] = {}
    for joint in graph.closures:
        gap_m = _gap_m(joint, closure, graph)
        if joint.query_id != closure.query_id and gap_m < nearest.get(joint.query_id, float("inf")):
            nearest[joint.query_id] = gap_m
    return sorted(nearest.values())[_VOTERS - 1] if len(nearest) >= _VOTERS else None


def _between(a: int, b: int, graph: PoseGraph) -> np.ndarray:
    """T_a_b by the odometry of the session that both keyframes belong to."""
    return se3.inverse(graph.node(a).T_odom_kf) @ graph.node(b).T_odom_kf

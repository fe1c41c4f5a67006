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


UNCONFIRMED = "waits for a second closure"
INCONSISTENT = "contradicts other closures"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Admission:
    """What came of offering a closure."""

    admitted: tuple[Closure, ...]  # to enter the graph now: the one offered and those that waited for it
    refused: Closure | None = None  # the one offered when it does not enter now, with the reason


class ConsistencyGate:
    """Remembers closures, admitted and waiting, and judges new ones against them."""

    def __init__(self, config: GraphConfig) -> None:
        self._config = config
        self._admitted: list[Closure] = []
        self._waiting: list[Closure] = []

    def remember(self, closure: Closure) -> None:
        """`closure` entered the graph on other evidence; later ones are compared with it too."""
        self._admitted.append(closure)

    def offer(self, closure: Closure, graph: PoseGraph) -> Admission:
        """Judge a verified closure between keyframes of `graph`.

        Agreement with closures of other keyframes admits it, disagreement refuses it. One with
        nothing to compare is admitted if it lies within the drift to be expected, else it waits.
        """
        near = [(c, self._gap_m(c, closure, graph)) for c in self._admitted + self._waiting]
        near = [(c, gap_m) for c, gap_m in near if gap_m is not None and c.query_id != closure.query_id]
        agreeing = [c for c, gap_m in near if self._agree(c, closure, gap_m, graph)]
        if len(agreeing) < len(near) - len(agreeing):
            return Admission(admitted=(), refused=replace(closure, accepted=False, reason=INCONSISTENT))
        if agreeing or self._expected(closure, graph):
            freed = [c for c in self._waiting if c in agreeing]
            self._waiting = [c for c in self._waiting if c not in freed]
            self._admitted += [*freed, closure]
            return Admission(admitted=(*freed, closure))
        self._waiting.append(closure)
        return Admission(admitted=(), refused=replace(closure, accepted=False, reason=UNCONFIRMED))

    def _gap_m(self, a: Closure, b: Closure, graph: PoseGraph) -> float | None:
        """Driving between the ends of two closures; None when they cannot be compared."""
        total = 0.0
        for id_a, id_b in ((a.query_id, b.query_id), (a.match_id, b.match_id)):
            node_a, node_b = graph.node(id_a), graph.node(id_b)
            if node_a.session != node_b.session:
                return None
            total += abs(node_a.path_m - node_b.path_m)
        return total if total <= _COMPARABLE_M else None

    def _agree(self, a: Closure, b: Closure, gap_m: float, graph: PoseGraph) -> bool:
        """Whether the loop through both closures and the odometry between them comes back to itself."""
        T_match_match = _between(a.match_id, b.match_id, graph)
        T_query_query = _between(a.query_id, b.query_id, graph)
        return self._within(se3.distance(a.T_match_query @ T_query_query, T_match_match @ b.T_match_query), gap_m)

    def _expected(self, closure: Closure, graph: PoseGraph) -> bool:
        """Whether the closure is where the graph expects it, given the drift over its loop."""
        misfit = graph.misfit(closure)
        query, match = graph.node(closure.query_id), graph.node(closure.match_id)
        if misfit is None or query.session != match.session:
            return False
        return self._within(misfit, abs(query.path_m - match.path_m))

    def _within(self, distance: tuple[float, float], path_m: float) -> bool:
        """Whether metres and radians are explained by the odometry's error over `path_m`."""
        drift_m = self._config.odometry_sigma_m * path_m
        drift_rad = np.radians(self._config.odometry_sigma_deg) * path_m
        return distance[0] <= _SLACK_M + drift_m and distance[1] <= _SLACK_RAD + drift_rad


def _between(a: int, b: int, graph: PoseGraph) -> np.ndarray:
    """T_a_b by the odometry of the session that both keyframes belong to."""
    return se3.inverse(graph.node(a).T_odom_kf) @ graph.node(b).T_odom_kf

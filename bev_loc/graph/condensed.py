"""The pose graph without the keyframes that only odometry holds: a few hundred poses instead of thousands.

Between two keyframes of closures lies a chain of odometry. It counts as one measurement, its factors composed, and once
its ends are solved for, what they disagree with it is spread over the chain as its covariances have it: to first order
the same as solving for every pose (Gaussian elimination of the chain and back substitution).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..geometry import se3
from .factor import Factor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """Odometry from one kept pose to the next, over poses that have no other factors."""

    ids: tuple[int, ...]  # both ends, and what lies between
    T_first_id: np.ndarray  # (N, 4, 4) of the ids after the first
    covariances: np.ndarray  # (N, 6, 6) of these
    whole: Factor  # from end to end


class Chains:
    """Condenses the factors of one graph that grows; chains that are still there are not composed again."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], Chain] = {}

    def of(self, factors: Iterable[Factor], keep: set[int]) -> tuple[list[Chain], list[Factor]]:
        """The chains of the factors that are not robust, and the factors that are in none; `keep` poses end chains."""
        odometry = [factor for factor in factors if not factor.robust]
        others = [factor for factor in factors if factor.robust]
        onward: dict[int, Factor] = {factor.a: factor for factor in odometry}
        if len(onward) < len(odometry):  # a keyframe that two follow: no chain as odometry makes it
            return [], [*odometry, *others]
        follows = {factor.b for factor in odometry}
        keep = keep | {id for factor in others for id in (factor.a, factor.b)} | (onward.keys() - follows)
        known, self._known = self._known, {}
        for first in sorted(keep & onward.keys()):
            links = [onward[first]]
            while links[-1].b not in keep and links[-1].b in onward:
                links.append(onward[links[-1].b])
            ids = (first, *(link.b for link in links))
            self._known[ids] = known.get(ids) or _composed(ids, links)
        return list(self._known.values()), others


def spread(chain: Chain, places: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """(4, 4) places of the poses within a chain whose ends have theirs."""
    first, last = places[chain.ids[0]], places[chain.ids[-1]]
    error = se3.log(se3.inverse(first @ chain.whole.T_a_b) @ last)  # of the last, in its own frame
    pull = np.linalg.solve(chain.whole.covariance, error)
    inside = {}
    for id, T_first_id, covariance in zip(chain.ids[1:-1], chain.T_first_id, chain.covariances):
        T_last_id = se3.inverse(chain.whole.T_a_b) @ T_first_id
        inside[id] = first @ T_first_id @ se3.exp(covariance @ se3.adjoint(T_last_id).T @ pull)
    return inside


def _composed(ids: tuple[int, ...], links: list[Factor]) -> Chain:
    T, covariance = np.eye(4), np.zeros((6, 6))
    poses, covariances = [], []
    for link in links:
        carry = se3.adjoint(se3.inverse(link.T_a_b))
        T, covariance = T @ link.T_a_b, carry @ covariance @ carry.T + link.covariance
        poses.append(T)
        covariances.append(covariance)
    whole = Factor(a=ids[0], b=ids[-1], T_a_b=T, covariance=covariance, robust=False)
    return Chain(ids=ids, T_first_id=np.array(poses), covariances=np.array(covariances), whole=whole)

"""Decides whether two keyframes show the same place: from images to the plane, to space, to tests that can refuse.

The order is the order of cost: images first (a few milliseconds), clouds only for the pair that
survives. Nothing here knows a clock, a map or a drifted pose: evidence comes from the two keyframes alone.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..config import BevConfig, VerifyConfig
from ..records import Candidate, Closure, Keyframe
from . import reasons
from .cloud_comparison import CloudComparison
from .image_comparison import ImageComparison
from .planar import PlanarMatch

REGISTERED_AT_MOST = 2  # candidates of one query whose clouds are tried
CONVINCING = 0.75  # likeness of two images, with twice the usual corners, at which their clouds are compared at once


class Verifier:
    """Tests candidates; the same input gives the same bytes, whatever was asked before."""

    def __init__(self, verify: VerifyConfig, bev: BevConfig) -> None:
        self._verify = verify
        self._images = ImageComparison(verify, bev)
        self._clouds = CloudComparison(verify, bev, self._images.coarse)

    def verify(self, candidate: Candidate, query: Keyframe, match: Keyframe, submap_match: np.ndarray) -> Closure:
        """One candidate through all tests; `submap_match` (N, 3) is the match's surroundings in its kf frame."""
        closure, planar = self._images.compare(candidate, query, match)
        return self._clouds.judge(closure, planar, query, match, lambda: submap_match) if planar else closure

    def verify_best(
        self,
        candidates: list[Candidate],
        query: Keyframe,
        keyframe: Callable[[int], Keyframe | None],
        submap_kf: Callable[[int], np.ndarray],
    ) -> tuple[Closure, ...]:
        """Every candidate of one query, in their order; clouds only for the best few and until one is accepted.

        Images that leave little doubt are followed by their clouds at once: what comes later is then not needed, nor
        read. `keyframe` gives a match by id, None where it cannot be read; `submap_kf` the (N, 3) points around it.
        """
        closures: list[Closure] = []
        survivors: list[tuple[int, Keyframe, PlanarMatch]] = []
        registered, accepted = 0, False

        def try_clouds(n: int, match: Keyframe, planar: PlanarMatch) -> bool:
            closures[n] = self._clouds.judge(closures[n], planar, query, match, lambda: submap_kf(match.id))
            return closures[n].accepted

        for n, candidate in enumerate(candidates):
            match = None if accepted else keyframe(candidate.match_id)
            if match is None:
                closures.append(_untried(candidate, reasons.NOT_NEEDED if accepted else reasons.UNREADABLE))
                continue
            closure, planar = self._images.compare(candidate, query, match)
            closures.append(closure)
            if planar is None:
                continue
            if self._convincing(closure) and registered < REGISTERED_AT_MOST:
                registered += 1
                accepted = try_clouds(n, match, planar)
            else:
                survivors.append((n, match, planar))
        for n, match, planar in sorted(survivors, key=lambda survivor: -closures[survivor[0]].score):
            if accepted or registered >= REGISTERED_AT_MOST:
                closures[n] = replace(closures[n], reason=reasons.NOT_NEEDED)
                continue
            registered += 1
            accepted = try_clouds(n, match, planar)
        return tuple(closures)

    def _convincing(self, closure: Closure) -> bool:
        return closure.score >= CONVINCING and closure.inliers >= 2 * self._verify.min_inliers


def _untried(candidate: Candidate, reason: str) -> Closure:
    """What is said of a candidate that was not compared at all."""
    return Closure(
        query_id=candidate.query_id,
        match_id=candidate.match_id,
        accepted=False,
        reason=reason,
        method="",
        T_match_query=None,
        information=None,
        descriptor_distance=candidate.distance,
    )

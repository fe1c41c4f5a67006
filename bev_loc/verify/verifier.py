"""Decides whether two keyframes show the same place: from images to the plane, to space, to tests that can refuse.

The order is the order of cost: images first (a few milliseconds), clouds only for the pair that
survives. Nothing here knows a clock, a map or a drifted pose: evidence comes from the two keyframes alone.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..config import BevConfig, VerifyConfig
from ..geometry import se3
from ..records import Candidate, Closure, Keyframe
from .correlation import Correlator, Spectra
from .lift import lift
from .match import Corners, Pairs, describe, mutual
from .overlap import overlap
from .planar import PlanarMatch
from .ransac import agreeing, fit_rigid
from .registration import Surface, register, surface

ACCEPTED = "accepted"
NO_STRUCTURE = "no structure in an image"
IMAGES_DISAGREE = "images disagree"
TOO_BARE = "too little structure"
CLOUD_TOO_SMALL = "too few points to register"
DIVERGED = "registration diverged"
LOW_OVERLAP = "low overlap"
LARGE_RESIDUAL = "large residual"
NOT_NEEDED = "another candidate fits better"

REGISTRATION_RANGE_M = 60.0  # farther points are sparse: their covariances say little
REGISTERED_AT_MOST = 2  # candidates of one query whose clouds are tried
BARE_FACTOR = 2  # times the usual corners where there is little structure
REMEMBERED = 64  # keyframes whose features are kept: neighbouring queries meet the same candidates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Of one keyframe's image."""

    keyframe: Keyframe
    corners: Corners
    spectra: Spectra


class Verifier:
    """Tests candidates; the same input gives the same bytes, whatever was asked before."""

    def __init__(self, verify: VerifyConfig, bev: BevConfig) -> None:
        self._verify, self._bev = verify, bev
        self._correlator = Correlator(bev)
        self._features: OrderedDict[int, Features] = OrderedDict()

    def verify(self, candidate: Candidate, query: Keyframe, match: Keyframe, submap_match: np.ndarray) -> Closure:
        """One candidate through all tests; `submap_match` (N, 3) is the match's surroundings in its kf frame."""
        closure, planar = self._compare_images(candidate, query, match)
        return self._compare_clouds(closure, planar, query, match, submap_match) if planar else closure

    def verify_best(
        self,
        candidates: list[Candidate],
        query: Keyframe,
        keyframe: Callable[[int], Keyframe],
        submap_kf: Callable[[int], np.ndarray],
    ) -> tuple[Closure, ...]:
        """Every candidate of one query, in their order; clouds only for the best few and until one is accepted."""
        tried = [self._compare_images(candidate, query, keyframe(candidate.match_id)) for candidate in candidates]
        closures = [closure for closure, _ in tried]
        survivors = [n for n, (_, planar) in enumerate(tried) if planar is not None]
        survivors.sort(key=lambda n: -closures[n].score)
        accepted = False
        for rank, n in enumerate(survivors):
            closure, planar = tried[n]
            if accepted or rank >= REGISTERED_AT_MOST:
                closures[n] = replace(closure, reason=NOT_NEEDED)
                continue
            match = keyframe(closure.match_id)
            closures[n] = self._compare_clouds(closure, planar, query, match, submap_kf(match.id))
            accepted = closures[n].accepted
        return tuple(closures)

    def _compare_images(
        self, candidate: Candidate, query: Keyframe, match: Keyframe
    ) -> tuple[Closure, PlanarMatch | None]:
        """The best planar motion by corners or by correlation, or the reason why there is none."""
        ours, theirs = self._features_of(query), self._features_of(match)
        pairs = mutual(theirs.corners, ours.corners)
        rng = np.random.default_rng((query.id, match.id))  # its own for each pair: no order of calls shows
        found = [self._correlator.align(theirs.spectra, ours.spectra)]
        fit = fit_rigid(pairs.match_xy_m, pairs.query_xy_m, self._verify.inlier_distance_m, rng)
        if fit is not None:
            score = self._correlator.score(theirs.spectra, ours.spectra, *fit.x_y_yaw)
            x_m, y_m, yaw_rad = map(float, fit.x_y_yaw)
            found.append(
                PlanarMatch(
                    method="keypoints", x_m=x_m, y_m=y_m, yaw_rad=yaw_rad, score=score, covariance=fit.covariance
                )
            )
        planar = max(found, key=lambda planar: planar.score)
        planar = replace(planar, inliers=self._inliers(pairs, planar))
        closure = Closure(
            query_id=query.id,
            match_id=match.id,
            accepted=False,
            reason=NO_STRUCTURE if planar.score == 0.0 else IMAGES_DISAGREE,
            method=planar.method,
            T_match_query=None,
            information=None,
            descriptor_distance=candidate.distance,
            inliers=planar.inliers,
            score=planar.score,
        )
        passed = planar.inliers >= self._verify.min_inliers or planar.score >= self._verify.min_correlation
        if not passed or planar.score == 0.0:
            return closure, None
        # A bridge between railings looks alike everywhere, clouds included: there only many corners convince.
        structure_px = min(np.count_nonzero(keyframe.image.counts > 1) for keyframe in (query, match))
        if structure_px < self._verify.min_structure_px and planar.inliers < BARE_FACTOR * self._verify.min_inliers:
            return replace(closure, reason=TOO_BARE), None
        return closure, planar

    def _compare_clouds(
        self, closure: Closure, planar: PlanarMatch, query: Keyframe, match: Keyframe, submap_match: np.ndarray
    ) -> Closure:
        """The motion in space by registration, if it passes the tests of overlap and residual.

        The query is laid on the match's own cloud, so that odometry between the match and its neighbours
        does not enter the closure; their clouds only say what else is there.
        """
        target, source = _surface(match), _surface(query)
        if target is None or source is None:
            return replace(closure, reason=CLOUD_TOO_SMALL)
        fit = register(target, source, lift(planar, query, match, self._bev))
        closure = replace(closure, T_match_query=fit.T_target_source, information=fit.information, rmse_m=fit.rmse_m)
        if not fit.converged:
            return replace(closure, reason=DIVERGED)
        T_level_query = se3.from_parts(match.R_level_kf, np.zeros(3)) @ fit.T_target_source
        surroundings = np.concatenate([match.points_kf, submap_match]) @ match.R_level_kf.T.astype(np.float32)
        share = overlap(se3.apply(T_level_query, query.points_kf), surroundings, self._bev.range_m)
        closure = replace(closure, overlap=share)
        if share < self._verify.min_overlap:
            return replace(closure, reason=LOW_OVERLAP)
        if not fit.rmse_m <= self._verify.max_rmse_m:
            return replace(closure, reason=LARGE_RESIDUAL)
        return replace(closure, accepted=True, reason=ACCEPTED)

    def _inliers(self, pairs: Pairs, planar: PlanarMatch) -> int:
        pose = np.array([planar.x_m, planar.y_m, planar.yaw_rad])
        return agreeing(pairs.match_xy_m, pairs.query_xy_m, pose, self._verify.inlier_distance_m)

    def _features_of(self, keyframe: Keyframe) -> Features:
        known = self._features.get(keyframe.id)
        if known is None or known.keyframe is not keyframe:
            known = Features(
                keyframe=keyframe,
                corners=describe(keyframe.image, self._bev),
                spectra=self._correlator.spectra(keyframe.image),
            )
            self._features[keyframe.id] = known
        self._features.move_to_end(keyframe.id)
        while len(self._features) > REMEMBERED:
            self._features.popitem(last=False)
        return known


def _surface(keyframe: Keyframe) -> Surface | None:
    points = keyframe.points_kf
    return surface(points[np.einsum("ij,ij->i", points, points) < REGISTRATION_RANGE_M**2])

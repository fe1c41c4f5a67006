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
from .overlap import View, overlap, view_of
from .planar import PlanarMatch
from .ransac import agreeing, fit_rigid
from .registration import Surface, register, surface
from .rivals import strongest_rival

ACCEPTED = "accepted"
NO_STRUCTURE = "no structure in an image"
IMAGES_DISAGREE = "images disagree"
TOO_BARE = "too little structure"
CLOUD_TOO_SMALL = "too few points to register"
DIVERGED = "registration diverged"
LOW_OVERLAP = "low overlap"
LARGE_RESIDUAL = "large residual"
AMBIGUOUS = "fits elsewhere too"
NOT_NEEDED = "another candidate fits better"

REGISTRATION_RANGE_M = 60.0  # farther points are sparse: their covariances say little
REGISTERED_AT_MOST = 2  # candidates of one query whose clouds are tried
BARE_FACTOR = 2  # times the usual corners where there is little structure
CONVINCING = 0.75  # likeness of two images, with twice the usual corners, at which their clouds are compared at once
CLEAR = 0.75  # of the winner's overlap: a rival above it makes the place ambiguous
ELSEWHERE_M, ELSEWHERE_RAD = 2.0, np.radians(20.0)  # what is nearer than this is the same answer
REMEMBERED = 64  # keyframes whose features are kept: neighbouring queries meet the same candidates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Of one keyframe's image."""

    keyframe: Keyframe
    corners: Corners
    spectra: Spectra


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clouds:
    """What registration needs of one pair, whatever the guess."""

    query: Keyframe
    match: Keyframe
    source: Surface  # of the query
    target: Surface  # of the match
    around_level: np.ndarray  # (N, 3) the match and its neighbours, in the match's levelled frame
    view: View  # of the match


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
        """Every candidate of one query, in their order; clouds only for the best few and until one is accepted.

        Images that leave little doubt are followed by their clouds at once: what comes later is then not needed.
        """
        closures: list[Closure] = []
        survivors: list[tuple[int, PlanarMatch]] = []
        registered, accepted = 0, False

        def try_clouds(n: int, planar: PlanarMatch) -> bool:
            match = keyframe(candidates[n].match_id)
            closures[n] = self._compare_clouds(closures[n], planar, query, match, submap_kf(match.id))
            return closures[n].accepted

        for n, candidate in enumerate(candidates):
            if accepted:
                closures.append(_untried(candidate))
                continue
            closure, planar = self._compare_images(candidate, query, keyframe(candidate.match_id))
            closures.append(closure)
            if planar is None:
                continue
            if self._convincing(closure) and registered < REGISTERED_AT_MOST:
                registered += 1
                accepted = try_clouds(n, planar)
            else:
                survivors.append((n, planar))
        for n, planar in sorted(survivors, key=lambda survivor: -closures[survivor[0]].score):
            if accepted or registered >= REGISTERED_AT_MOST:
                closures[n] = replace(closures[n], reason=NOT_NEEDED)
                continue
            registered += 1
            accepted = try_clouds(n, planar)
        return tuple(closures)

    def _convincing(self, closure: Closure) -> bool:
        return closure.score >= CONVINCING and closure.inliers >= 2 * self._verify.min_inliers

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
        """The motion in space by registration, if it passes the tests of overlap and residual, and no other one does.

        The query is laid on the match's own cloud, so that odometry between the match and its neighbours
        does not enter the closure; their clouds only say what else is there.
        """
        target, source = _surface(match), _surface(query)
        if target is None or source is None:
            return replace(closure, reason=CLOUD_TOO_SMALL)
        around = np.concatenate([match.points_kf, submap_match]) @ match.R_level_kf.T.astype(np.float32)
        view = view_of(around[: len(match.points_kf)])
        clouds = Clouds(query=query, match=match, source=source, target=target, around_level=around, view=view)
        closure = self._register(closure, planar, clouds)
        return self._unrivalled(closure, clouds) if closure.accepted else closure

    def _register(self, closure: Closure, planar: PlanarMatch, clouds: Clouds) -> Closure:
        """The closure with the motion in space that the one in the plane leads to, tested."""
        query, match = clouds.query, clouds.match
        fit = register(clouds.target, clouds.source, lift(planar, query, match, self._bev))
        T_level_query = se3.from_parts(match.R_level_kf, np.zeros(3)) @ fit.T_target_source
        share = overlap(se3.apply(T_level_query, query.points_kf), clouds.around_level, self._bev.range_m, clouds.view)
        closure = replace(
            closure, T_match_query=fit.T_target_source, information=fit.information, rmse_m=fit.rmse_m, overlap=share
        )
        if not fit.converged:
            return replace(closure, reason=DIVERGED)
        if share < self._verify.min_overlap:
            return replace(closure, reason=LOW_OVERLAP)
        if not fit.rmse_m <= self._verify.max_rmse_m:
            return replace(closure, reason=LARGE_RESIDUAL)
        return replace(closure, accepted=True, reason=ACCEPTED)

    def _unrivalled(self, closure: Closure, clouds: Clouds) -> Closure:
        """The accepted closure, or the pose elsewhere that clearly beats it; refused when neither clearly wins."""
        query, match = self._features_of(clouds.query), self._features_of(clouds.match)
        rival = strongest_rival(self._correlator, match.spectra, query.spectra, _in_plane(closure, clouds))
        if rival is None:
            return closure
        other = self._register(closure, rival, clouds)
        shift_m, turn_rad = se3.distance(closure.T_match_query, other.T_match_query)
        if shift_m < ELSEWHERE_M and turn_rad < ELSEWHERE_RAD:
            return closure
        if other.overlap < CLEAR * closure.overlap:
            return closure
        if other.accepted and closure.overlap < CLEAR * other.overlap:
            return other
        return replace(closure, accepted=False, reason=AMBIGUOUS)

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


def _in_plane(closure: Closure, clouds: Clouds) -> PlanarMatch:
    """The closure's motion as it shows between the levelled frames."""
    T_level_match = se3.from_parts(clouds.match.R_level_kf, np.zeros(3))
    T_query_level = se3.from_parts(clouds.query.R_level_kf.T, np.zeros(3))
    T = T_level_match @ closure.T_match_query @ T_query_level
    yaw_rad = float(np.arctan2(T[1, 0], T[0, 0]))
    return PlanarMatch(method=closure.method, x_m=float(T[0, 3]), y_m=float(T[1, 3]), yaw_rad=yaw_rad, score=closure.score)


def _untried(candidate: Candidate) -> Closure:
    return Closure(
        query_id=candidate.query_id,
        match_id=candidate.match_id,
        accepted=False,
        reason=NOT_NEEDED,
        method="",
        T_match_query=None,
        information=None,
        descriptor_distance=candidate.distance,
    )

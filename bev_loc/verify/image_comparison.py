"""From two images to the motion in the plane between them, or the reason why there is none.

Motions are looked for at half the resolution, at a quarter of the cost: metres away from each other, they differ there
as well. Only how alike the images are is seen at the full one: half of it flatters strangers.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..bev.grid import middle_px
from ..config import BevConfig, VerifyConfig
from ..records import Candidate, Closure, Keyframe
from . import reasons
from .correlation import Correlator, Spectra, halved, structure_of
from .likeness import blurred, likeness
from .match import Corners, Pairs, describe, mutual
from .planar import PlanarMatch
from .ransac import RigidFit, agreeing, fit_rigid
from .remembered import Remembered

REMEMBERED = 128  # keyframes, 0.5 MB each: neighbouring queries meet the same candidates
PROMISING = 0.8  # of the likeness that is asked for: less, at half the resolution, never becomes enough
BARE_FACTOR = 2  # times the usual corners where there is little structure


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """Images at one resolution: how they are compared, and what was computed of them."""

    correlator: Correlator
    spectra: Remembered[Spectra]


class ImageComparison:
    """Compares keyframes by their images, all of one grid."""

    def __init__(self, verify: VerifyConfig, bev: BevConfig) -> None:
        self._verify, self._cell_m = verify, bev.cell_m
        coarse = Correlator(_coarse(bev))
        self.coarse = Scale(
            correlator=coarse, spectra=Remembered(lambda keyframe: coarse.spectra(halved(structure_of(keyframe.image))), REMEMBERED)
        )
        self._pictures = Remembered(lambda keyframe: blurred(structure_of(keyframe.image), bev.cell_m), REMEMBERED)
        self._corners = Remembered[Corners](lambda keyframe: describe(keyframe.image, bev), REMEMBERED)

    def compare(self, candidate: Candidate, query: Keyframe, match: Keyframe) -> tuple[Closure, PlanarMatch | None]:
        """The best motion by corners or by correlation, None if it is not believed; and what is said of it."""
        pairs = mutual(self._corners.of(match), self._corners.of(query))
        rng = np.random.default_rng((query.id, match.id))  # its own for each pair: no order of calls shows
        fit = fit_rigid(pairs.match_xy_m, pairs.query_xy_m, self._verify.inlier_distance_m, rng)
        motions = self._motions(match, query, fit)
        planar = self._best(motions, pairs)
        if planar.score < PROMISING * self._verify.min_correlation and planar.inliers < self._verify.min_inliers:
            return _said(candidate, planar), None
        planar = self._best([self._at_full_resolution(match, query, motion) for motion in motions], pairs)
        closure = _said(candidate, planar)
        passed = planar.inliers >= self._verify.min_inliers or planar.score >= self._verify.min_correlation
        if not passed or planar.score == 0.0:
            return closure, None
        # A bridge between railings looks alike everywhere, clouds included: there only many corners convince.
        structure_px = min(np.count_nonzero(keyframe.image.counts > 1) for keyframe in (query, match))
        if structure_px < self._verify.min_structure_px and planar.inliers < BARE_FACTOR * self._verify.min_inliers:
            return replace(closure, reason=reasons.TOO_BARE), None
        return closure, planar

    def _motions(self, match: Keyframe, query: Keyframe, fit: RigidFit | None) -> list[PlanarMatch]:
        """What correlation and corners see, with the likeness at half the resolution."""
        theirs, ours = self.coarse.spectra.of(match), self.coarse.spectra.of(query)
        motions = [self.coarse.correlator.align(theirs, ours)]
        if fit is not None:
            x_m, y_m, yaw_rad = map(float, fit.x_y_yaw)
            score = self.coarse.correlator.score(theirs, ours, x_m, y_m, yaw_rad)
            motions.append(
                PlanarMatch(method="keypoints", x_m=x_m, y_m=y_m, yaw_rad=yaw_rad, score=score, covariance=fit.covariance)
            )
        return motions

    def _at_full_resolution(self, match: Keyframe, query: Keyframe, motion: PlanarMatch) -> PlanarMatch:
        theirs, ours = self._pictures.of(match), self._pictures.of(query)
        return replace(motion, score=likeness(theirs, ours, self._cell_m, motion.x_m, motion.y_m, motion.yaw_rad))

    def _best(self, motions: list[PlanarMatch], pairs: Pairs) -> PlanarMatch:
        """The likeliest, with the corners that agree on it."""
        best = max(motions, key=lambda planar: planar.score)
        pose = np.array([best.x_m, best.y_m, best.yaw_rad])
        return replace(best, inliers=agreeing(pairs.match_xy_m, pairs.query_xy_m, pose, self._verify.inlier_distance_m))


def _coarse(bev: BevConfig) -> BevConfig:
    """The grid of every second pixel, the sensor still in the middle."""
    cell_m = 2.0 * bev.cell_m
    return replace(bev, cell_m=cell_m, range_m=cell_m * (middle_px(bev) // 2))


def _said(candidate: Candidate, planar: PlanarMatch) -> Closure:
    """What is said of a candidate whose images were compared, unless they turn out to agree."""
    return Closure(
        query_id=candidate.query_id,
        match_id=candidate.match_id,
        accepted=False,
        reason=reasons.NO_STRUCTURE if planar.score == 0.0 else reasons.IMAGES_DISAGREE,
        method=planar.method,
        T_match_query=None,
        information=None,
        descriptor_distance=candidate.distance,
        inliers=planar.inliers,
        score=planar.score,
    )

"""From two images to the motion in the plane between them, or the reason why there is none.

First at half the resolution: most candidates are strangers, and that shows there at a quarter of the cost.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..bev.grid import middle_px
from ..config import BevConfig, VerifyConfig
from ..records import Candidate, Closure, Keyframe
from . import reasons
from .correlation import Correlator, Spectra, halved, structure_of
from .match import Corners, Pairs, describe, mutual
from .planar import PlanarMatch
from .ransac import RigidFit, agreeing, fit_rigid
from .remembered import Remembered

REMEMBERED = 64  # keyframes: neighbouring queries meet the same candidates
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
        self._verify = verify
        fine, coarse = Correlator(bev), Correlator(_coarse(bev))
        self._fine = Scale(
            correlator=fine, spectra=Remembered(lambda keyframe: fine.spectra(structure_of(keyframe.image)), REMEMBERED)
        )
        self.coarse = Scale(
            correlator=coarse, spectra=Remembered(lambda keyframe: coarse.spectra(halved(structure_of(keyframe.image))), REMEMBERED)
        )
        self._corners = Remembered[Corners](lambda keyframe: describe(keyframe.image, bev), REMEMBERED)

    def compare(self, candidate: Candidate, query: Keyframe, match: Keyframe) -> tuple[Closure, PlanarMatch | None]:
        """The best motion by corners or by correlation, None if it is not believed; and what is said of it."""
        pairs = mutual(self._corners.of(match), self._corners.of(query))
        rng = np.random.default_rng((query.id, match.id))  # its own for each pair: no order of calls shows
        fit = fit_rigid(pairs.match_xy_m, pairs.query_xy_m, self._verify.inlier_distance_m, rng)
        planar = self._best(self.coarse, match, query, fit, pairs)
        if planar.score < PROMISING * self._verify.min_correlation and planar.inliers < self._verify.min_inliers:
            return _said(candidate, planar), None
        planar = self._best(self._fine, match, query, fit, pairs)
        closure = _said(candidate, planar)
        passed = planar.inliers >= self._verify.min_inliers or planar.score >= self._verify.min_correlation
        if not passed or planar.score == 0.0:
            return closure, None
        # A bridge between railings looks alike everywhere, clouds included: there only many corners convince.
        structure_px = min(np.count_nonzero(keyframe.image.counts > 1) for keyframe in (query, match))
        if structure_px < self._verify.min_structure_px and planar.inliers < BARE_FACTOR * self._verify.min_inliers:
            return replace(closure, reason=reasons.TOO_BARE), None
        return closure, planar

    def _best(self, scale: Scale, match: Keyframe, query: Keyframe, fit: RigidFit | None, pairs: Pairs) -> PlanarMatch:
        """The likelier of the motions that corners and correlation see, at this resolution."""
        theirs, ours = scale.spectra.of(match), scale.spectra.of(query)
        found = [scale.correlator.align(theirs, ours)]
        if fit is not None:
            x_m, y_m, yaw_rad = map(float, fit.x_y_yaw)
            score = scale.correlator.score(theirs, ours, x_m, y_m, yaw_rad)
            found.append(
                PlanarMatch(method="keypoints", x_m=x_m, y_m=y_m, yaw_rad=yaw_rad, score=score, covariance=fit.covariance)
            )
        best = max(found, key=lambda planar: planar.score)
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

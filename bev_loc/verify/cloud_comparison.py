"""From a motion in the plane to one in space that two clouds agree on, and on no other one as well."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..config import BevConfig, VerifyConfig
from ..geometry import se3
from ..records import Closure, Keyframe
from . import reasons
from .image_comparison import Scale
from .lift import lift
from .planar import PlanarMatch
from .registration import Sketch, Surface, approach, register, sketch, surface
from .remembered import Remembered
from .rivals import strongest_rival
from .surroundings import Surroundings

REGISTRATION_RANGE_M = 60.0  # farther points are sparse: their covariances say little
REMEMBERED = 8  # keyframes whose surfaces are kept, about 1 MB each
PROMISING = 0.9  # of the overlap asked for: less, after the first approach, never becomes enough
CLEAR = 0.75  # of the winner's overlap: a rival above it makes the place ambiguous
ELSEWHERE_M, ELSEWHERE_RAD = 2.0, np.radians(20.0)  # what is nearer than this is the same answer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clouds:
    """What registration needs of one pair, whatever the guess."""

    query: Keyframe
    match: Keyframe
    source: Sketch  # of the query
    target: Surface  # of the match
    around: Surroundings  # of the match


class CloudComparison:
    """Tests of registration, overlap, residual and rivals, for images of one grid."""

    def __init__(self, verify: VerifyConfig, bev: BevConfig, images: Scale) -> None:
        """`images` are looked through for rivals: metres away, so that half the resolution will do."""
        self._verify, self._bev, self._images = verify, bev, images
        self._surfaces = Remembered(lambda keyframe: surface(_near(keyframe)), REMEMBERED)
        self._sketches = Remembered(lambda keyframe: sketch(_near(keyframe)), REMEMBERED)

    def judge(
        self, closure: Closure, planar: PlanarMatch, query: Keyframe, match: Keyframe, submap_match: Callable[[], np.ndarray]
    ) -> Closure:
        """The motion in space by registration, if it passes the tests of overlap and residual, and no other one does.

        The query is laid on the match's own cloud, so that odometry between the match and its neighbours
        does not enter the closure; their clouds only say what else is there.
        """
        target, source = self._surfaces.of(match), self._sketches.of(query)
        if target is None or source is None:
            return replace(closure, reason=reasons.CLOUD_TOO_SMALL)
        around = Surroundings(match, submap_match, self._bev.range_m)
        clouds = Clouds(query=query, match=match, source=source, target=target, around=around)
        closure = self._register(closure, planar, clouds, enough=self._verify.min_overlap)
        return self._unrivalled(closure, clouds) if closure.accepted else closure

    def _register(self, closure: Closure, planar: PlanarMatch, clouds: Clouds, enough: float) -> Closure:
        """The closure with the motion in space that the one in the plane leads to, tested; its overlap is exact below `enough`."""
        guess = lift(planar, clouds.query, clouds.match, self._bev)
        approached = approach(clouds.target, clouds.source, guess)
        promising = PROMISING * self._verify.min_overlap
        share = clouds.around.overlap(clouds.query, approached, promising)
        if share < promising:
            return replace(closure, T_match_query=approached, overlap=share, reason=reasons.LOW_OVERLAP)
        source = self._surfaces.of(clouds.query)
        assert source is not None  # else it would have had no sketch
        fit = register(clouds.target, source, guess, approached)
        share = clouds.around.overlap(clouds.query, fit.T_target_source, enough)
        closure = replace(
            closure, T_match_query=fit.T_target_source, information=fit.information, rmse_m=fit.rmse_m, overlap=share
        )
        if not fit.converged:
            return replace(closure, reason=reasons.DIVERGED)
        if share < self._verify.min_overlap:
            return replace(closure, reason=reasons.LOW_OVERLAP)
        if not fit.rmse_m <= self._verify.max_rmse_m:
            return replace(closure, reason=reasons.LARGE_RESIDUAL)
        return replace(closure, accepted=True, reason=reasons.ACCEPTED)

    def _unrivalled(self, closure: Closure, clouds: Clouds) -> Closure:
        """The accepted closure, or the pose elsewhere that clearly beats it; refused when neither clearly wins."""
        match, query = (self._images.spectra.of(keyframe) for keyframe in (clouds.match, clouds.query))
        rival = strongest_rival(self._images.correlator, match, query, _in_plane(closure, clouds))
        if rival is None:
            return closure
        closure = replace(closure, overlap=clouds.around.overlap(clouds.query, closure.T_match_query, np.inf))
        other = self._register(closure, rival, clouds, enough=np.inf)
        shift_m, turn_rad = se3.distance(closure.T_match_query, other.T_match_query)
        if shift_m < ELSEWHERE_M and turn_rad < ELSEWHERE_RAD:
            return closure
        if other.overlap < CLEAR * closure.overlap:
            return closure
        if other.accepted and closure.overlap < CLEAR * other.overlap:
            return other
        return replace(closure, accepted=False, reason=reasons.AMBIGUOUS)


def _near(keyframe: Keyframe) -> np.ndarray:
    """(N, 3) the points within the range of registration."""
    points = keyframe.points_kf
    return points[np.einsum("ij,ij->i", points, points) < REGISTRATION_RANGE_M**2]


def _in_plane(closure: Closure, clouds: Clouds) -> PlanarMatch:
    """The closure's motion as it shows between the levelled frames."""
    T_level_match = se3.from_parts(clouds.match.R_level_kf, np.zeros(3))
    T_query_level = se3.from_parts(clouds.query.R_level_kf.T, np.zeros(3))
    T = T_level_match @ closure.T_match_query @ T_query_level
    yaw_rad = float(np.arctan2(T[1, 0], T[0, 0]))
    return PlanarMatch(method=closure.method, x_m=float(T[0, 3]), y_m=float(T[1, 3]), yaw_rad=yaw_rad, score=closure.score)

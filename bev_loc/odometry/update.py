"""The iterated update: a predicted state and its covariance meet a scan's plane residuals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..geometry import se3, so3
from .bev_keyframe import Placed
from .bev_residuals import BevMatches
from .local_map import LayeredMap
from .residuals import NormalEquations, PlaneMatches
from .sweep import Course, Sweep

_SIGMA_M = 0.1  # of one plane residual in the filter, above the lidar's noise: a scan must not be believed too fast
_KERNEL_M = 0.1
_CONVERGED_RAD, _CONVERGED_M = 1e-4, 1e-3
_SEARCH_RAD, _SEARCH_M = 1e-3, 2e-2  # motion since the last search of neighbours that calls for another
_DEGENERATE = 20.0  # matches' worth of information below which a direction counts as unobserved
_OPEN = 60.0  # below it BEV matches may help
_FACING = 0.7  # cosine to an open direction from which on a surface tells something of it: few points tilt a wall by 30 degrees


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """The pose expected at the sweep's end, and how far the state may be off.

    The error state is D long: rotation (3) and translation (3) of the body, right perturbation, then
    whatever else the state holds; the planes see the first six.
    """

    T_odom_body: np.ndarray  # (4, 4)
    covariance: np.ndarray  # (D, D)
    course: Course
    interval_s: float  # since the last pose
    inertial: bool = False  # from the IMU filter: D is the filter's
    wary: bool = False  # of planes that may be phantoms (see PlaneMatches)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """A state with the evidence for it."""

    T_odom_body: np.ndarray  # (4, 4) at the sweep's end
    error: np.ndarray  # (D,) what the prediction was off by
    covariance: np.ndarray  # (D, D) at the new state, as the filter goes on with it
    pose_covariance: np.ndarray  # (6, 6) of the pose against the map, with residuals as large as they are
    planes: np.ndarray  # (6, 6) information of the pose in the planes alone, as the filter weighs them
    surprise: float  # squared Mahalanobis length of `error` under the prediction, per dimension
    points: int
    matches: int
    rmse_m: float
    iterations: int
    degenerate_directions: int
    bev_matches: int = 0  # pixels, and one for the keyframe

    @classmethod
    def given(cls, T_odom_body: np.ndarray, dimension: int = 6) -> "Registration":
        """A pose that is known by definition: the first one."""
        return cls(
            T_odom_body=T_odom_body,
            error=np.zeros(dimension),
            covariance=1e-12 * np.eye(dimension),
            pose_covariance=1e-12 * np.eye(6),
            planes=np.zeros((6, 6)),
            surprise=0.0,
            points=0,
            matches=0,
            rmse_m=float("nan"),
            iterations=0,
            degenerate_directions=0,
        )

    def fit(self) -> float:
        """Matches, each weighed by how near to its plane they lie on average."""
        return self.matches / (1.0 + (self.rmse_m / _KERNEL_M) ** 2) if self.matches else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BevHelp:
    """BEV residuals on demand: in every direction, or only where the planes leave one open."""

    match: Callable[[], BevMatches]  # at the predicted pose; costs a few milliseconds
    always: bool
    place: Callable[[], Placed | None] | None = None  # by the keyframe, if there is one near; only where planes leave one open

    def matches(self, prediction: Prediction, open_body: np.ndarray) -> BevMatches:
        """What is plausible, and tells something of (3, D) directions of the body."""
        found = self.match().gated(prediction.T_odom_body, prediction.covariance[:6, :6])
        return found if self.always else found.facing(open_body, _FACING)


def register(
    sweep: Sweep,
    local_map: LayeredMap,
    prediction: Prediction,
    max_iterations: int,
    bev: BevHelp | None = None,
    begin: np.ndarray | None = None,
) -> Registration:
    """Maximum a posteriori state at the sweep's end: the prediction as prior, and plane residuals.

    Iterated update in information form (FAST-LIO2, equation 18), written in the error d at the predicted
    state, where the prior is exact: (A^T H A + P^-1) step = -(A^T gradient + P^-1 d), with A the change of
    the pose's own perturbation with d. Deskewing moves along; neighbours are searched again after every
    step that moved enough to change them. BEV matches are found once, from the prediction; where they tell something
    of directions that planes leave open, noise in the planes' normals does not any more.
    begin: (D,) error to begin at; the prior stays where it is.
    """
    dimension = len(prediction.covariance)
    information = np.linalg.inv(prediction.covariance)
    followed = (1.0 - prediction.course.follow * (1.0 - sweep.shares)).astype(np.float32)
    matching = PlaneMatches(followed, sweep.rays, wary=prediction.wary)
    error = np.zeros(dimension) if begin is None else begin
    T, T_searched = moved(prediction.T_odom_body, error), np.zeros((4, 4))  # searched nowhere yet
    placed, pixels, open_body = None, None, np.zeros((3, 0))
    for iteration in range(1, max_iterations + 1):
        points_body = prediction.course.at_end(sweep, T)
        if _moved(T_searched, T):
            matching.search(points_body, T, local_map.layers)
            T_searched = T
            if pixels is not None:
                matching.straighten(points_body, T, open_body)
        system = matching.linearise(points_body, T, _SIGMA_M, _KERNEL_M)
        if iteration == 1 and bev is not None:
            open_body = _directions_below(_OPEN, system.hessian)
            if bev.always or open_body.size:
                found = bev.matches(prediction, open_body)
                pixels = found if len(found.seen_xy) else None
                placed = bev.place() if bev.place and open_body.size else None  # where planes tell all, it is not worth its time
                if pixels is not None:
                    matching.straighten(points_body, T, open_body)
                    system = matching.linearise(points_body, T, _SIGMA_M, _KERNEL_M)
        hessian, slope = system.hessian, system.gradient
        for seen_from_above in (pixels, placed):
            if seen_from_above is not None:
                more_hessian, more_slope = seen_from_above.linearise(T)
                hessian, slope = hessian + more_hessian, slope + more_slope
        A = _perturbation(error[:3])
        posterior = information.copy()
        posterior[:6, :6] += A.T @ hessian @ A
        gradient = information @ error
        gradient[:6] += A.T @ slope
        step = -np.linalg.solve(posterior, gradient)
        error = error + step
        T = moved(prediction.T_odom_body, error)
        if np.abs(step[:3]).max() < _CONVERGED_RAD and np.abs(step[3:6]).max() < _CONVERGED_M:
            break
    A = np.eye(dimension)
    A[:6, :6] = _perturbation(error[:3])
    covariance = A @ np.linalg.inv(posterior) @ A.T
    return Registration(
        T_odom_body=T,
        error=error,
        covariance=covariance,
        pose_covariance=as_scattered(covariance[:6, :6], system),
        planes=system.hessian,
        surprise=float(error @ information @ error) / dimension,
        points=len(points_body),
        matches=system.matches,
        rmse_m=system.rmse_m,
        iterations=iteration,
        degenerate_directions=_degenerate(system.hessian),
        bev_matches=(0 if pixels is None else len(pixels.seen_xy)) + (placed is not None),
    )


def moved(T_odom_body: np.ndarray, error: np.ndarray) -> np.ndarray:
    """The pose (4, 4) moved by a rotation error[:3] and a translation error[3:6], both in the body frame."""
    return T_odom_body @ se3.from_parts(so3.exp(error[:3]), error[3:6])


def _perturbation(rotation: np.ndarray) -> np.ndarray:
    """(6, 6) A: a change of `moved`'s error by d changes the resulting pose by exp(A d) on its right."""
    A = np.zeros((6, 6))
    A[:3, :3] = so3.right_jacobian(rotation)
    A[3:, 3:] = so3.exp(-rotation)
    return A


def as_scattered(covariance: np.ndarray, system: NormalEquations) -> np.ndarray:
    """(6, 6) of a pose estimated with residuals of `_SIGMA_M` whose deviation is the one found.

    The sandwich (H + P^-1)^-1 (k H + P^-1) (H + P^-1)^-1 of weights that are no inverse variances, k the ratio of the
    variances: what planes tell is as sure as they are even, what they leave open is as unsure as the prediction.
    Where they leave something open they are not believed to be as good as they look.
    """
    if _degenerate(system.hessian):
        return covariance
    return covariance - (1.0 - min(1.0, (system.rmse_m / _SIGMA_M) ** 2)) * covariance @ system.hessian @ covariance


def _degenerate(hessian: np.ndarray) -> int:
    """Directions of translation and of rotation (per 10 m lever) that hardly any residual constrains."""
    scaled = hessian * _SIGMA_M**2
    translation = np.linalg.eigvalsh(scaled[3:, 3:])
    rotation = np.linalg.eigvalsh(scaled[:3, :3] / 100.0)
    return int((translation < _DEGENERATE).sum() + (rotation < _DEGENERATE).sum())


def _directions_below(least: float, hessian: np.ndarray) -> np.ndarray:
    """(3, D) the body's directions of which planes tell less than so many matches."""
    information, directions = np.linalg.eigh(hessian[3:, 3:] * _SIGMA_M**2)
    return directions[:, information < least]


def _moved(T_odom_a: np.ndarray, T_odom_b: np.ndarray) -> bool:
    change = np.abs(T_odom_b - T_odom_a)  # of a rotation matrix: about the angle
    return change[:3, :3].max() > _SEARCH_RAD or change[:3, 3].max() > _SEARCH_M

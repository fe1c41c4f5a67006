"""The iterated update: a predicted pose and its covariance meet a scan's plane residuals."""

from dataclasses import dataclass

import numpy as np

from ..geometry import se3
from .local_map import LocalMap
from .residuals import PlaneMatches
from .sweep import Sweep

_SIGMA_M = 0.1  # of one plane residual; neighbours share their errors, so this is above the lidar's noise
_KERNEL_M = 0.1
_CONVERGED_RAD, _CONVERGED_M = 1e-4, 1e-3
_SEARCH_RAD, _SEARCH_M = 1e-3, 2e-2  # motion since the last search of neighbours that calls for another
# How far deskewing follows the motion being estimated, away from the predicted one. With 0 (deskewing by the
# last scan's motion) acceleration smears; with 1 an error of one pose returns negated in the next, for ever.
# A velocity error shrinks by the largest root of (1 - f/2) r^2 - (1/2 - f) r + (1 - f)/2: 0.71 at 0, 0.41 at 0.8.
FOLLOW = 0.8
_DEGENERATE = 20.0  # matches' worth of information below which a direction counts as unobserved


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """A pose with the evidence for it."""

    T_odom_base: np.ndarray  # (4, 4) at the sweep's end
    motion: np.ndarray  # (6,) tangent from the last pose to this one
    covariance: np.ndarray  # (6, 6)
    points: int
    matches: int
    rmse_m: float
    iterations: int
    degenerate_directions: int

    @classmethod
    def given(cls, T_odom_base: np.ndarray) -> "Registration":
        """A pose that is known by definition: the first one."""
        return cls(
            T_odom_base=T_odom_base,
            motion=np.zeros(6),
            covariance=1e-12 * np.eye(6),
            points=0,
            matches=0,
            rmse_m=float("nan"),
            iterations=0,
            degenerate_directions=0,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """The last pose, the motion expected until the scan's end, and how far it may be off."""

    T_odom_last: np.ndarray  # (4, 4)
    motion: np.ndarray  # (6,) tangent: T_odom_end = T_odom_last exp(motion)
    interval_s: float  # between the two poses
    follow: float = FOLLOW  # share of the estimated motion's change that deskewing follows
    covariance: np.ndarray  # (6, 6) of the pose at the end


def register(
    sweep: Sweep, local_map: LocalMap, prediction: Prediction, max_iterations: int
) -> Registration:
    """Maximum a posteriori pose at the sweep's end: the prediction as prior, and plane residuals.

    Iterated update in information form (FAST-LIO2, equation 18, for a pose state):
    (H + P^-1) step = -(gradient + P^-1 prior error). Each step moves the deskewing along; neighbours
    are searched again after every step that moved enough to change them.
    """
    information = np.linalg.inv(prediction.covariance)
    T_odom_predicted = prediction.T_odom_last @ se3.exp(prediction.motion)
    matching = PlaneMatches((1.0 - prediction.follow * (1.0 - sweep.shares)).astype(np.float32))
    T, motion = T_odom_predicted, prediction.motion
    T_searched = np.zeros((4, 4))  # nowhere yet
    for iteration in range(1, max_iterations + 1):
        points_base = sweep.at_end(prediction.motion + prediction.follow * (motion - prediction.motion))
        if _moved(T_searched, T):
            matching.search(points_base, T, local_map)
            T_searched = T
        system = matching.linearise(points_base, T, _SIGMA_M, _KERNEL_M)
        error = se3.log(se3.inverse(T_odom_predicted) @ T)
        # The prior's Jacobian is the identity to first order: its error is small beside its deviation.
        step = -np.linalg.solve(system.hessian + information, system.gradient + information @ error)
        T = T @ se3.exp(step)
        motion = se3.log(se3.inverse(prediction.T_odom_last) @ T)
        if np.abs(step[:3]).max() < _CONVERGED_RAD and np.abs(step[3:]).max() < _CONVERGED_M:
            break
    return Registration(
        T_odom_base=prediction.T_odom_last @ se3.exp(motion),  # keeps rounding from piling up
        motion=motion,
        covariance=np.linalg.inv(system.hessian + information),
        points=len(points_base),
        matches=system.matches,
        rmse_m=system.rmse_m,
        iterations=iteration,
        degenerate_directions=_degenerate(system.hessian),
    )


def _degenerate(hessian: np.ndarray) -> int:
    """Directions of translation and of rotation (per 10 m lever) that hardly any residual constrains."""
    scaled = hessian * _SIGMA_M**2
    translation = np.linalg.eigvalsh(scaled[3:, 3:])
    rotation = np.linalg.eigvalsh(scaled[:3, :3] / 100.0)
    return int((translation < _DEGENERATE).sum() + (rotation < _DEGENERATE).sum())


def _moved(T_odom_a: np.ndarray, T_odom_b: np.ndarray) -> bool:
    change = np.abs(T_odom_b - T_odom_a)  # of a rotation matrix: about the angle
    return change[:3, :3].max() > _SEARCH_RAD or change[:3, 3].max() > _SEARCH_M

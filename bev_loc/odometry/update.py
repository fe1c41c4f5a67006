"""The iterated update: a predicted pose and its covariance meet a scan's plane residuals."""

from dataclasses import dataclass

import numpy as np

from ..geometry import se3, so3
from .local_map import LocalMap
from .residuals import PlaneMatches

_SIGMA_M = 0.1  # of one plane residual; neighbours share their errors, so this is above the lidar's noise
_KERNEL_M = 0.1
_CONVERGED_RAD, _CONVERGED_M = 1e-4, 1e-3
_DEGENERATE = 20.0  # matches' worth of information below which a direction counts as unobserved


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """A pose with the evidence for it."""

    T_odom_base: np.ndarray  # (4, 4)
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
            covariance=1e-12 * np.eye(6),
            points=0,
            matches=0,
            rmse_m=float("nan"),
            iterations=0,
            degenerate_directions=0,
        )


def register(
    points_base: np.ndarray,
    local_map: LocalMap,
    T_odom_predicted: np.ndarray,
    T_odom_start: np.ndarray,
    covariance: np.ndarray,
    max_iterations: int,
) -> Registration:
    """Maximum a posteriori pose: prior N(T_odom_predicted, covariance), planes, started at T_odom_start.

    points_base: (N, 3) float32 deskewed. Iterated update in information form (FAST-LIO2, equation 18,
    for a pose state): (H + P^-1) step = -(gradient + P^-1 prior error), neighbours searched again
    after every step until it converges.
    """
    information = np.linalg.inv(covariance)
    matching = PlaneMatches(points_base)
    T = T_odom_start.copy()
    for iteration in range(1, max_iterations + 1):
        matching.search(local_map, T, local_map.voxel_m)
        system = matching.linearise(T, _SIGMA_M, _KERNEL_M)
        error = se3.log(se3.inverse(T_odom_predicted) @ T)
        # The prior's Jacobian is the identity to first order: its error is small beside its deviation.
        step = -np.linalg.solve(system.hessian + information, system.gradient + information @ error)
        T = T @ se3.exp(step)
        if np.linalg.norm(step[:3]) < _CONVERGED_RAD and np.linalg.norm(step[3:]) < _CONVERGED_M:
            break
    T[:3, :3] = so3.exp(so3.log(np.ascontiguousarray(T[:3, :3])))  # keeps rounding from piling up
    return Registration(
        T_odom_base=T,
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

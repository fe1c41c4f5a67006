"""The motion in the plane that two BEV images agree on, with its evidence."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanarMatch:
    """p_match = R(yaw) p_query + (x, y) between the levelled frames of two keyframes."""

    method: str  # "keypoints" or "correlation"
    x_m: float
    y_m: float
    yaw_rad: float
    inliers: int = 0  # keypoint matches that agree
    score: float = 0.0  # correlation of the aligned images, 0..1
    covariance: np.ndarray | None = None  # (3, 3) of x, y, yaw; correlation gives none

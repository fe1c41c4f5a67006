"""From the plane to space: height, roll and pitch between two keyframes from their mean-height images."""

import numpy as np
from numba import njit

from ..bev.grid import middle_px, to_metres, to_pixels
from ..config import BevConfig
from ..geometry import se3, so3
from ..records import BevImage, Keyframe
from .planar import PlanarMatch

MIN_PIXELS = 30  # common to both images; fewer fix no height
MOST_PIXELS = 2000  # of the query that are looked at: a plane needs no more
REWEIGHTINGS = 8
MOST_TILT_RAD = np.radians(20.0)


def lift(planar: PlanarMatch, query: Keyframe, match: Keyframe, bev: BevConfig) -> np.ndarray:
    """T_match_query (4, 4) of a planar motion between the levelled frames of two keyframes.

    Levelling is as good as the odometry's roll and pitch, which drift by degrees where no gravity holds
    them; so the tilt that is left between the two is estimated together with the height.
    """
    T_level_level = se3.from_se2(planar.x_m, planar.y_m, planar.yaw_rad)
    height_m, along_x, along_y = _height_plane(T_level_level, query.image, match.image, bev)
    T_level_level[:3, :3] = so3.exp(np.array([along_y, -along_x, 0.0])) @ T_level_level[:3, :3]
    T_level_level[2, 3] = height_m
    R_level_query = se3.from_parts(query.R_level_kf, np.zeros(3))
    return se3.inverse(se3.from_parts(match.R_level_kf, np.zeros(3))) @ T_level_level @ R_level_query


def _height_plane(T_level_level: np.ndarray, query: BevImage, match: BevImage, bev: BevConfig) -> np.ndarray:
    """(3,) height over the query's sensor and slopes along x and y of what must be added to the query's heights."""
    here = np.flatnonzero(query.counts)
    here = np.column_stack(np.divmod(here[:: 1 + len(here) // MOST_PIXELS], query.counts.shape[1]))
    xy = to_metres(here, bev) @ T_level_level[:2, :2].T  # about the query's sensor, in the match's axes
    there = np.rint(to_pixels(xy + T_level_level[:2, 3], bev)).astype(int)
    inside = ((there >= 0) & (there <= 2 * middle_px(bev))).all(1)
    here, there, xy = here[inside], there[inside], xy[inside]
    higher_m = match.mean_height_m[there[:, 0], there[:, 1]] - query.mean_height_m[here[:, 0], here[:, 1]]
    common = np.isfinite(higher_m)
    if common.sum() < MIN_PIXELS:
        return np.zeros(3)
    plane = _plane(xy[common], higher_m[common].astype(float))
    plane[1:] = np.clip(plane[1:], -MOST_TILT_RAD, MOST_TILT_RAD)
    return plane


@njit(cache=True, nogil=True)
def _plane(xy: np.ndarray, higher_m: np.ndarray) -> np.ndarray:
    """(3,) constant and slopes of the plane through (N,) heights at (N, 2), with Cauchy weights whose width follows the residuals.

    Moved cars and tree crowns seen from elsewhere do not count.
    """
    plane = np.array([np.median(higher_m), 0.0, 0.0])
    errors = np.empty_like(higher_m)
    for _ in range(REWEIGHTINGS):
        for n in range(len(higher_m)):
            errors[n] = higher_m[n] - plane[0] - plane[1] * xy[n, 0] - plane[2] * xy[n, 1]
        width = max(1.5 * np.median(np.abs(errors)), 0.05)
        A, b = 1e-6 * np.eye(3), np.zeros(3)
        for n in range(len(higher_m)):
            weight = 1.0 / (1.0 + (errors[n] / width) ** 2)
            row = (1.0, xy[n, 0], xy[n, 1])
            for i in range(3):
                b[i] += weight * row[i] * higher_m[n]
                for j in range(3):
                    A[i, j] += weight * row[i] * row[j]
        plane = np.linalg.solve(A, b)
    return plane

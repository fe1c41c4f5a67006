"""A rigid motion in the plane from point pairs, most of which are wrong (Fischler and Bolles 1981)."""

from dataclasses import dataclass

import numpy as np
from numba import njit

CONFIDENCE = 0.999
MIN_SPREAD_M = 4.0  # two pairs nearer than this do not fix the heading
REFITS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RigidFit:
    """p_match = R(yaw) p_query + (x, y) of the pairs that agree."""

    x_y_yaw: np.ndarray  # (3,) metres and radians
    covariance: np.ndarray  # (3, 3) of x, y, yaw
    inliers: int  # pairs within the distance


def fit_rigid(
    match_xy: np.ndarray, query_xy: np.ndarray, distance_m: float, rng: np.random.Generator, most_tries: int = 2000
) -> RigidFit | None:
    """The motion with the most (N, 2) pairs within `distance_m`, refitted robustly; None when no two agree."""
    count = len(match_xy)
    if count < 3:
        return None
    first = rng.integers(0, count, most_tries)
    second = (first + rng.integers(1, count, most_tries)) % count  # never the same pair twice
    match_xy, query_xy = np.ascontiguousarray(match_xy, float), np.ascontiguousarray(query_xy, float)
    pose, inliers = _search(match_xy, query_xy, first, second, distance_m)
    if inliers < 3:
        return None
    pose, covariance = _refit(match_xy, query_xy, pose, distance_m)
    return RigidFit(
        x_y_yaw=pose, covariance=covariance, inliers=agreeing(match_xy, query_xy, pose, distance_m)
    )


def agreeing(match_xy: np.ndarray, query_xy: np.ndarray, x_y_yaw: np.ndarray, distance_m: float) -> int:
    """How many of (N, 2) pairs a motion (3,) brings within `distance_m` of each other."""
    if not len(match_xy):
        return 0
    return int((np.linalg.norm(_residuals(match_xy, query_xy, x_y_yaw), axis=1) < distance_m).sum())


@njit(cache=True, nogil=True)
def _residuals(match_xy: np.ndarray, query_xy: np.ndarray, pose: np.ndarray) -> np.ndarray:
    cosine, sine = np.cos(pose[2]), np.sin(pose[2])
    out = np.empty_like(match_xy)
    out[:, 0] = cosine * query_xy[:, 0] - sine * query_xy[:, 1] + pose[0] - match_xy[:, 0]
    out[:, 1] = sine * query_xy[:, 0] + cosine * query_xy[:, 1] + pose[1] - match_xy[:, 1]
    return out


@njit(cache=True, nogil=True)
def _search(
    match_xy: np.ndarray, query_xy: np.ndarray, first: np.ndarray, second: np.ndarray, distance_m: float
) -> tuple[np.ndarray, int]:
    """The two-pair motion with the most inliers; stops when a better one is improbable."""
    best, best_count, needed = np.zeros(3), 0, len(first)
    for n in range(len(first)):
        if n >= needed:
            break
        i, j = first[n], second[n]
        qx, qy = query_xy[j, 0] - query_xy[i, 0], query_xy[j, 1] - query_xy[i, 1]
        mx, my = match_xy[j, 0] - match_xy[i, 0], match_xy[j, 1] - match_xy[i, 1]
        spread_q, spread_m = np.sqrt(qx * qx + qy * qy), np.sqrt(mx * mx + my * my)
        if spread_q < MIN_SPREAD_M or spread_m == 0.0 or abs(spread_q - spread_m) > 2.0 * distance_m:
            continue
        both = spread_q * spread_m
        cosine, sine = (qx * mx + qy * my) / both, (qx * my - qy * mx) / both
        qx, qy = 0.5 * (query_xy[i, 0] + query_xy[j, 0]), 0.5 * (query_xy[i, 1] + query_xy[j, 1])
        mx, my = 0.5 * (match_xy[i, 0] + match_xy[j, 0]), 0.5 * (match_xy[i, 1] + match_xy[j, 1])
        x, y = mx - cosine * qx + sine * qy, my - sine * qx - cosine * qy
        count = 0
        for k in range(len(match_xy)):
            if count + len(match_xy) - k <= best_count:
                break  # it cannot become the best any more
            ex = cosine * query_xy[k, 0] - sine * query_xy[k, 1] + x - match_xy[k, 0]
            ey = sine * query_xy[k, 0] + cosine * query_xy[k, 1] + y - match_xy[k, 1]
            if ex * ex + ey * ey < distance_m * distance_m:
                count += 1
        if count > best_count:
            best_count = count
            best[0], best[1], best[2] = x, y, np.arctan2(sine, cosine)
            share = (count / len(match_xy)) ** 2
            if share < 1.0:
                needed = min(needed, n + 1 + int(np.log(1.0 - CONFIDENCE) / np.log(1.0 - share)))
    return best, best_count


@njit(cache=True, nogil=True)
def _refit(
    match_xy: np.ndarray, query_xy: np.ndarray, pose: np.ndarray, distance_m: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Newton with Cauchy weights on pairs within twice the distance; covariance from the residuals."""
    pose = pose.copy()
    covariance = np.eye(3)
    for _ in range(REFITS):
        H, b = np.zeros((3, 3)), np.zeros(3)
        squares, weights = 0.0, 0.0
        errors = _residuals(match_xy, query_xy, pose)
        cosine, sine = np.cos(pose[2]), np.sin(pose[2])
        for k in range(len(match_xy)):
            ex, ey = errors[k, 0], errors[k, 1]
            square = ex * ex + ey * ey
            if square > 4.0 * distance_m**2:
                continue
            weight = 1.0 / (1.0 + square / (0.5 * distance_m) ** 2)
            gx = -sine * query_xy[k, 0] - cosine * query_xy[k, 1]  # derivatives of x and y by yaw
            gy = cosine * query_xy[k, 0] - sine * query_xy[k, 1]
            H[0, 0] += weight
            H[0, 2] += weight * gx
            H[1, 2] += weight * gy
            H[2, 2] += weight * (gx * gx + gy * gy)
            b[0] += weight * ex
            b[1] += weight * ey
            b[2] += weight * (gx * ex + gy * ey)
            squares += weight * square
            weights += weight
        H[1, 1], H[2, 0], H[2, 1] = H[0, 0], H[0, 2], H[1, 2]
        step = np.linalg.solve(H + 1e-9 * np.eye(3), b)
        pose -= step
        covariance = np.linalg.inv(H + 1e-9 * np.eye(3)) * squares / max(2.0 * weights - 3.0, 1.0)
    pose[2] = (pose[2] + np.pi) % (2.0 * np.pi) - np.pi
    return pose, covariance

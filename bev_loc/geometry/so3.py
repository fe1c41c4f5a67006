"""Rotations: (3, 3) float64 matrices, tangent vectors (3,) in radians, quaternions x y z w."""

import numpy as np
from numba import njit

_SMALL_RAD = 1e-7


@njit(cache=True)
def hat(w: np.ndarray) -> np.ndarray:
    """The (3, 3) matrix with hat(w) @ v = cross(w, v)."""
    return np.array([[0.0, -w[2], w[1]], [w[2], 0.0, -w[0]], [-w[1], w[0], 0.0]])


@njit(cache=True)
def exp(w: np.ndarray) -> np.ndarray:
    """Rotation by |w| about w (Rodrigues)."""
    angle = np.sqrt(w[0] ** 2 + w[1] ** 2 + w[2] ** 2)
    W = hat(w)
    if angle < _SMALL_RAD:
        return np.eye(3) + W + 0.5 * W @ W
    return np.eye(3) + np.sin(angle) / angle * W + (1.0 - np.cos(angle)) / angle**2 * W @ W


@njit(cache=True)
def log(R: np.ndarray) -> np.ndarray:
    """The tangent vector w of length in [0, pi] with exp(w) = R; through the quaternion, so exact near pi."""
    q = to_quat_xyzw(R)
    s = np.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2)
    if s < _SMALL_RAD:
        return 2.0 * q[:3] / q[3]
    return 2.0 * np.arctan2(s, q[3]) / s * q[:3]


@njit(cache=True)
def right_jacobian(w: np.ndarray) -> np.ndarray:
    """Jr with exp(w + d) = exp(w) exp(Jr d) to first order in d."""
    angle = np.sqrt(w[0] ** 2 + w[1] ** 2 + w[2] ** 2)
    W = hat(w)
    if angle < 1e-5:
        return np.eye(3) - 0.5 * W + W @ W / 6.0
    a = (1.0 - np.cos(angle)) / angle**2
    b = (angle - np.sin(angle)) / angle**3
    return np.eye(3) - a * W + b * W @ W


@njit(cache=True)
def right_jacobian_inverse(w: np.ndarray) -> np.ndarray:
    """The inverse of `right_jacobian(w)`."""
    angle = np.sqrt(w[0] ** 2 + w[1] ** 2 + w[2] ** 2)
    W = hat(w)
    if angle < 1e-5:
        return np.eye(3) + 0.5 * W + W @ W / 12.0
    c = 1.0 / angle**2 - (1.0 + np.cos(angle)) / (2.0 * angle * np.sin(angle))
    return np.eye(3) + 0.5 * W + c * W @ W


@njit(cache=True)
def to_quat_xyzw(R: np.ndarray) -> np.ndarray:
    """(4,) unit quaternion with w >= 0, from the largest of the four components (Shepperd 1978)."""
    q = np.empty(4)
    trace = R[0, 0] + R[1, 1] + R[2, 2]
    if trace >= max(R[0, 0], R[1, 1], R[2, 2]):
        q[3] = 1.0 + trace
        q[0], q[1], q[2] = R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]
    else:
        i = 0
        if R[1, 1] > R[0, 0]:
            i = 1
        if R[2, 2] > R[i, i]:
            i = 2
        j, k = (i + 1) % 3, (i + 2) % 3
        q[i] = 1.0 + 2.0 * R[i, i] - trace
        q[j], q[k] = R[j, i] + R[i, j], R[k, i] + R[i, k]
        q[3] = R[k, j] - R[j, k]
    q /= np.sqrt(np.sum(q**2))
    return q if q[3] >= 0.0 else -q


def from_quat_xyzw(q: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations of (..., 4) quaternions of any non-zero length."""
    x, y, z, w = np.moveaxis(np.asarray(q, float) / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], -1),
            np.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], -1),
            np.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], -1),
        ],
        -2,
    )


def from_rpy(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Rz(yaw) Ry(pitch) Rx(roll), the convention of REP-103."""
    cr, sr, cp, sp, cy, sy = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def to_rpy(R: np.ndarray) -> np.ndarray:
    """(3,) roll, pitch, yaw with from_rpy(*to_rpy(R)) = R."""
    return np.array([np.arctan2(R[2, 1], R[2, 2]), -np.arcsin(np.clip(R[2, 0], -1, 1)), np.arctan2(R[1, 0], R[0, 0])])


def level(R_odom_base: np.ndarray) -> np.ndarray:
    """R_level_base: the roll and pitch of a base in a z-up frame, so that level keeps the base's yaw."""
    roll, pitch, _ = to_rpy(R_odom_base)
    return from_rpy(roll, pitch, 0.0)


def rotation_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotation R with R @ a parallel to b, for (3,) vectors of any non-zero length."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis, cosine = np.cross(a, b), float(a @ b)
    if cosine < -1 + 1e-12:  # opposite: half a turn about any axis across a
        axis = np.cross(a, np.eye(3)[np.argmin(np.abs(a))])
        return exp(np.pi * axis / np.linalg.norm(axis))
    W = hat(axis)
    return np.eye(3) + W + W @ W / (1.0 + cosine)

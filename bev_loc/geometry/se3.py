"""Rigid motions: (4, 4) float64 matrices, tangent vectors (6,) rotation first, right perturbation."""

import numpy as np
from numba import njit

from . import so3


@njit(cache=True)
def inverse(T: np.ndarray) -> np.ndarray:
    """T_b_a of T_a_b."""
    out = np.eye(4)
    for i in range(3):
        for j in range(3):
            out[i, j] = T[j, i]
            out[i, 3] -= T[j, i] * T[j, 3]
    return out


@njit(cache=True)
def exp(xi: np.ndarray) -> np.ndarray:
    """The motion of a constant twist over unit time: rotation xi[:3] and translation Jl xi[3:]."""
    out = np.eye(4)
    out[:3, :3] = so3.exp(xi[:3])
    out[:3, 3] = so3.right_jacobian(-xi[:3]) @ np.ascontiguousarray(xi[3:])
    return out


@njit(cache=True)
def log(T: np.ndarray) -> np.ndarray:
    """(6,) tangent vector with exp(log(T)) = T."""
    out = np.empty(6)
    out[:3] = so3.log(np.ascontiguousarray(T[:3, :3]))
    out[3:] = so3.right_jacobian_inverse(-out[:3]) @ np.ascontiguousarray(T[:3, 3])
    return out


@njit(cache=True)
def adjoint(T: np.ndarray) -> np.ndarray:
    """(6, 6) Ad with T exp(xi) T^-1 = exp(Ad xi), rotation first."""
    out = np.zeros((6, 6))
    R = np.ascontiguousarray(T[:3, :3])
    out[:3, :3] = R
    out[3:, 3:] = R
    out[3:, :3] = so3.hat(T[:3, 3]) @ R
    return out


def from_parts(R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The motion with rotation R (3, 3) and translation t (3,)."""
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = R, t
    return out


def from_xyz_rpy(values: tuple[float, ...]) -> np.ndarray:
    """The motion of x y z roll pitch yaw, metres and radians."""
    return from_parts(so3.from_rpy(*values[3:]), np.array(values[:3], float))


def from_se2(x: float, y: float, yaw: float) -> np.ndarray:
    """The planar motion by x, y and yaw."""
    return from_parts(so3.from_rpy(0.0, 0.0, yaw), np.array([x, y, 0.0]))


def apply(T_a_b: np.ndarray, points_b: np.ndarray) -> np.ndarray:
    """(N, 3) points_a of (N, 3) points_b, in the type of the points."""
    return _apply(np.ascontiguousarray(T_a_b, float), np.ascontiguousarray(points_b))


@njit(cache=True)
def _apply(T, points):
    out = np.empty_like(points)
    xx, xy, xz, xt = T[0, 0], T[0, 1], T[0, 2], T[0, 3]
    yx, yy, yz, yt = T[1, 0], T[1, 1], T[1, 2], T[1, 3]
    zx, zy, zz, zt = T[2, 0], T[2, 1], T[2, 2], T[2, 3]
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        out[n, 0] = xx * x + xy * y + xz * z + xt
        out[n, 1] = yx * x + yy * y + yz * z + yt
        out[n, 2] = zx * x + zy * y + zz * z + zt
    return out


def interpolate(T_a_b: np.ndarray, T_a_c: np.ndarray, fraction: float) -> np.ndarray:
    """The pose at `fraction` of the constant-twist way from b to c."""
    return T_a_b @ exp(fraction * log(inverse(T_a_b) @ T_a_c))


def distance(T_a_b: np.ndarray, T_a_c: np.ndarray) -> tuple[float, float]:
    """Metres and radians between two poses."""
    T_b_c = inverse(T_a_b) @ T_a_c
    return float(np.linalg.norm(T_b_c[:3, 3])), float(np.linalg.norm(so3.log(np.ascontiguousarray(T_b_c[:3, :3]))))

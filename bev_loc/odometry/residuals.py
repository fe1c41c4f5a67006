"""Point-to-plane residuals of a scan against the local map, as normal equations."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from .local_map import LocalMap, nearest
from .planes import bow, fit_plane, seen_as_line, spans, spare
from .rings import Rays

# Neighbours of a plane (5 as in FAST-LIO2, Xu et al. 2022, section V-B), and how wide they must spread, in voxels.
_LAYERS = ((5, 0.07), (10, 0.15))
_LINE_SHARE = 0.06  # of the angle between two rings that the neighbours spread each way, as seen from the lidar
_LINE_RAD = 5.5e-4  # and at least this angle, for a wary search
_ROUGH = 0.1  # squared roughness of surfaces over that of residuals: planes that lean on one point weigh less by it
_BENT_M = 0.02  # by which a wide plane's surface bends away from it, from which on it counts for less
_ACROSS = 0.3  # cosine between a normal and a direction up to which it may be noise
_RANGE_GATE = 9.0  # residual kept if 1 - 0.9 |d| / sqrt(range) > 0.9, so |d| < sqrt(range) / 9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalEquations:
    """Gauss-Newton system of one linearisation: hessian @ step = -gradient, right perturbation."""

    hessian: np.ndarray  # (6, 6) in units of 1 / sigma^2
    gradient: np.ndarray  # (6,)
    matches: int
    rmse_m: float


class PlaneMatches:
    """The planes found for each registered point; kept between iterations until searched again."""

    def __init__(self, shares: np.ndarray, rays: Rays = Rays(), wary: bool = False) -> None:
        """shares: (N,) float32, how much of a change of the pose each point follows (see `linearise`).

        wary: something else knows the motion, so planes that may be phantoms count for little: those that one
        point and a ring's line make, which come along with the vehicle. Without it they must do: on an
        empty street there are few others.
        """
        self._shares = shares
        self._rays = rays
        self._wary = wary
        self._planes = np.zeros((len(shares), 4))  # n, d with n @ p + d = 0; n = 0: none
        self._weights = np.ones(len(shares))

    def search(self, points_body: np.ndarray, T_odom_body: np.ndarray, layers: tuple[LocalMap, ...]) -> None:
        """Find the plane of each of (N, 3) deskewed points again, in the finest layer of the map that tells one."""
        angle_rad = max(_LINE_SHARE * self._rays.spacing_rad, _LINE_RAD if self._wary else 0.0)
        for number, layer in enumerate(layers):
            neighbours, spread = _LAYERS[number]
            _find_planes(
                points_body, self._rays.origin_body, T_odom_body, self._planes, self._weights, angle_rad**2,
                _ROUGH if self._wary else 0.0, neighbours, spread * layer.voxel_m, number > 0, layer.voxel_m,
                layer.table_keys, layer.table_blocks, layer.counts, layer.points,
            )  # fmt: skip

    def straighten(self, points_body: np.ndarray, T_odom_body: np.ndarray, open_body: np.ndarray) -> None:
        """Take normals that are nearly across (3, D) directions of the body as being across; residuals stay.

        A little noise in thousands of normals seems to tell where a tunnel's walls are along it. But those planes
        follow wherever the scan is put: the same noise turns the planes of the map's next points.
        """
        if not open_body.size:
            return
        open_odom = T_odom_body[:3, :3] @ open_body
        along = self._planes[:, :3] @ open_odom
        along[np.abs(along) > _ACROSS] = 0.0
        noise = along @ open_odom.T
        points_odom = points_body @ T_odom_body[:3, :3].T + T_odom_body[:3, 3]
        self._planes[:, :3] -= noise
        self._planes[:, 3] += np.einsum("ni,ni->n", noise, points_odom)

    def linearise(
        self, points_body: np.ndarray, T_odom_body: np.ndarray, sigma_m: float, kernel_m: float
    ) -> NormalEquations:
        """The system at this pose: residuals of deviation `sigma_m`, Cauchy kernel of width `kernel_m`.

        A point measured before the sweep's end moves less than the pose at the end when the motion within
        the sweep changes with it: its Jacobian is that of a rigid scan times its share.
        """
        hessian, gradient, matches, sum_2 = _linearise(
            points_body, self._shares, T_odom_body, self._planes, self._weights, sigma_m, kernel_m
        )
        rmse_m = float(np.sqrt(sum_2 / matches)) if matches else float("nan")
        return NormalEquations(hessian=hessian, gradient=gradient, matches=matches, rmse_m=rmse_m)


@njit(cache=True)
def _find_planes(
    points_body, origin_body, T, planes, weights, angle_2, rough, neighbours, spread_m, again, voxel_m,
    table_keys, table_blocks, counts, map_points,
):  # fmt: skip
    """Planes (N, 4) and weights (N,) of points in one layer of the map; with `again` only of those that have none yet."""
    found_points = np.empty((neighbours, 3))
    found_d2 = np.empty(neighbours)
    query, origin, gaps_2 = np.empty(3), np.empty(3), np.empty((3, 3))
    for axis in range(3):
        origin[axis] = T[axis, 0] * origin_body[0] + T[axis, 1] * origin_body[1] + T[axis, 2] * origin_body[2] + T[axis, 3]
    for n in range(points_body.shape[0]):
        if again and (planes[n, 0] != 0.0 or planes[n, 1] != 0.0 or planes[n, 2] != 0.0):
            continue
        x, y, z = points_body[n, 0], points_body[n, 1], points_body[n, 2]
        for axis in range(3):
            query[axis] = T[axis, 0] * x + T[axis, 1] * y + T[axis, 2] * z + T[axis, 3]
        found = nearest(
            query, voxel_m, voxel_m**2, table_keys, table_blocks, counts, map_points, found_points, found_d2, gaps_2
        )
        planes[n, :] = 0.0
        if (
            found < neighbours
            or not fit_plane(found_points, planes[n])
            or not spans(found_points, planes[n], query, spread_m)
            or (angle_2 > 0.0 and seen_as_line(found_points, origin, query, angle_2))
        ):
            planes[n, :] = 0.0
            continue
        weight = 1.0
        if again:
            bent = bow(found_points, planes[n], query)
            planes[n, 3] -= bent
            weight = 1.0 / (1.0 + (bent / _BENT_M) ** 2)
        if rough > 0.0:
            left = spare(found_points, planes[n])
            weight *= left / (left + rough * (1.0 - left))
        weights[n] = weight


@njit(cache=True)
def _linearise(points_body, shares, T, planes, weights, sigma_m, kernel_m):
    hessian = np.zeros((6, 6))
    gradient = np.zeros(6)
    jacobian = np.empty(6)
    matches, sum_2 = 0, 0.0
    for n in range(points_body.shape[0]):
        nx, ny, nz = planes[n, 0], planes[n, 1], planes[n, 2]
        if nx == 0.0 and ny == 0.0 and nz == 0.0:
            continue
        x, y, z = points_body[n, 0], points_body[n, 1], points_body[n, 2]
        residual = planes[n, 3] + nx * T[0, 3] + ny * T[1, 3] + nz * T[2, 3]
        # m = R^T n: the plane's normal in the body frame.
        mx = T[0, 0] * nx + T[1, 0] * ny + T[2, 0] * nz
        my = T[0, 1] * nx + T[1, 1] * ny + T[2, 1] * nz
        mz = T[0, 2] * nx + T[1, 2] * ny + T[2, 2] * nz
        residual += mx * x + my * y + mz * z
        if (_RANGE_GATE * residual) ** 4 > x * x + y * y + z * z:
            continue
        # d residual / d (rotation, translation) of T exp(xi) is (p x m, m).
        s = shares[n]
        mx, my, mz = s * mx, s * my, s * mz
        jacobian[0], jacobian[1], jacobian[2] = y * mz - z * my, z * mx - x * mz, x * my - y * mx
        jacobian[3], jacobian[4], jacobian[5] = mx, my, mz
        weight = weights[n] / (sigma_m**2 * (1.0 + (residual / kernel_m) ** 2))
        for i in range(6):
            scaled = weight * jacobian[i]
            gradient[i] += scaled * residual
            for j in range(i, 6):
                hessian[i, j] += scaled * jacobian[j]
        matches += 1
        sum_2 += residual * residual
    for i in range(6):
        for j in range(i):
            hessian[i, j] = hessian[j, i]
    return hessian, gradient, matches, sum_2

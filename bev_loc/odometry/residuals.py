"""Point-to-plane residuals of a scan against the local map, as normal equations."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from .local_map import LocalMap, nearest
from .rings import Rays

# Neighbours of a plane (5 as in FAST-LIO2, Xu et al. 2022, section V-B), and how wide they must spread, in voxels.
_LAYERS = ((5, 0.07), (10, 0.15))
_BESIDE = 2.0  # deviations of the neighbours' spread that a point may lie beside them
_PLANE_TOLERANCE_M = 0.1  # all neighbours lie this near to their plane
_LINE_SHARE = 0.06  # of the angle between two rings that the neighbours spread each way, as seen from the lidar
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

    def __init__(self, shares: np.ndarray, rays: Rays = Rays()) -> None:
        """shares: (N,) float32, how much of a change of the pose each point follows (see `linearise`)."""
        self._shares = shares
        self._rays = rays
        self._planes = np.zeros((len(shares), 4))  # n, d with n @ p + d = 0; n = 0: none

    def search(self, points_body: np.ndarray, T_odom_body: np.ndarray, layers: tuple[LocalMap, ...]) -> None:
        """Find the plane of each of (N, 3) deskewed points again, in the finest layer of the map that tells one."""
        for number, layer in enumerate(layers):
            neighbours, spread = _LAYERS[number]
            _find_planes(
                points_body, self._rays.origin_body, T_odom_body, self._planes, (_LINE_SHARE * self._rays.spacing_rad) ** 2,
                neighbours, spread * layer.voxel_m, number > 0, layer.voxel_m,
                layer.table_keys, layer.table_blocks, layer.counts, layer.points,
            )  # fmt: skip

    def linearise(
        self, points_body: np.ndarray, T_odom_body: np.ndarray, sigma_m: float, kernel_m: float
    ) -> NormalEquations:
        """The system at this pose: residuals of deviation `sigma_m`, Cauchy kernel of width `kernel_m`.

        A point measured before the sweep's end moves less than the pose at the end when the motion within
        the sweep changes with it: its Jacobian is that of a rigid scan times its share.
        """
        hessian, gradient, matches, sum_2 = _linearise(
            points_body, self._shares, T_odom_body, self._planes, sigma_m, kernel_m
        )
        rmse_m = float(np.sqrt(sum_2 / matches)) if matches else float("nan")
        return NormalEquations(hessian=hessian, gradient=gradient, matches=matches, rmse_m=rmse_m)


@njit(cache=True)
def _find_planes(
    points_body, origin_body, T, planes, angle_2, neighbours, spread_m, again, voxel_m, table_keys, table_blocks, counts, map_points
):
    """Planes (N, 4) of points in one layer of the map; with `again` only of those that have none yet."""
    found_points = np.empty((neighbours, 3))
    found_d2 = np.empty(neighbours)
    query = np.empty(3)
    origin = np.empty(3)
    for axis in range(3):
        origin[axis] = T[axis, 0] * origin_body[0] + T[axis, 1] * origin_body[1] + T[axis, 2] * origin_body[2] + T[axis, 3]
    for n in range(points_body.shape[0]):
        if again and (planes[n, 0] != 0.0 or planes[n, 1] != 0.0 or planes[n, 2] != 0.0):
            continue
        x, y, z = points_body[n, 0], points_body[n, 1], points_body[n, 2]
        for axis in range(3):
            query[axis] = T[axis, 0] * x + T[axis, 1] * y + T[axis, 2] * z + T[axis, 3]
        found = nearest(
            query, voxel_m, voxel_m**2, table_keys, table_blocks, counts, map_points, found_points, found_d2
        )
        planes[n, :] = 0.0
        if (
            found < neighbours
            or not _fit_plane(found_points, planes[n])
            or not _spans(found_points, planes[n], query, spread_m)
            or (angle_2 > 0.0 and _seen_as_line(found_points, origin, query, angle_2))
        ):
            planes[n, :] = 0.0


@njit(cache=True)
def _seen_as_line(points, origin, query, angle_2):
    """Whether (K, 3) points look like a line from where the rays come from: narrower than an angle, squared.

    What a single ring sees of a crown, a hedge or a corner lies in the ring's own plane: it turns with the
    vehicle, and a residual against it holds the attitude to whatever it was.
    """
    rx, ry, rz = query[0] - origin[0], query[1] - origin[1], query[2] - origin[2]
    range_2 = rx * rx + ry * ry + rz * rz
    flat_2 = max(rx * rx + ry * ry, 1e-12)
    # Axes across the ray: level, and upwards.
    scale = 1.0 / np.sqrt(flat_2)
    ux, uy = -ry * scale, rx * scale
    scale = 1.0 / np.sqrt(range_2)
    vx, vy, vz = -uy * rz * scale, ux * rz * scale, (uy * rx - ux * ry) * scale
    count = points.shape[0]
    cu, cv, uu, uv, vv = 0.0, 0.0, 0.0, 0.0, 0.0
    for m in range(count):
        dx, dy, dz = points[m, 0] - query[0], points[m, 1] - query[1], points[m, 2] - query[2]
        u, v = ux * dx + uy * dy, vx * dx + vy * dy + vz * dz
        cu, cv = cu + u, cv + v
        uu, uv, vv = uu + u * u, uv + u * v, vv + v * v
    uu, uv, vv = uu / count - (cu / count) ** 2, uv / count - cu * cv / count**2, vv / count - (cv / count) ** 2
    half, det = 0.5 * (uu + vv), uu * vv - uv * uv
    return half - np.sqrt(max(half * half - det, 0.0)) < angle_2 * range_2


@njit(cache=True)
def _spans(points, plane, query, spread_m):
    """Whether (K, 3) points on a plane spread wide enough to tell its normal, around the query and not beside it.

    Rings of a sparse lidar on the ground are lines: the normal about a line is noise, and residuals against
    it pull every scan back onto the last one's rings.
    """
    count = points.shape[0]
    nx, ny, nz = plane[0], plane[1], plane[2]
    # Two axes of the plane: across the normal and the axis it is least along.
    if abs(nx) <= abs(ny) and abs(nx) <= abs(nz):
        ux, uy, uz = 0.0, nz, -ny
    elif abs(ny) <= abs(nz):
        ux, uy, uz = -nz, 0.0, nx
    else:
        ux, uy, uz = ny, -nx, 0.0
    scale = 1.0 / np.sqrt(ux * ux + uy * uy + uz * uz)
    ux, uy, uz = ux * scale, uy * scale, uz * scale
    vx, vy, vz = ny * uz - nz * uy, nz * ux - nx * uz, nx * uy - ny * ux
    cu, cv, uu, uv, vv = 0.0, 0.0, 0.0, 0.0, 0.0
    for m in range(count):
        u = ux * points[m, 0] + uy * points[m, 1] + uz * points[m, 2]
        v = vx * points[m, 0] + vy * points[m, 1] + vz * points[m, 2]
        cu, cv = cu + u, cv + v
    cu, cv = cu / count, cv / count
    for m in range(count):
        u = ux * points[m, 0] + uy * points[m, 1] + uz * points[m, 2] - cu
        v = vx * points[m, 0] + vy * points[m, 1] + vz * points[m, 2] - cv
        uu, uv, vv = uu + u * u / count, uv + u * v / count, vv + v * v / count
    half, det = 0.5 * (uu + vv), uu * vv - uv * uv
    if half - np.sqrt(max(half * half - det, 0.0)) < spread_m * spread_m:
        return False
    u = ux * query[0] + uy * query[1] + uz * query[2] - cu
    v = vx * query[0] + vy * query[1] + vz * query[2] - cv
    return vv * u * u - 2.0 * uv * u * v + uu * v * v < _BESIDE**2 * det


@njit(cache=True)
def _fit_plane(points, plane):
    """Least-squares plane of (K, 3) points into plane (4,); False when a point lies off it."""
    count = points.shape[0]
    cx, cy, cz = 0.0, 0.0, 0.0
    for m in range(count):
        cx += points[m, 0]
        cy += points[m, 1]
        cz += points[m, 2]
    cx /= count
    cy /= count
    cz /= count
    xx, xy, xz, yy, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for m in range(count):
        dx, dy, dz = points[m, 0] - cx, points[m, 1] - cy, points[m, 2] - cz
        xx += dx * dx
        xy += dx * dy
        xz += dx * dz
        yy += dy * dy
        yz += dy * dz
        zz += dz * dz
    # Smallest eigenvalue of the scatter matrix in closed form (Smith 1961).
    mean = (xx + yy + zz) / 3.0
    p = (xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2.0 * (xy * xy + xz * xz + yz * yz)
    if p < 1e-18:
        return False
    p = np.sqrt(p / 6.0)
    a, b, c = (xx - mean) / p, (yy - mean) / p, (zz - mean) / p
    d, e, f = xy / p, xz / p, yz / p
    half = 0.5 * (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e))
    angle = np.arccos(min(1.0, max(-1.0, half))) / 3.0
    smallest = mean + 2.0 * p * np.cos(angle + 2.0943951023931953)
    # Its eigenvector is across two rows of (scatter - smallest I): the longest of the three products.
    ax, by, cz_ = xx - smallest, yy - smallest, zz - smallest
    best = 0.0
    nx, ny, nz = 0.0, 0.0, 0.0
    for pair in range(3):
        if pair == 0:
            ux, uy, uz = xy * yz - xz * by, xz * xy - ax * yz, ax * by - xy * xy
        elif pair == 1:
            ux, uy, uz = xy * cz_ - xz * yz, xz * xz - ax * cz_, ax * yz - xy * xz
        else:
            ux, uy, uz = by * cz_ - yz * yz, yz * xz - xy * cz_, xy * yz - by * xz
        length_2 = ux * ux + uy * uy + uz * uz
        if length_2 > best:
            best = length_2
            nx, ny, nz = ux, uy, uz
    if best < 1e-24:  # the points lie on a line: no plane
        return False
    scale = 1.0 / np.sqrt(best)
    nx *= scale
    ny *= scale
    nz *= scale
    offset = -(nx * cx + ny * cy + nz * cz)
    for m in range(count):
        if abs(nx * points[m, 0] + ny * points[m, 1] + nz * points[m, 2] + offset) > _PLANE_TOLERANCE_M:
            return False
    plane[0], plane[1], plane[2], plane[3] = nx, ny, nz, offset
    return True


@njit(cache=True)
def _linearise(points_body, shares, T, planes, sigma_m, kernel_m):
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
        weight = 1.0 / (sigma_m**2 * (1.0 + (residual / kernel_m) ** 2))
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

"""Planes through a few neighbouring points of the map: their fit, and what tells real ones from phantoms."""

import numpy as np
from numba import njit

_BESIDE = 2.0  # deviations of the neighbours' spread that a point may lie beside them
_PLANE_TOLERANCE_M = 0.1  # all neighbours lie this near to their plane
_CURVED, _POINT_M = 0.2, 0.03  # a usual curvature (1/m), and a point's noise


@njit(cache=True)
def fit_plane(points, plane):
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
def spans(points, plane, query, spread_m):
    """Whether (K, 3) points on a plane spread wide enough to tell its normal, around the query and not beside it.

    Rings of a sparse lidar on the ground are lines: the normal about a line is noise, and residuals against
    it pull every scan back onto the last one's rings.
    """
    ux, uy, uz, vx, vy, vz = _axes(plane)
    cu, cv, uu, uv, vv = _moments(points, ux, uy, uz, vx, vy, vz)
    half, det = 0.5 * (uu + vv), uu * vv - uv * uv
    if half - np.sqrt(max(half * half - det, 0.0)) < spread_m * spread_m:
        return False
    u = ux * query[0] + uy * query[1] + uz * query[2] - cu
    v = vx * query[0] + vy * query[1] + vz * query[2] - cv
    return vv * u * u - 2.0 * uv * u * v + uu * v * v < _BESIDE**2 * det


@njit(cache=True)
def spare(points, plane):
    """How much of (K, 3) points on a plane is left to check it when the most decisive one is left out: 1 - its leverage.

    A line and a single point always make a plane, and it fits whatever the surface is: its leverage is 1. Such a
    plane says no more than that the surface goes through there, within its roughness r: the next point lies off
    the plane with variance r^2 leverage / (1 - leverage), as in the residuals of leave-one-out.
    """
    count = points.shape[0]
    ux, uy, uz, vx, vy, vz = _axes(plane)
    cu, cv, uu, uv, vv = _moments(points, ux, uy, uz, vx, vy, vz)
    most = 0.0
    for m in range(count):
        u = ux * points[m, 0] + uy * points[m, 1] + uz * points[m, 2] - cu
        v = vx * points[m, 0] + vy * points[m, 1] + vz * points[m, 2] - cv
        most = max(most, vv * u * u - 2.0 * uv * u * v + uu * v * v)
    return max(1.0 - (1.0 + most / (uu * vv - uv * uv)) / count, 1e-6)


@njit(cache=True)
def bow(points, plane, query):
    """How far a surface through (K, 3) points bends away from their plane, along its normal, at the query, in metres.

    The neighbours of a point in a vault lie around it, and their plane cuts off what is between them: every point
    seems to be outside, most where the map is sparse, which is ahead. So each scan was tilted down a little
    against the last. Heights over the plane are regressed on squared distances, with a prior of little curvature.
    """
    count = points.shape[0]
    cx, cy, cz = 0.0, 0.0, 0.0
    for m in range(count):
        cx += points[m, 0] / count
        cy += points[m, 1] / count
        cz += points[m, 2] / count
    mean, square, product = 0.0, 0.0, 0.0
    for m in range(count):
        dx, dy, dz = points[m, 0] - cx, points[m, 1] - cy, points[m, 2] - cz
        distance_2 = dx * dx + dy * dy + dz * dz
        mean += distance_2 / count
        square += distance_2 * distance_2
        product += distance_2 * (plane[0] * dx + plane[1] * dy + plane[2] * dz)
    dx, dy, dz = query[0] - cx, query[1] - cy, query[2] - cz
    half_curvature = product / (square - count * mean * mean + (2.0 * _POINT_M / _CURVED) ** 2)
    return half_curvature * (dx * dx + dy * dy + dz * dz - mean)


@njit(cache=True)
def _moments(points, ux, uy, uz, vx, vy, vz):
    """Centre (u, v) of (K, 3) points along two axes, and the means of u^2, u v and v^2 about it."""
    count = points.shape[0]
    cu, cv, uu, uv, vv = 0.0, 0.0, 0.0, 0.0, 0.0
    for m in range(count):
        cu += ux * points[m, 0] + uy * points[m, 1] + uz * points[m, 2]
        cv += vx * points[m, 0] + vy * points[m, 1] + vz * points[m, 2]
    cu, cv = cu / count, cv / count
    for m in range(count):
        u = ux * points[m, 0] + uy * points[m, 1] + uz * points[m, 2] - cu
        v = vx * points[m, 0] + vy * points[m, 1] + vz * points[m, 2] - cv
        uu, uv, vv = uu + u * u, uv + u * v, vv + v * v
    return cu, cv, uu / count, uv / count, vv / count


@njit(cache=True)
def _axes(plane):
    """Two axes of a plane: across its normal and the axis that it is least along, and across both."""
    nx, ny, nz = plane[0], plane[1], plane[2]
    if abs(nx) <= abs(ny) and abs(nx) <= abs(nz):
        ux, uy, uz = 0.0, nz, -ny
    elif abs(ny) <= abs(nz):
        ux, uy, uz = -nz, 0.0, nx
    else:
        ux, uy, uz = ny, -nx, 0.0
    scale = 1.0 / np.sqrt(ux * ux + uy * uy + uz * uz)
    ux, uy, uz = ux * scale, uy * scale, uz * scale
    return ux, uy, uz, ny * uz - nz * uy, nz * ux - nx * uz, nx * uy - ny * ux


@njit(cache=True)
def seen_as_line(points, origin, query, angle_2):
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

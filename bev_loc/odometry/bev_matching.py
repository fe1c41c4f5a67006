"""The local map from above, finer than its pixels: where upright surfaces stand, and a scan's pixels matched to them.

An image's pixels are too coarse to tell centimetres, and corners of it are rare where planes tell least: a tunnel has
none within 40 m. But what closes a tunnel, juts out of its wall or stands in a field is thin across as seen from above,
and its pixels' centroids are known to a centimetre. So every pixel keeps the centroid and the spread of the points in
it, in slices of height, and only the direction in which a pixel is thin counts.
"""

import numpy as np
from numba import njit

from ..clouds.voxels import EMPTY, pack, slot_of
from .bev_residuals import BevMatches

CELL_M, SLICE_M = 0.25, 1.0  # a pixel, and the height of its slices
_SLOTS = 1 << 19  # pixels remembered; a new one takes the place of an old one that shares its slot
_RANGE_M = 100.0
_FEW, _KNOWN = 8, 2  # points that tell a pixel's spread, and views of it
_VIEWS = 16  # of a pixel, after which it is left as it is
_VIEW_M = 0.3  # driven from one view to the next: a lidar's rings and columns are lines from any one of them
_THIN_M, _UPRIGHT_M = 0.035, 0.35  # deviation across, and least extent in height, of an upright surface in a pixel
_ALONE_PX, _BESIDE = 4, 0.5  # pixels before and behind a surface, which hold less than this part of its points
_ALONG = 0.45  # part of the normal along an axis of the image from which on that is looked at along it
_NOISE_M = 0.03  # of one point
_ALIKE = 0.9  # cosine between the ways from which a pixel was learnt and is seen: from another side it shows something else


class MapImage:
    """What earlier scans saw from above, in odom axes; memory is bounded. Old pixels do not change: they hold the way driven."""

    def __init__(self) -> None:
        self._keys = np.full(_SLOTS, EMPTY)
        self._sums = np.zeros((_SLOTS, 9), np.float32)  # n, x, y, z, xx, xy, yy from the pixel's corner; lowest, highest
        self._views = np.zeros((_SLOTS, 2), np.int32)  # how many, and the last one's number
        self._from = np.zeros((_SLOTS, 2), np.float32)  # (x, y) that a pixel was last viewed from
        self._view, self._viewed_from = 0, np.full(3, np.inf)
        self._places = np.full(_SLOTS, -1, np.int32)  # scratch of `match`

    def forget(self) -> None:
        """The map was cleared."""
        self._keys[:] = EMPTY

    def add(self, points_odom: np.ndarray, position_odom: np.ndarray) -> None:
        """See (N, 3) float32 points."""
        if not np.linalg.norm(position_odom - self._viewed_from) < _VIEW_M:
            self._view, self._viewed_from = self._view + 1, position_odom.copy()
        _add(points_odom, position_odom, self._view, self._keys, self._sums, self._views, self._from)

    def match(self, points_odom: np.ndarray, T_odom_body: np.ndarray) -> BevMatches:
        """Pixels of a scan's (N, 3) float32 points, as this pose sees them, that show an upright surface of the map."""
        found = _match(points_odom, T_odom_body[:3, 3], self._keys, self._sums, self._views, self._from, self._places)
        return BevMatches(
            points_odom=found[:, :3],
            seen_xy=found[:, 3:5],
            normals_xy=found[:, 5:7],
            sigmas_m=found[:, 7],
            R_level_body=T_odom_body[:3, :3],
        )


@njit(cache=True)
def _cell(x, y, z):
    return int(np.floor(x / CELL_M)), int(np.floor(y / CELL_M)), int(np.floor(z / SLICE_M))


@njit(cache=True)
def _add(points, position, view, keys, sums, views, seen_from):
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        if (x - position[0]) ** 2 + (y - position[1]) ** 2 > _RANGE_M**2:
            continue
        i, j, k = _cell(x, y, z)
        key = pack(i, j, k)
        slot = slot_of(key, _SLOTS - 1)
        cell = sums[slot]
        if keys[slot] != key:
            keys[slot] = key
            cell[:7] = 0.0
            cell[7], cell[8] = np.inf, -np.inf
            views[slot, 0], views[slot, 1] = 0, -1
        if views[slot, 1] != view:
            if views[slot, 0] == _VIEWS:
                continue
            views[slot, 0] += 1
            views[slot, 1] = view
            seen_from[slot, 0], seen_from[slot, 1] = position[0], position[1]
        x, y = x - i * CELL_M, y - j * CELL_M
        cell[0] += 1.0
        cell[1] += x
        cell[2] += y
        cell[3] += z
        cell[4] += x * x
        cell[5] += x * y
        cell[6] += y * y
        cell[7], cell[8] = min(cell[7], z), max(cell[8], z)


@njit(cache=True)
def _surface(cell):
    """Whether a pixel shows an upright surface, which way it faces (x, y), and its variance across."""
    n = cell[0]
    if n < _FEW or cell[8] - cell[7] < _UPRIGHT_M:
        return False, 0.0, 0.0, 0.0
    x, y = cell[1] / n, cell[2] / n
    xx, xy, yy = cell[4] / n - x * x, cell[5] / n - x * y, cell[6] / n - y * y
    half, det = 0.5 * (xx + yy), xx * yy - xy * xy
    root = np.sqrt(max(half * half - det, 0.0))
    across = max(half - root, 0.0)
    if across > _THIN_M**2:
        return False, 0.0, 0.0, 0.0
    # The eigenvector of the smaller eigenvalue.
    nx, ny = xy, across - xx
    if abs(across - yy) > abs(ny):
        nx, ny = across - yy, xy
    length = np.sqrt(nx * nx + ny * ny)
    if length < 1e-9:
        return False, 0.0, 0.0, 0.0
    return True, nx / length, ny / length, across


@njit(cache=True)
def _alone(i, j, k, di, dj, nx, ny, count, keys, sums):
    """Whether nothing is before and behind a surface, along one axis of the image.

    Columns and rings of a lidar may fall on the same spots of a wall scan after scan, when it drives from one to the
    next between two scans; but then the wall goes on beside them, with at least as many points on either side. What
    stands by a wall has some of its points beside it too: they go on coming, from ever nearer, when its own have ended
    with its views.
    """
    near = count
    first, second = 0.0, 0.0  # moments across of the pixels next to it
    beside = 0.0
    for step in range(-_ALONE_PX, _ALONE_PX + 1):
        key = pack(i + step * di, j + step * dj, k)
        slot = slot_of(key, _SLOTS - 1)
        if keys[slot] != key:
            continue
        n = sums[slot, 0]
        if abs(step) > 1:
            beside += n
            continue
        off = (nx * di + ny * dj) * step * CELL_M
        across = nx * sums[slot, 1] + ny * sums[slot, 2]
        first += across + n * off
        second += nx * nx * sums[slot, 4] + 2.0 * nx * ny * sums[slot, 5] + ny * ny * sums[slot, 6] + 2.0 * off * across + n * off * off
        near += n if step != 0 else 0.0
    return beside < _BESIDE * count and second / near - (first / near) ** 2 < (1.5 * _THIN_M) ** 2


@njit(cache=True)
def _match(points, position, keys, sums, views, seen_from, places):
    """(M, 8): the map's centroid (3), the scan's centroid from the body (2), the surface's normal (2), deviation."""
    slots = np.empty(points.shape[0], np.int64)
    seen = np.zeros((points.shape[0], 5))
    used = 0
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        i, j, k = _cell(x, y, z)
        key = pack(i, j, k)
        slot = slot_of(key, _SLOTS - 1)
        if keys[slot] != key or views[slot, 0] < _KNOWN or sums[slot, 0] < _FEW:
            continue
        place = places[slot]
        if place < 0:
            thin, nx, ny, _ = _surface(sums[slot])
            if not thin:
                continue
            # Seen from beside, from behind or past what it hides, its points' mean is elsewhere by centimetres.
            ax, ay = x - seen_from[slot, 0], y - seen_from[slot, 1]
            bx, by = x - position[0], y - position[1]
            if ax * bx + ay * by < _ALIKE * np.sqrt((ax * ax + ay * ay) * (bx * bx + by * by)):
                continue
            if abs(nx) > _ALONG and not _alone(i, j, k, 1, 0, nx, ny, sums[slot, 0], keys, sums):
                continue
            if abs(ny) > _ALONG and not _alone(i, j, k, 0, 1, nx, ny, sums[slot, 0], keys, sums):
                continue
            place = used
            places[slot], slots[used] = place, slot
            seen[place, 3], seen[place, 4] = i * CELL_M, j * CELL_M
            used += 1
        seen[place, 0] += 1.0
        seen[place, 1] += x
        seen[place, 2] += y
    found = np.empty((used, 8))
    for place in range(used):
        slot = slots[place]
        places[slot] = -1
        cell, m = sums[slot], seen[place, 0]
        _, nx, ny, across = _surface(cell)
        found[place, 0] = seen[place, 3] + cell[1] / cell[0]
        found[place, 1] = seen[place, 4] + cell[2] / cell[0]
        found[place, 2] = cell[3] / cell[0]
        found[place, 3] = seen[place, 1] / m - position[0]
        found[place, 4] = seen[place, 2] / m - position[1]
        found[place, 5], found[place, 6] = nx, ny
        found[place, 7] = np.sqrt(across / cell[0] + _NOISE_M**2 / m)
    return found

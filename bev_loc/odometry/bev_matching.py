"""Finding the scan's BEV pixels in the local map's image: corners, patches, and a small search around the prediction."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from ..bev.grid import middle_px, to_metres, to_pixels
from ..bev.keypoints import detect
from ..bev.raster import rasterise
from ..config import BevConfig
from ..geometry import se3
from ..records import BevImage
from .bev_residuals import BevMatches
from .local_map import LocalMap

_REFRESH_M = 8.0  # driven since the map's image was made
_CORNERS = 120
_PATCH_PX, _SEARCH_PX = 4, 3  # half sides
_MIN_CORRELATION, _MIN_LEAD = 0.6, 0.05
_ASIDE_M, _STALE_M = 1.2, 20.0  # an earlier scan's image shows what moves along, if it is from this far away


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """A scan's image and where it was taken."""

    position: np.ndarray  # (3,) in odom
    structure: np.ndarray  # (S, S) float32


class MapImage:
    """The local map from above in odom axes, made anew every few metres, and the search of a scan in it.

    The scan's image is turned into the same axes by the predicted attitude, so that patches need no turning.
    Both images show structure only, columns of two voxels and more: the rings of a lidar on the ground move
    with the vehicle and would be recognised wherever it goes.
    """

    def __init__(self, bev: BevConfig) -> None:
        self._bev = bev
        self._earlier: list[_Seen] = []  # at most two, the second at least _ASIDE_M after the first
        self._origin: np.ndarray | None = None  # (3,) in odom: the image's middle pixel
        self._structure = np.zeros((0, 0), np.float32)
        self._height_m = np.zeros((0, 0), np.float32)

    def forget(self) -> None:
        """The map was cleared."""
        self._origin, self._earlier = None, []

    def match(self, points_body: np.ndarray, T_odom_body: np.ndarray, local_map: LocalMap) -> BevMatches:
        """Pixels of (N, 3) float32 deskewed points found in the map's image near where this pose expects them."""
        position = T_odom_body[:3, 3]
        if self._origin is None or np.linalg.norm(position - self._origin) > _REFRESH_M:
            self._make(local_map, position)
        R_odom_body = T_odom_body[:3, :3]
        turned = se3.apply(se3.from_parts(R_odom_body, np.zeros(3)), points_body)
        image = _structure(rasterise(turned, self._bev))
        structure, pixels = image.counts.astype(np.float32), detect(image, _CORNERS)
        middle = middle_px(self._bev)
        shift = to_pixels((position - self._origin)[None, :2], self._bev)[0] - middle
        found = _search(structure, pixels, self._structure, shift, self._seen_from_aside(structure, position))
        kept = np.isfinite(found[:, 0])
        places = found[kept]
        rows, cols = np.rint(places).astype(int).T
        heights = self._height_m[rows, cols]
        lifted = np.isfinite(heights)
        points_odom = np.column_stack([to_metres(places, self._bev), heights]) + self._origin
        return BevMatches(
            points_odom=points_odom[lifted],
            seen_xy=to_metres(pixels[kept], self._bev)[lifted],
            R_level_body=R_odom_body,
        )

    def _seen_from_aside(self, structure: np.ndarray, position: np.ndarray) -> np.ndarray:
        """The image of an earlier scan from more than `_ASIDE_M` away; the same one when there is none.

        What looks the same in it at the same pixels is a pattern that moves with the vehicle: rings on
        walls, the wall along the road, the vehicle itself.
        """
        if self._earlier and np.linalg.norm(position - self._earlier[-1].position) > _STALE_M:
            self._earlier = []
        if not self._earlier or np.linalg.norm(position - self._earlier[-1].position) > _ASIDE_M:
            self._earlier = [*self._earlier, _Seen(position=position.copy(), structure=structure)][-2:]
        return self._earlier[0].structure

    def _make(self, local_map: LocalMap, position: np.ndarray) -> None:
        self._origin = position.copy()
        image = _structure(rasterise((local_map.cloud() - position).astype(np.float32), self._bev))
        self._structure, self._height_m = image.counts.astype(np.float32), image.mean_height_m


def _structure(image: BevImage) -> BevImage:
    """The image without bare ground: each column one voxel lower."""
    return replace(image, counts=image.counts - (image.counts > 0))


@njit(cache=True)
def _search(image, pixels, reference, shift, earlier):
    """(N, 2) rows and columns in the reference of (N, 2) pixels' patches; NaN where not found clearly."""
    found = np.full((len(pixels), 2), np.nan)
    side = 2 * _SEARCH_PX + 1
    scores = np.empty((side, side))
    margin = _PATCH_PX + _SEARCH_PX
    for n in range(len(pixels)):
        row, col = pixels[n, 0], pixels[n, 1]
        at_row, at_col = int(np.rint(row + shift[0])), int(np.rint(col + shift[1]))
        if min(row, col) <= _PATCH_PX or max(row, col) >= image.shape[0] - _PATCH_PX - 1:
            continue
        if min(at_row, at_col) < margin or max(at_row, at_col) >= reference.shape[0] - margin:
            continue
        best = -1.0
        for i in range(side):
            for j in range(side):
                scores[i, j] = _correlation(image, row, col, reference, at_row + i - _SEARCH_PX, at_col + j - _SEARCH_PX)
                if scores[i, j] > best:
                    best, bi, bj = scores[i, j], i, j
        if best < _MIN_CORRELATION or bi in (0, side - 1) or bj in (0, side - 1):
            continue
        second = -1.0
        for i in range(side):
            for j in range(side):
                if abs(i - bi) > 1 or abs(j - bj) > 1:
                    second = max(second, scores[i, j])
        along = -1.0
        for i in range(-1, 2):
            for j in range(-1, 2):
                along = max(along, _correlation(image, row, col, earlier, row + i, col + j))
        if best - max(second, along) < _MIN_LEAD:
            continue
        found[n, 0] = at_row + bi - _SEARCH_PX + _peak(scores[bi - 1, bj], best, scores[bi + 1, bj])
        found[n, 1] = at_col + bj - _SEARCH_PX + _peak(scores[bi, bj - 1], best, scores[bi, bj + 1])
    return found


@njit(cache=True)
def _peak(before, at, after):
    """Where the parabola through three even scores is highest, from the middle one."""
    bend = before - 2.0 * at + after
    return 0.0 if bend > -1e-9 else 0.5 * (before - after) / bend


@njit(cache=True)
def _correlation(a, row_a, col_a, b, row_b, col_b):
    """Normalised correlation of two patches; -1 when one is even."""
    sum_a, sum_b, sum_aa, sum_bb, sum_ab = 0.0, 0.0, 0.0, 0.0, 0.0
    count = (2 * _PATCH_PX + 1) ** 2
    for i in range(-_PATCH_PX, _PATCH_PX + 1):
        for j in range(-_PATCH_PX, _PATCH_PX + 1):
            va, vb = a[row_a + i, col_a + j], b[row_b + i, col_b + j]
            sum_a, sum_b = sum_a + va, sum_b + vb
            sum_aa, sum_bb, sum_ab = sum_aa + va * va, sum_bb + vb * vb, sum_ab + va * vb
    spread = (sum_aa - sum_a * sum_a / count) * (sum_bb - sum_b * sum_b / count)
    return -1.0 if spread < 1e-9 else (sum_ab - sum_a * sum_b / count) / np.sqrt(spread)

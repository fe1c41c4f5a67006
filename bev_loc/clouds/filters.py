"""From raw returns to usable points: finite, inside the range limits, in the body frame."""

from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CroppedCloud:
    """What is left of a scan; `offsets_s` stays aligned with the points."""

    points_body: np.ndarray  # (M, 3) float32
    offsets_s: np.ndarray  # (M,) float32, empty when the scan has none
    not_finite: int
    too_near: int
    too_far: int


def crop(
    points_lidar: np.ndarray,
    offsets_s: np.ndarray | None,
    T_body_lidar: np.ndarray,
    min_range_m: float,
    max_range_m: float,
) -> CroppedCloud:
    """(N, 3) float32 points without NaN, infinities, and ranges outside the limits, in the body frame.

    A point whose time is not finite counts as not finite.
    """
    offsets = np.zeros(0, np.float32) if offsets_s is None else offsets_s.astype(np.float32, copy=False)
    points, kept_offsets, counts = _crop(
        np.ascontiguousarray(points_lidar, np.float32),
        np.ascontiguousarray(offsets),
        T_body_lidar.astype(np.float32),
        np.float32(min_range_m**2),
        np.float32(max_range_m**2),
    )
    return CroppedCloud(
        points_body=points,
        offsets_s=kept_offsets,
        not_finite=int(counts[0]),
        too_near=int(counts[1]),
        too_far=int(counts[2]),
    )


@njit(cache=True)
def _crop(points, offsets, T, min_range_2, max_range_2):
    timed = len(offsets) > 0
    kept = np.empty_like(points)
    kept_offsets = np.empty_like(offsets)
    counts = np.zeros(3, np.int64)
    found = 0
    xx, xy, xz, xt = T[0, 0], T[0, 1], T[0, 2], T[0, 3]
    yx, yy, yz, yt = T[1, 0], T[1, 1], T[1, 2], T[1, 3]
    zx, zy, zz, zt = T[2, 0], T[2, 1], T[2, 2], T[2, 3]
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        range_2 = x * x + y * y + z * z
        if not np.isfinite(range_2) or (timed and not np.isfinite(offsets[n])):
            counts[0] += 1
            continue
        if range_2 < min_range_2:
            counts[1] += 1
            continue
        if range_2 > max_range_2:
            counts[2] += 1
            continue
        kept[found, 0] = xx * x + xy * y + xz * z + xt
        kept[found, 1] = yx * x + yy * y + yz * z + yt
        kept[found, 2] = zx * x + zy * y + zz * z + zt
        if timed:
            kept_offsets[found] = offsets[n]
        found += 1
    return kept[:found], kept_offsets[: found if timed else 0], counts

"""The second stage of LSDNet: from heat, tangents and end points to segments. LSD's region growing on learned maps.

Everything is in cells of the maps; cell centres are whole numbers. Deterministic: seeds go by heat in 1024 steps,
then by position, and nothing depends on threads.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from .growing import axis, extremes_of, grow, sample

_MERGE_DEG = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowOptions:
    """Thresholds of the second stage."""

    min_heat: float = 0.3  # of a cell on a line
    ridge: float = 0.85  # of the hotter neighbour across the line that a cell must reach
    max_turn: float = 0.05  # |du|^2 between a cell's doubled tangent and its region's
    max_heat_step: float = 0.3  # between a cell's heat and its region's mean
    min_cells: int = 4
    merge_gap: float = 0.05  # share of the joint length that may be missing between fragments of one line
    min_length: float = 4.0  # cells
    end_fall: float = 0.88  # heat falls to one half so many cells behind a line's end


def segments_of(heat: np.ndarray, tangent: np.ndarray, ends: np.ndarray | None, options: GrowOptions) -> np.ndarray:
    """(N, 5) float64: x1, y1, x2, y2, score; best first. heat (h, w), tangent (2, h, w) doubled, ends (h, w) or None."""
    heat = np.ascontiguousarray(heat, np.float32)
    tangent = np.ascontiguousarray(tangent, np.float32)
    local_mean = cv2.GaussianBlur(heat, (0, 0), 4.0, borderType=cv2.BORDER_REFLECT_101)
    labels, moments = grow(heat, tangent, local_mean, options.min_heat, options.ridge, options.max_turn,
                            options.max_heat_step, options.min_cells)  # fmt: skip
    extremes = extremes_of(labels, moments)
    _merge(heat, moments, extremes, options.merge_gap)
    has_ends = ends is not None
    found = _finish(heat, np.ascontiguousarray(ends, np.float32) if has_ends else heat, has_ends, moments, extremes,
                    options.min_length, options.end_fall)  # fmt: skip
    return found[np.argsort(-found[:, 4], kind="stable")]


@njit(cache=True)
def _merge(heat, moments, extremes, merge_gap):
    """Join fragments of one line, longest first, in place; the one that is joined to another loses its weight."""
    n = len(moments)
    order = np.argsort(extremes[:, 0] - extremes[:, 1], kind="mergesort")
    limit = np.sin(np.deg2rad(_MERGE_DEG))
    axes = np.empty((n, 4))
    for i in range(n):
        axes[i, 0], axes[i, 1], axes[i, 2], axes[i, 3], _ = axis(moments[i])
    for i in order:
        again = moments[i, 0] > 0
        while again:
            again = False
            x, y, dx, dy = axes[i]
            for j in order:
                if j == i or moments[j, 0] <= 0 or extremes[j, 1] - extremes[j, 0] > extremes[i, 1] - extremes[i, 0]:
                    continue
                px, py, qx, qy = axes[j]
                if abs((py - y) * dx - (px - x) * dy) > 4.0 + 0.1 * (extremes[i, 1] - extremes[i, 0]):
                    continue
                if abs(dx * qy - dy * qx) > limit:
                    continue
                first, last = 1e9, -1e9
                off = 0.0
                for k in range(2):
                    ex, ey = px + extremes[j, k] * qx, py + extremes[j, k] * qy
                    along = (ex - x) * dx + (ey - y) * dy
                    first, last = min(first, along), max(last, along)
                    off = max(off, abs((ey - y) * dx - (ex - x) * dy))
                gap = max(first - extremes[i, 1], extremes[i, 0] - last)
                joint = max(last, extremes[i, 1]) - min(first, extremes[i, 0])
                if off > 1.6 or gap > max(3.0, merge_gap * joint):
                    continue
                if gap > 0 and _heat_between(heat, x, y, dx, dy, first, last, extremes[i]) < 0.12:
                    continue
                low, high = min(first, extremes[i, 0]), max(last, extremes[i, 1])
                ax, ay, bx, by = x + low * dx, y + low * dy, x + high * dx, y + high * dy
                moments[i] += moments[j]
                moments[j, 0] = 0.0
                axes[i, 0], axes[i, 1], axes[i, 2], axes[i, 3], _ = axis(moments[i])
                x, y, dx, dy = axes[i]
                s, t = (ax - x) * dx + (ay - y) * dy, (bx - x) * dx + (by - y) * dy
                extremes[i, 0], extremes[i, 1] = min(s, t), max(s, t)
                again = True


@njit(cache=True)
def _heat_between(heat, x, y, dx, dy, first, last, extremes):
    """Mean heat in the gap between two fragments on one axis."""
    begin, end = (extremes[1], first) if first > extremes[1] else (last, extremes[0])
    total, n = 0.0, max(1, int(end - begin))
    for k in range(n):
        along = begin + (k + 0.5) / n * (end - begin)
        total += sample(heat, x + along * dx, y + along * dy)
    return total / n


@njit(cache=True)
def _finish(heat, ends, has_ends, moments, extremes, min_length, end_fall):
    """Sub-cell ends and scores of what is left."""
    h, w = heat.shape
    found = np.empty((len(moments), 5))
    count = 0
    for i in range(len(moments)):
        if moments[i, 0] <= 0:
            continue
        x, y, dx, dy, _ = axis(moments[i])
        low, quality_low = _end(heat, ends, has_ends, x, y, -dx, -dy, -extremes[i, 0], end_fall)
        high, quality_high = _end(heat, ends, has_ends, x, y, dx, dy, extremes[i, 1], end_fall)
        low = -low
        if high - low < min_length:
            continue
        total, n = 0.0, max(4, int(high - low))
        for k in range(n):
            along = low + (k + 0.5) / n * (high - low)
            total += sample(heat, x + along * dx, y + along * dy)
        mean = total / n
        found[count, 0], found[count, 1] = x + low * dx, y + low * dy
        found[count, 2], found[count, 3] = x + high * dx, y + high * dy
        for k in range(2):
            found[count, 2 * k] = min(max(found[count, 2 * k], -0.25), w - 0.75)
            found[count, 2 * k + 1] = min(max(found[count, 2 * k + 1], -0.25), h - 0.75)
        found[count, 4] = mean * (0.75 + 0.125 * (quality_low + quality_high)) if has_ends else mean
        count += 1
    return found[:count]


@njit(cache=True)
def _end(heat, ends, has_ends, x, y, dx, dy, along, end_fall):
    """Where the line ends in direction (dx, dy), and how sure that is (0..1).

    First where the heat falls to one half; then, if the end-point map has a peak nearby on the line, there.
    """
    h, w = heat.shape
    inside = 0.0
    for k in range(1, 5):
        inside += 0.25 * sample(heat, x + (along - k) * dx, y + (along - k) * dy)
    at, previous = along - 2.0, inside
    while at < along + 4.0:
        value = sample(heat, x + at * dx, y + at * dy)
        if value < 0.5 * inside:
            at -= 0.25 * (0.5 * inside - value) / max(previous - value, 1e-6)
            break
        previous = value
        at += 0.25
    at = min(at, along + 1.5) - end_fall
    px, py = x + at * dx, y + at * dy
    if px < 2.0 or py < 2.0 or px > w - 3.0 or py > h - 3.0:  # cut by the border
        return at + end_fall, 1.0
    if not has_ends:
        return at, 0.0
    best, where = 0.0, at
    for k in range(-16, 21):
        s = at + 0.25 * k
        value = sample(ends, x + s * dx, y + s * dy) * (1.0 - 0.012 * abs(k))
        if value > best:
            best, where = value, s
    return (where, best) if best > 0.15 else (at, best)

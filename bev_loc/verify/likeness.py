"""How alike two structures are once one lies on the other: the cosine where they overlap.

The turned picture is never made: each of its pixels is looked up where it comes from and goes into the sums at once.
"""

import cv2
import numpy as np
from numba import njit
from numba.extending import register_jitable

BLUR_M = 0.4  # tolerance: the same wall never falls on the same pixels


def blurred(structure: np.ndarray, cell_m: float) -> np.ndarray:
    """(S, S) float32 structure with the tolerance of the likeness."""
    return cv2.GaussianBlur(structure, (0, 0), BLUR_M / cell_m)


def likeness(match: np.ndarray, query: np.ndarray, cell_m: float, x_m: float, y_m: float, yaw_rad: float) -> float:
    """Cosine, 0 to 1, of two blurred structures (S, S) where the images overlap, the query laid at x, y, yaw; 0 for an empty one."""
    return float(_cosine(match, query, np.cos(yaw_rad), np.sin(yaw_rad), x_m / cell_m, y_m / cell_m))


@njit(cache=True, nogil=True, fastmath={"reassoc"})  # so that the sums run side by side
def _cosine(match: np.ndarray, query: np.ndarray, cosine: float, sine: float, x_px: float, y_px: float) -> float:
    """Bilinear; a pixel that the query shows in part counts in part on both sides."""
    size = match.shape[0]
    middle = size // 2
    values = query.ravel()
    common, ours, theirs = 0.0, 0.0, 0.0
    for row in range(size):
        # Column `col` of this row comes from (row_0 + sine * col, col_0 + cosine * col) of the query.
        down, right = row - middle + x_px, y_px - middle
        row_0, col_0 = middle + sine * right + cosine * down, middle + cosine * right - sine * down
        begin, end = _between(row_0, sine, -1.0, float(size), 0, size)
        begin, end = _between(col_0, cosine, -1.0, float(size), begin, end)
        first, last = _between(row_0, sine, 0.0, size - 1.0, begin, end)
        first, last = _between(col_0, cosine, 0.0, size - 1.0, first, last)
        for col in range(first, last):
            from_row, from_col = row_0 + sine * col, col_0 + cosine * col
            i, j = np.int32(from_row), np.int32(from_col)
            v, u = np.float32(from_row - i), np.float32(from_col - j)
            at = np.uintp(i * np.int32(size) + j)
            below = at + np.uintp(size)
            upper = values[at] + u * (values[at + np.uintp(1)] - values[at])
            lower = values[below] + u * (values[below + np.uintp(1)] - values[below])
            turned, seen = upper + v * (lower - upper), match[row, col]
            common += turned * seen
            ours += turned * turned
            theirs += seen * seen
        for col in range(begin, end):
            if first <= col < last:
                continue
            shown, turned = _at_edge(query, row_0 + sine * col, col_0 + cosine * col)
            seen = shown * match[row, col]
            common += turned * seen
            ours += turned * turned
            theirs += seen * seen
    return common / np.sqrt(ours * theirs) if ours > 0.0 and theirs > 0.0 else 0.0


@register_jitable
def _between(start: float, step: float, low: float, high: float, first: int, last: int) -> tuple[int, int]:
    """Of the columns from `first` to before `last` those with low <= start + step * column < high, a hair inside of it.

    Rounding must lead none out: what lies beyond the picture's last row is other memory.
    """
    if abs(step) < 1e-6:
        return (first, last) if low + 1e-3 <= start < high - 1e-3 else (first, first)
    a, b = (low - start) / step, (high - start) / step
    first, last = max(first, int(np.ceil(min(a, b) + 1e-6))), min(last, int(np.ceil(max(a, b) - 1e-6)))
    return first, max(first, last)


@register_jitable
def _at_edge(query: np.ndarray, row: float, col: float) -> tuple[float, float]:
    """How much of that spot lies inside of the picture, and the picture's value there with zero outside."""
    size = query.shape[0]
    i, j = int(np.floor(row)), int(np.floor(col))
    shown, value = 0.0, 0.0
    for k, above in ((i, i + 1 - row), (i + 1, row - i)):
        for n, left in ((j, j + 1 - col), (j + 1, col - j)):
            if 0 <= k < size and 0 <= n < size:
                shown += above * left
                value += above * left * query[k, n]
    return shown, value

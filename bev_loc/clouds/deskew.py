"""Undoing the motion of the base within a sweep, with a table of where it was at evenly spaced moments."""

import numpy as np
from numba import njit

from ..geometry import se3

_STEPS = 1024  # of a table over a sweep: below 2 mm of motion a step at 20 m/s


def deskew(points: np.ndarray, times: np.ndarray, twist: np.ndarray, end: float, T_a_end: np.ndarray | None = None) -> np.ndarray:
    """(N, 3) float32 points as the base would see them at the time `end`, after moving with a constant twist.

    points: (N, 3) float32 in the base frame, each at its own moment; times: (N,) float32; twist: (6,)
    body twist of the base per unit of time, rotation first. A point at time t moves by
    T_end_t = exp(-(end - t) twist). T_a_end: of the frame to give the points in, if it is not the base's.
    """
    if len(points) == 0:
        return points.copy()
    first, last = float(times.min()), float(times.max())
    table = constant_twist_table(twist, first, last, end)
    return deskew_by_table(points, times, table if T_a_end is None else placed(T_a_end, table), first, last)


@njit(cache=True)
def constant_twist_table(twist: np.ndarray, first: float, last: float, end: float) -> np.ndarray:
    """(K, 3, 4) float32 T_end_t at K even moments from `first` to `last`, for a constant body twist (6,)."""
    table = np.empty((_STEPS, 3, 4), np.float32)
    step = (last - first) / (_STEPS - 1)
    _fill(table, 0, _STEPS, se3.exp((first - end) * twist), se3.exp(step * twist))
    return table


@njit(cache=True)
def knot_table(times: np.ndarray, T_odom_knots: np.ndarray) -> np.ndarray:
    """(K, 3, 4) float32 T_end_t at K even moments between poses (M, 4, 4) at increasing times (M,).

    Between two knots the twist is constant; the end is the last knot.
    """
    T_end_odom = se3.inverse(T_odom_knots[-1])
    table = np.empty((_STEPS, 3, 4), np.float32)
    step = (times[-1] - times[0]) / (_STEPS - 1)
    begin = 0
    for m in range(len(times) - 1):
        until = begin
        last = m == len(times) - 2
        while until < _STEPS and (last or times[0] + until * step < times[m + 1]):
            until += 1
        if until > begin:
            twist = se3.log(se3.inverse(T_odom_knots[m]) @ T_odom_knots[m + 1]) / (times[m + 1] - times[m])
            since = times[0] + begin * step - times[m]
            _fill(table, begin, until, T_end_odom @ T_odom_knots[m] @ se3.exp(since * twist), se3.exp(step * twist))
        begin = until
    return table


@njit(cache=True)
def _fill(table, begin, until, T_end_begin, T_step):
    """Rows from `begin` to `until`: the first pose, then always one step (4, 4) on."""
    T, moved = T_end_begin[:3].copy(), np.empty((3, 4))
    for k in range(begin, until):
        for i in range(3):
            for j in range(4):
                table[k, i, j] = T[i, j]
                moved[i, j] = T[i, 0] * T_step[0, j] + T[i, 1] * T_step[1, j] + T[i, 2] * T_step[2, j]
            moved[i, 3] += T[i, 3]
        T, moved = moved, T


@njit(cache=True)
def placed(T_a_end: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(K, 3, 4) float32 T_a_t of (K, 3, 4) T_end_t: deskewing by it also moves the points to another frame."""
    out = np.empty_like(table)
    for k in range(len(table)):
        for i in range(3):
            for j in range(4):
                out[k, i, j] = T_a_end[i, 0] * table[k, 0, j] + T_a_end[i, 1] * table[k, 1, j] + T_a_end[i, 2] * table[k, 2, j]
            out[k, i, 3] += T_a_end[i, 3]
    return out


@njit(cache=True)
def deskew_by_table(
    points: np.ndarray, times: np.ndarray, table: np.ndarray, first: float, last: float
) -> np.ndarray:
    """(N, 3) float32 points moved by the nearest of (K, 3, 4) motions, evenly spaced from `first` to `last`.

    Times outside the table take its ends.
    """
    out = np.empty_like(points)
    count = len(table)
    scale = (count - 1) / max(last - first, 1e-12)
    for n in range(len(points)):
        T = table[min(max(int((times[n] - first) * scale + 0.5), 0), count - 1)]
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        out[n, 0] = T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]
        out[n, 1] = T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]
        out[n, 2] = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
    return out

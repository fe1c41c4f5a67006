"""Undoing the motion of the base within a sweep, with a table of where it was at evenly spaced moments."""

import numpy as np
from numba import njit

from ..geometry import se3

_STEPS = 1024  # of a table over a sweep: below 2 mm of motion a step at 20 m/s


def deskew(points: np.ndarray, times: np.ndarray, twist: np.ndarray, end: float) -> np.ndarray:
    """(N, 3) float32 points as the base would see them at the time `end`, after moving with a constant twist.

    points: (N, 3) float32 in the base frame, each at its own moment; times: (N,) float32; twist: (6,)
    body twist of the base per unit of time, rotation first. A point at time t moves by
    T_end_t = exp(-(end - t) twist).
    """
    if len(points) == 0:
        return points.copy()
    first, last = float(times.min()), float(times.max())
    return deskew_by_table(points, times, constant_twist_table(twist, first, last, end), first, last)


@njit(cache=True)
def constant_twist_table(twist: np.ndarray, first: float, last: float, end: float) -> np.ndarray:
    """(K, 3, 4) float32 T_end_t at K even moments from `first` to `last`, for a constant body twist (6,)."""
    T_end_first = se3.exp((first - end) * twist)
    T_step = se3.exp((last - first) / (_STEPS - 1) * twist)
    table = np.empty((_STEPS, 3, 4), np.float32)
    T, moved = T_end_first[:3].copy(), np.empty((3, 4))
    for k in range(_STEPS):
        table[k] = T.astype(np.float32)
        for i in range(3):
            for j in range(4):
                moved[i, j] = T[i, 0] * T_step[0, j] + T[i, 1] * T_step[1, j] + T[i, 2] * T_step[2, j]
            moved[i, 3] += T[i, 3]
        T, moved = moved, T
    return table


@njit(cache=True)
def knot_table(times: np.ndarray, T_odom_knots: np.ndarray) -> np.ndarray:
    """(K, 3, 4) float32 T_end_t at K even moments between poses (M, 4, 4) at increasing times (M,).

    Between two knots the twist is constant; the end is the last knot.
    """
    T_end_odom = se3.inverse(T_odom_knots[-1])
    table = np.empty((_STEPS, 3, 4), np.float32)
    step = (times[-1] - times[0]) / (_STEPS - 1)
    k = 0
    for m in range(len(times) - 1):
        T_end_knot = T_end_odom @ T_odom_knots[m]
        twist = se3.log(se3.inverse(T_odom_knots[m]) @ T_odom_knots[m + 1]) / (times[m + 1] - times[m])
        last = m == len(times) - 2
        while k < _STEPS and (last or times[0] + k * step < times[m + 1]):
            T_end_t = T_end_knot @ se3.exp((times[0] + k * step - times[m]) * twist)
            table[k] = T_end_t[:3].astype(np.float32)
            k += 1
    return table


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
        k = min(max(int((times[n] - first) * scale + 0.5), 0), count - 1)
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        for axis in range(3):
            T = table[k, axis]
            out[n, axis] = T[0] * x + T[1] * y + T[2] * z + T[3]
    return out

"""Undoing the motion of the base within a sweep, under a constant twist."""

import numpy as np
from numba import njit

from ..geometry import se3

_STEPS = 1024  # of the motion table over a sweep: below 2 mm of motion a step at 20 m/s


@njit(cache=True)
def deskew(points: np.ndarray, offsets_s: np.ndarray, twist: np.ndarray, end_s: float) -> np.ndarray:
    """(N, 3) float32 points as the base would see them at `end_s`.

    points: (N, 3) float32 in the base frame, each at its own moment; offsets_s: (N,) float32 times;
    twist: (6,) body twist of the base per unit of time, rotation first. A point at time t moves by
    T_end_t = exp(-(end_s - t) twist); the motion is tabulated over the sweep.
    """
    out = np.empty_like(points)
    if len(points) == 0:
        return out
    first, last = float(offsets_s.min()), float(offsets_s.max())
    step_s = max((last - first) / (_STEPS - 1), 1e-9)
    motion = _tabulate(se3.exp((first - end_s) * twist), se3.exp(step_s * twist))
    for n in range(len(points)):
        k = int((offsets_s[n] - first) / step_s + 0.5)
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        for axis in range(3):
            T = motion[k, axis]
            out[n, axis] = T[0] * x + T[1] * y + T[2] * z + T[3]
    return out


@njit(cache=True)
def _tabulate(T_end_first, T_step):
    """(_STEPS, 3, 4) float32 motions T_end_first T_step^k."""
    motion = np.empty((_STEPS, 3, 4), np.float32)
    T = T_end_first[:3].copy()
    moved = T.copy()
    for k in range(_STEPS):
        motion[k] = T.astype(np.float32)
        for i in range(3):
            for j in range(4):
                moved[i, j] = T[i, 0] * T_step[0, j] + T[i, 1] * T_step[1, j] + T[i, 2] * T_step[2, j]
            moved[i, 3] += T[i, 3]
        T, moved = moved, T
    return motion

"""The first scan after a hole in the stream: one start of the registration may not reach it, so several do."""

from collections.abc import Callable

import numpy as np

from .update import Registration

_TURNS_RAD = np.deg2rad([-12.0, -6.0, 0.0, 6.0, 12.0])
_AHEAD_M = (-1.0, 0.0, 1.0)


def best_of_many_starts(
    first: Registration, register_from: Callable[[np.ndarray], Registration], R_body_base: np.ndarray
) -> Registration:
    """The registration with the best fit over a grid of the base's yaws and ways ahead.

    `register_from` takes an error (D,) of the body to begin at; `R_body_base` (3, 3) turns the base's axes into the body's.
    """
    ahead_body, up_body = R_body_base[:, 0], R_body_base[:, 2]
    best = first
    for turn_rad in _TURNS_RAD:
        for ahead_m in _AHEAD_M:
            begin = np.zeros(len(first.error))
            begin[:3], begin[3:6] = turn_rad * up_body, ahead_m * ahead_body
            other = register_from(begin)
            if other.fit() > best.fit():
                best = other
    return best

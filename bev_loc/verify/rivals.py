"""Where else an image would fit nearly as well: along a wall of equal bays, or the other way round.

One fit says nothing about a place that repeats itself. So the likeness of the two images is computed for every
shift at once (masked normalised correlation, Padfield 2012), for the heading that was found and the opposite one.
"""

import numpy as np
from numba import njit

from .correlation import Correlator, Spectra
from .planar import PlanarMatch

AWAY_M = 4.0  # nearer shifts are the flank of the same peak
REACH_M = 20.0  # farther ones share too little of the image
RATIO = 0.8  # of the fit's own likeness, above which another place deserves a trial
_SAME_M = 1.0
_LEAST_SHARE = 0.2  # of the most that can overlap: where hardly anything does, everything is alike


def strongest_rival(correlator: Correlator, match: Spectra, query: Spectra, found: PlanarMatch) -> PlanarMatch | None:
    """The likeliest other pose of the query in the match's image, if it is nearly as likely as `found`."""
    shifts_m = correlator.shifts_m
    best, best_score, own = None, 0.0, 0.0
    for turned_round, (common, ours, theirs) in enumerate(_sums(correlator, match, query, found.yaw_rad)):
        away_m = 0.0 if turned_round else AWAY_M
        same, score, row, col = _peaks(common, ours, theirs, shifts_m, found.x_m, found.y_m, away_m)
        own = own if turned_round else same
        if best is None or score > best_score:
            yaw_rad = float((found.yaw_rad + np.pi * turned_round + np.pi) % (2 * np.pi) - np.pi)
            x_m, y_m = float(shifts_m[row]), float(shifts_m[col])
            best, best_score = PlanarMatch(method=found.method, x_m=x_m, y_m=y_m, yaw_rad=yaw_rad, score=score), score
    return best if best_score > RATIO * own else None


def _sums(correlator: Correlator, match: Spectra, query: Spectra, yaw_rad: float) -> np.ndarray:
    """(2, 3, side, side) for `yaw_rad` and for the opposite heading, for every shift: what the cosine of two pictures is made of.

    The product of the two blurred structures where they overlap, and the squares of the query's and of the match's.
    """
    turned = correlator.warp(query.blurred, yaw_rad, 0.0, 0.0)
    frame = correlator.warp(np.ones_like(query.blurred), yaw_rad, 0.0, 0.0)
    pairs = ((match.blurred, turned), (np.ones_like(match.blurred), turned**2), (match.blurred**2, frame))
    sums = [correlator.correlations(correlator.transform(there), correlator.transform(here)) for there, here in pairs]
    return np.stack(sums, axis=1)


@njit(cache=True, nogil=True)
def _peaks(
    common: np.ndarray, ours: np.ndarray, theirs: np.ndarray, shifts_m: np.ndarray, x_m: float, y_m: float, away_m: float
) -> tuple[float, float, int, int]:
    """The largest cosine at (x, y) itself; the largest within reach and farther than `away_m` from there, with its row and column."""
    least = _LEAST_SHARE * max(ours.max(), 1e-6)
    same, best, best_row, best_col = 0.0, 0.0, 0, 0
    for row in range(common.shape[0]):
        for col in range(common.shape[1]):
            away = (shifts_m[row] - x_m) ** 2 + (shifts_m[col] - y_m) ** 2
            within = shifts_m[row] ** 2 + shifts_m[col] ** 2 <= REACH_M**2
            rivals = within and away >= away_m**2
            if not rivals and away > _SAME_M**2:
                continue
            cosine = common[row, col] / np.sqrt(max(ours[row, col], least) * max(theirs[row, col], least))
            if away <= _SAME_M**2:
                same = max(same, cosine)
            if rivals and cosine > best:
                best, best_row, best_col = cosine, row, col
    return same, best, best_row, best_col

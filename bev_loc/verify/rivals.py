"""Where else an image would fit nearly as well: along a wall of equal bays, or the other way round.

One fit says nothing about a place that repeats itself. So the likeness of the two images is computed for every
shift at once (masked normalised correlation, Padfield 2012), for the heading that was found and the opposite one.
"""

import numpy as np
from scipy import fft

from .correlation import Correlator, Spectra
from .planar import PlanarMatch

AWAY_M = 4.0  # nearer shifts are the flank of the same peak
REACH_M = 20.0  # farther ones share too little of the image
RATIO = 0.8  # of the fit's own likeness, above which another place deserves a trial
_SAME_M = 1.0


def strongest_rival(correlator: Correlator, match: Spectra, query: Spectra, found: PlanarMatch) -> PlanarMatch | None:
    """The likeliest other pose of the query in the match's image, if it is nearly as likely as `found`."""
    x_m, y_m = correlator.shifts_m
    best, own = None, 0.0
    for extra_rad in (0.0, np.pi):
        yaw_rad = float((found.yaw_rad + extra_rad + np.pi) % (2 * np.pi) - np.pi)
        likeness = _likeness(correlator, match, query, yaw_rad)
        away_m = np.hypot(x_m - found.x_m, y_m - found.y_m)
        if not extra_rad:
            own = float(likeness[away_m <= _SAME_M].max(initial=0.0))
            likeness[away_m < AWAY_M] = 0.0
        likeness[np.hypot(x_m, y_m) > REACH_M] = 0.0
        row, col = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
        score = float(likeness[row, col])
        if best is None or score > best.score:
            best = PlanarMatch(
                method=found.method, x_m=float(x_m[row, 0]), y_m=float(y_m[0, col]), yaw_rad=yaw_rad, score=score
            )
    return best if best is not None and best.score > RATIO * own else None


def _likeness(correlator: Correlator, match: Spectra, query: Spectra, yaw_rad: float) -> np.ndarray:
    """(side, side) cosine of the two blurred structures where they overlap, for every shift of the turned query."""
    turned = correlator.warp(query.blurred, yaw_rad, 0.0, 0.0)
    frame = correlator.warp(np.ones_like(query.blurred), yaw_rad, 0.0, 0.0)
    common = _correlated(correlator, match.blurred, turned)
    ours = _correlated(correlator, np.ones_like(match.blurred), turned**2)
    theirs = _correlated(correlator, match.blurred**2, frame)
    least = 0.2 * max(float(ours.max()), 1e-6)  # where hardly anything overlaps, everything is alike
    return common / np.sqrt(np.maximum(ours, least) * np.maximum(theirs, least))


def _correlated(correlator: Correlator, match: np.ndarray, query: np.ndarray) -> np.ndarray:
    product = correlator.transform(match) * np.conj(correlator.transform(query))
    return fft.irfft2(product, (correlator.side, correlator.side))

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
    within = np.hypot(x_m, y_m) <= REACH_M
    away_m = np.hypot(x_m - found.x_m, y_m - found.y_m)
    best, own = None, 0.0
    for extra_rad, likeness in zip((0.0, np.pi), _likenesses(correlator, match, query, found.yaw_rad)):
        if not extra_rad:
            own = float(likeness[away_m <= _SAME_M].max(initial=0.0))
            likeness[away_m < AWAY_M] = 0.0
        likeness[~within] = 0.0
        row, col = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
        score = float(likeness[row, col])
        if best is None or score > best.score:
            yaw_rad = float((found.yaw_rad + extra_rad + np.pi) % (2 * np.pi) - np.pi)
            best = PlanarMatch(
                method=found.method, x_m=float(x_m[row, 0]), y_m=float(y_m[0, col]), yaw_rad=yaw_rad, score=score
            )
    return best if best is not None and best.score > RATIO * own else None


def _likenesses(correlator: Correlator, match: Spectra, query: Spectra, yaw_rad: float) -> tuple[np.ndarray, np.ndarray]:
    """Twice (side, side): cosine of the two blurred structures where they overlap, for every shift of the turned query.

    First for `yaw_rad`, then for the opposite heading, whose spectra are those of the first, mirrored.
    """
    turned = correlator.warp(query.blurred, yaw_rad, 0.0, 0.0)
    frame = correlator.warp(np.ones_like(query.blurred), yaw_rad, 0.0, 0.0)
    queries = [np.conj(correlator.transform(picture)) for picture in (turned, turned**2, frame)]
    matches = [correlator.transform(picture) for picture in (match.blurred, np.ones_like(match.blurred), match.blurred**2)]
    opposite = [correlator.mirrored(spectrum) for spectrum in queries]
    return _cosine(correlator, matches, queries), _cosine(correlator, matches, opposite)


def _cosine(correlator: Correlator, matches: list[np.ndarray], queries: list[np.ndarray]) -> np.ndarray:
    side = (correlator.side, correlator.side)
    common, ours, theirs = (fft.irfft2(match * query, side) for match, query in zip(matches, queries))
    least = 0.2 * max(float(ours.max()), 1e-6)  # where hardly anything overlaps, everything is alike
    return common / np.sqrt(np.maximum(ours, least) * np.maximum(theirs, least))

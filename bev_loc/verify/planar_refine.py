"""The planar pose of two images to a fraction of a pixel: the warp under which they correlate best (Lucas and Kanade 1981).

Peaks of a correlation and corners stand on whole pixels, and a parabola through three values or the mean over a few
corners leaves some centimetres. All structure together leaves less.
"""

from dataclasses import replace

import numpy as np

from .correlation import Correlator, Spectra
from .planar import PlanarMatch

ROUNDS = 4
MOST_SHIFT_M, MOST_TURN_RAD = 0.4, np.radians(2.0)  # one pixel; farther from the start it is another maximum


def refine(correlator: Correlator, match: Spectra, query: Spectra, planar: PlanarMatch) -> PlanarMatch:
    """The pose after a few Gauss-Newton steps; as it came where they lead away, or to a lower correlation."""
    start = np.array([planar.x_m, planar.y_m, planar.yaw_rad])
    pose = start.copy()
    x_m, y_m = correlator.pixels_m
    for _ in range(ROUNDS):
        turned = correlator.warp(query.blurred, pose[2], pose[0], pose[1])
        seen = correlator.warp(np.ones_like(query.blurred), pose[2], pose[0], pose[1]) * match.blurred
        along_x, along_y = correlator.slopes(turned)
        J = np.stack([-along_x, -along_y, along_x * (y_m - pose[1]) - along_y * (x_m - pose[0])]).reshape(3, -1)
        energy = float(np.vdot(seen, seen))
        if energy == 0.0:
            return planar
        # The images may differ in strength as a whole: the match's is scaled to the query's.
        error = (float(np.vdot(seen, turned)) / energy * seen - turned).ravel()
        pose += np.linalg.lstsq(J @ J.T, J @ error, rcond=1e-6)[0]
        if np.hypot(*(pose - start)[:2]) > MOST_SHIFT_M or abs(pose[2] - start[2]) > MOST_TURN_RAD:
            return planar
    x, y, yaw_rad = map(float, pose)
    if correlator.score(match, query, x, y, yaw_rad) <= correlator.score(match, query, *map(float, start)):
        return planar
    return replace(planar, x_m=x, y_m=y, yaw_rad=yaw_rad)

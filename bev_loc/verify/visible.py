"""Which part of an image its sensor saw: a hidden sector or a short range must not speak against a place."""

import numpy as np

from ..bev.grid import middle_px
from ..config import BevConfig
from ..records import BevImage

SECTORS = 72  # of five degrees
TOLERANCE_SECTORS = 2  # the view to both sides of a return counts as seen
BEHIND_PX = 3  # so much behind the farthest return too


class Visibility:
    """Masks for images of one grid."""

    def __init__(self, bev: BevConfig) -> None:
        middle = middle_px(bev)
        rows, cols = np.mgrid[-middle : middle + 1, -middle : middle + 1]
        self._radius_px = np.hypot(rows, cols)
        self._sector = ((np.arctan2(rows, cols) / (2 * np.pi) % 1.0) * SECTORS).astype(int) % SECTORS
        self._inside = self._radius_px < middle

    def mask(self, image: BevImage) -> np.ndarray:
        """(S, S) float32, 1 up to the farthest return of each direction and 0 beyond, where nothing is known."""
        returns = (image.counts > 0) & self._inside
        farthest = np.full(SECTORS, -np.inf)
        np.maximum.at(farthest, self._sector[returns], self._radius_px[returns])
        around = [np.roll(farthest, n) for n in range(-TOLERANCE_SECTORS, TOLERANCE_SECTORS + 1)]
        return (self._radius_px <= np.max(around, axis=0)[self._sector] + BEHIND_PX).astype(np.float32)

"""The points of one scan with their moments, before and after the motion within the sweep is undone."""

from dataclasses import dataclass

import numpy as np

from ..clouds.deskew import deskew


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """(N, 3) float32 points in the base frame, each at its own moment of an interval.

    The interval runs from the last pose (share 0) to the end of this scan (share 1). Points that are
    already compensated have share 1.
    """

    points_base: np.ndarray  # (N, 3) float32
    shares: np.ndarray  # (N,) float32
    timed: bool

    def at_end(self, motion: np.ndarray) -> np.ndarray:
        """(N, 3) float32 points seen from the base at the end, if it moved by `motion` (6,) over the interval."""
        return deskew(self.points_base, self.shares, motion, 1.0) if self.timed else self.points_base

    def subset(self, indices: np.ndarray) -> "Sweep":
        """The points at the given indices."""
        return Sweep(points_base=self.points_base[indices], shares=self.shares[indices], timed=self.timed)


def sweep_of(points_base: np.ndarray, offsets_s: np.ndarray, before_s: float, interval_s: float) -> Sweep:
    """The sweep of points whose times count from the scan's first return, `before_s` after the last pose.

    offsets_s: (N,) float32 or empty. `before_s` is negative when the sweep began before the last one ended.
    """
    if not len(offsets_s):
        return Sweep(points_base=points_base, shares=np.ones(len(points_base), np.float32), timed=False)
    shares = ((offsets_s + np.float32(before_s)) / np.float32(interval_s)).astype(np.float32)
    return Sweep(points_base=points_base, shares=shares, timed=True)

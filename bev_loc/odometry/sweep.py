"""The points of one scan with their moments, and the two ways of undoing the motion within the sweep."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ..clouds.deskew import deskew, deskew_by_table, placed
from ..geometry import se3
from .rings import Rays


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """(N, 3) float32 points in the body frame, each at its own moment of an interval.

    The interval runs from the last pose (share 0) to the end of this scan (share 1). Points that are
    already compensated have share 1.
    """

    points_body: np.ndarray  # (N, 3) float32
    shares: np.ndarray  # (N,) float32
    timed: bool
    rays: Rays = Rays()

    def subset(self, indices: np.ndarray) -> "Sweep":
        """The points at the given indices."""
        return replace(self, points_body=self.points_body[indices], shares=self.shares[indices])


def sweep_of(
    points_body: np.ndarray, offsets_s: np.ndarray, before_s: float, interval_s: float, rays: Rays = Rays()
) -> Sweep:
    """The sweep of points whose times count from the scan's first return, `before_s` after the last pose.

    offsets_s: (N,) float32 or empty. `before_s` is negative when the sweep began before the last one ended.
    """
    if not len(offsets_s):
        return Sweep(points_body=points_body, shares=np.ones(len(points_body), np.float32), timed=False, rays=rays)
    shares = offsets_s + np.float32(before_s)
    shares /= np.float32(interval_s)
    return Sweep(points_body=points_body, shares=shares, timed=True, rays=rays)


class Course(Protocol):
    """How the body moved within the interval, given its pose at the end."""

    follow: float  # share of a change of the end pose's motion that the course follows

    def at_end(self, sweep: Sweep, T_odom_end: np.ndarray, T_a_body: np.ndarray | None = None) -> np.ndarray:
        """(N, 3) float32 points as seen from the body at the end, or in frame a if the body's pose in it is given."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConstantTwist:
    """A constant twist: the predicted one, moved by a share towards the one being estimated.

    With share 0 (deskewing by the last scan's motion) acceleration smears; with 1 an error of one pose
    returns negated in the next, for ever. A velocity error shrinks by the largest root of
    (1 - f/2) r^2 - (1/2 - f) r + (1 - f)/2: 0.71 at f = 0, 0.41 at 0.8.
    """

    T_odom_last: np.ndarray  # (4, 4)
    motion: np.ndarray  # (6,) predicted tangent from the last pose to the end
    follow: float = 0.8

    def at_end(self, sweep: Sweep, T_odom_end: np.ndarray, T_a_body: np.ndarray | None = None) -> np.ndarray:
        """(N, 3) float32 points as seen from the body at the end, or in frame a if the body's pose in it is given."""
        if not sweep.timed:
            return sweep.points_body if T_a_body is None else se3.apply(T_a_body, sweep.points_body)
        seen = se3.log(se3.inverse(self.T_odom_last) @ T_odom_end)
        motion = self.motion + self.follow * (seen - self.motion)
        return deskew(sweep.points_body, sweep.shares, motion, 1.0, T_a_body)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What the IMU measured: relative to the end it does not depend on the pose there."""

    table: np.ndarray  # (K, 3, 4) float32 T_end_t at even shares from 0 to 1
    follow: float = 0.0

    def at_end(self, sweep: Sweep, T_odom_end: np.ndarray, T_a_body: np.ndarray | None = None) -> np.ndarray:
        """(N, 3) float32 points as seen from the body at the end, or in frame a if the body's pose in it is given."""
        if not sweep.timed:
            return sweep.points_body if T_a_body is None else se3.apply(T_a_body, sweep.points_body)
        table = self.table if T_a_body is None else placed(T_a_body, self.table)
        return deskew_by_table(sweep.points_body, sweep.shares, table, 0.0, 1.0)

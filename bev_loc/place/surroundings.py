"""What a LiDAR that looks only one way has seen around the vehicle lately, laid together by the odometry.

A sensor with a field of view of seventy degrees sees little of a place, and something else of it from every side. But
what stands beside and behind the vehicle now lay ahead of it some metres ago. So the image of such a keyframe is drawn
from all that was seen on the last of the way, over which the odometry hardly drifts.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from ..geometry import se3

NARROW = 0.6  # share of the directions around it in which a scan of a narrow sensor has returns; a turning one has nearly all
REACH_M = 40.0  # of the way: what lay ahead of its first metre lies beside the vehicle now
STEP_M, STEP_RAD = 1.0, np.radians(10.0)  # from one remembered cloud to the next
_SECTORS = 72
_LEAST_POINTS = 3  # of a sector with returns
_NEAREST_M = 1.0  # what is nearer may be the vehicle itself
_MOST = 80  # remembered clouds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    T_odom_base: np.ndarray
    points_base: np.ndarray
    path_m: float


class Surroundings:
    """Clouds of the last metres of the way; none for a sensor that sees around."""

    def __init__(self) -> None:
        self._seen: deque[_Seen] = deque(maxlen=_MOST)
        self.narrow = False  # whether the last scan was one of a narrow sensor

    def earlier(self, points_base: np.ndarray, T_odom_base: np.ndarray) -> np.ndarray:
        """(M, 3) float32 in the base frame of now: what earlier scans add to this (N, 3) cloud; it is remembered itself.

        Empty when the sensor sees around. Clouds should be thinned: they are kept.
        """
        self.narrow = _is_narrow(points_base)
        if not self.narrow:
            self.forget()
            return np.zeros((0, 3), np.float32)
        path_m = 0.0
        step_m, step_rad = np.inf, np.inf
        if self._seen:
            step_m, step_rad = se3.distance(self._seen[-1].T_odom_base, T_odom_base)
            path_m = self._seen[-1].path_m + step_m
        while self._seen and path_m - self._seen[0].path_m > REACH_M:
            self._seen.popleft()
        T_base_odom = se3.inverse(T_odom_base)
        clouds = [se3.apply(T_base_odom @ seen.T_odom_base, seen.points_base) for seen in self._seen]
        if step_m >= STEP_M or step_rad >= STEP_RAD:
            self._seen.append(_Seen(T_odom_base=T_odom_base, points_base=points_base, path_m=path_m))
        return np.concatenate([np.zeros((0, 3), np.float32), *clouds])

    def forget(self) -> None:
        """The odometry begins anew: what was seen before lies nobody knows where."""
        self._seen.clear()


def _is_narrow(points_base: np.ndarray) -> bool:
    """Whether a cloud has returns from few of the directions around."""
    x_m, y_m = points_base[:, 0], points_base[:, 1]
    away = np.hypot(x_m, y_m) > _NEAREST_M
    sectors = ((np.arctan2(y_m[away], x_m[away]) / (2 * np.pi) % 1.0) * _SECTORS).astype(int) % _SECTORS
    return bool((np.bincount(sectors, minlength=_SECTORS) >= _LEAST_POINTS).mean() < NARROW)

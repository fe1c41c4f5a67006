"""A start in motion: how the first scan had moved is found from the second, at the speed ahead that fits best."""

from dataclasses import replace

import numpy as np

from ..geometry import se3
from .local_map import LayeredMap
from .sweep import ConstantTwist, Sweep
from .update import Prediction, Registration, register

_ROUNDS = 3  # of deskewing the first scan with the motion that the second one shows
_SPEEDS_M_S = (12.0, 24.0, 36.0)  # ahead, tried beside standing
_BETTER, _MANY = 1.15, 200  # times the fit, and matches, that another speed must reach: thin scans fit anyhow


class FirstScan:
    """The first scan, kept until its motion is known; the local map holds nothing else."""

    def __init__(
        self, sweep: Sweep, duration_s: float, local_map: LayeredMap, *, T_odom_body: np.ndarray, ahead_body: np.ndarray
    ) -> None:
        """`T_odom_body` is the start and `ahead_body` (3,) of unit length the way that the vehicle drives."""
        self._sweep, self._duration_s = sweep, duration_s
        self._map = local_map
        self._T_odom_body, self._ahead_body = T_odom_body, ahead_body

    def register_second(self, sweep: Sweep, unknown: Prediction, max_iterations: int) -> Registration:
        """The second scan against this one, which is mapped again as it had moved; `unknown` knows of no speed."""
        best = self._try(sweep, unknown, 0.0, max_iterations)
        for speed_m_s in _SPEEDS_M_S:
            other = self._try(sweep, unknown, speed_m_s, max_iterations)
            if other.matches > _MANY and other.fit() > _BETTER * best.fit():
                best = other
        self._map_again(self._motion_to(best.T_odom_body) / unknown.interval_s)
        return best

    def _try(self, sweep: Sweep, unknown: Prediction, speed_m_s: float, max_iterations: int) -> Registration:
        """Both scans deskewed with the motion found, begun at a guess of the speed ahead."""
        ahead_m = self._ahead_body * speed_m_s * unknown.interval_s
        T_guess = unknown.T_odom_body @ se3.from_parts(np.eye(3), ahead_m)
        prediction = replace(unknown, T_odom_body=T_guess)
        result = None
        for _ in range(_ROUNDS + 1):
            if result is not None or speed_m_s:
                motion = self._motion_to(prediction.T_odom_body)
                self._map_again(motion / prediction.interval_s)
                course = ConstantTwist(T_odom_last=self._T_odom_body, motion=motion, follow=0.0)
                prediction = replace(prediction, course=course)
            result = register(sweep, self._map, prediction, max_iterations)
            prediction = replace(prediction, T_odom_body=result.T_odom_body)
        return result

    def _motion_to(self, T_odom_body: np.ndarray) -> np.ndarray:
        return se3.log(se3.inverse(self._T_odom_body) @ T_odom_body)

    def _map_again(self, twist: np.ndarray) -> None:
        """The scan was mapped before any motion was known: deskew it with this one (6,) and map it anew."""
        course = ConstantTwist(T_odom_last=np.eye(4), motion=twist * self._duration_s, follow=0.0)
        points_body = course.at_end(self._sweep, np.eye(4))
        self._map.clear()
        self._map.add(se3.apply(self._T_odom_body, points_body), self._T_odom_body[:3, 3])

"""A start in motion: how the first scan had moved is found from the second, at the speed ahead that fits best.

Which of several speeds it was is told by upright structure seen from above; where it tells nothing, by the planes.
"""

from dataclasses import replace

import numpy as np

from ..geometry import se3
from . import upright
from .local_map import LayeredMap
from .sweep import ConstantTwist, Sweep
from .update import Prediction, Registration, register

_ROUNDS = 3  # of deskewing the first scan with the motion that the second one shows
_SPEEDS_M_S = (12.0, 24.0, 36.0)  # ahead, tried beside standing
_BETTER, _MANY = 1.15, 200  # times the fit, and matches, that another speed must reach: thin scans fit anyhow
_WAYS_M_S = np.arange(-10.0, 40.5, 1.0)  # ahead, at which upright structure is compared
_FINE_M_S = np.arange(-3.0, 3.5, 1.0)  # around the best
_SURE = 3.0  # deviations by which upright structure decides
_HELD_M = 0.01  # how firmly the way ahead is then held against planes
_SAME = 0.02  # between the entries of two poses that need no comparison


class FirstScan:
    """The first scan, kept until its motion is known; the local map holds nothing else."""

    def __init__(
        self, whole: Sweep, to_map: np.ndarray, duration_s: float, local_map: LayeredMap, *, T_odom_body: np.ndarray, ahead_body: np.ndarray
    ) -> None:
        """`T_odom_body` is the level start and `ahead_body` (3,) of unit length the way that the vehicle drives.

        to_map: (M,) indices of the points that are mapped.
        """
        self._sweep, self._duration_s = whole.subset(to_map), duration_s
        self._interval_s = duration_s  # to the end of the second scan, once it is there
        self._upright = whole.subset(upright.to_search(se3.apply(T_odom_body, whole.points_body)))
        self._map = local_map
        self._T_odom_body, self._ahead_body = T_odom_body, ahead_body

    def register_second(self, whole: Sweep, thin: np.ndarray, unknown: Prediction, max_iterations: int) -> Registration:
        """The second scan against this one, which is mapped again as it had moved; `unknown` knows of no speed.

        thin: (K,) indices of the points to register.
        """
        self._interval_s = unknown.interval_s
        sweep, seen = whole.subset(thin), whole.subset(upright.searching(se3.apply(unknown.T_odom_body, whole.points_body)))
        best = self._try(sweep, unknown, unknown.T_odom_body, max_iterations)
        for speed_m_s in _SPEEDS_M_S:
            T_guess = unknown.T_odom_body @ self._ahead(speed_m_s * self._interval_s)
            other = self._try(sweep, unknown, T_guess, max_iterations)
            preferred = self._preference(seen, other.T_odom_body, best.T_odom_body)
            fits = other.matches > _MANY and other.fit() > _BETTER * best.fit()
            if preferred > _SURE or (fits and preferred > -_SURE):
                best = other
        if best.degenerate_directions:
            T_upright = self._by_upright(seen, best.T_odom_body)
            if self._preference(seen, T_upright, best.T_odom_body) > _SURE:
                best = self._try(sweep, self._held(unknown), T_upright, max_iterations)
        self._map_again(self._motion_to(best.T_odom_body))
        return best

    def _by_upright(self, seen: Sweep, T_odom_body: np.ndarray) -> np.ndarray:
        """The pose moved ahead or back to where upright structure of both scans agrees best."""
        moved_m = float(self._ahead_body @ self._motion_to(T_odom_body)[3:])
        ways_m = _WAYS_M_S * self._interval_s
        # Both scans as they came: what stands still is seen at nearly the same moment of either sweep.
        first = upright.Seen(se3.apply(self._T_odom_body, self._upright.points_body))
        coarse = [first.agreement(se3.apply(T_odom_body @ self._ahead(way_m - moved_m), seen.points_body)).sum() for way_m in ways_m]
        ways_m = ways_m[int(np.argmax(coarse))] + _FINE_M_S * self._interval_s
        fine = [self._agreement(seen, T_odom_body @ self._ahead(way_m - moved_m)).sum() for way_m in ways_m]
        return T_odom_body @ self._ahead(upright.peak(ways_m, np.array(fine)) - moved_m)

    def _preference(self, seen: Sweep, T_odom_a: np.ndarray, T_odom_b: np.ndarray) -> float:
        """How surely upright structure says that the body moved to a, not to b."""
        if np.abs(T_odom_a - T_odom_b).max() < _SAME:
            return 0.0
        return upright.preference(self._agreement(seen, T_odom_a), self._agreement(seen, T_odom_b))

    def _agreement(self, seen: Sweep, T_odom_body: np.ndarray) -> np.ndarray:
        """(M,) of upright points of the second scan, had the body moved so."""
        motion = self._motion_to(T_odom_body)
        second = ConstantTwist(T_odom_last=self._T_odom_body, motion=motion, follow=0.0).at_end(seen, T_odom_body)
        first = self._deskewed(self._upright, motion)
        return upright.Seen(se3.apply(self._T_odom_body, first)).agreement(se3.apply(T_odom_body, second))

    def _held(self, prediction: Prediction) -> Prediction:
        """The way ahead as good as known."""
        information = np.linalg.inv(prediction.covariance)
        information[3:6, 3:6] += np.outer(self._ahead_body, self._ahead_body) / _HELD_M**2
        return replace(prediction, covariance=np.linalg.inv(information))

    def _ahead(self, way_m: float) -> np.ndarray:
        return se3.from_parts(np.eye(3), self._ahead_body * way_m)

    def _try(self, sweep: Sweep, unknown: Prediction, T_guess: np.ndarray, max_iterations: int) -> Registration:
        """Both scans deskewed with the motion found, begun at a guess of it."""
        prediction = replace(unknown, T_odom_body=T_guess)
        result = None
        for _ in range(_ROUNDS + 1):
            if result is not None or T_guess is not unknown.T_odom_body:
                motion = self._motion_to(prediction.T_odom_body)
                self._map_again(motion)
                course = ConstantTwist(T_odom_last=self._T_odom_body, motion=motion, follow=0.0)
                prediction = replace(prediction, course=course)
            result = register(sweep, self._map, prediction, max_iterations)
            prediction = replace(prediction, T_odom_body=result.T_odom_body)
        return result

    def _motion_to(self, T_odom_body: np.ndarray) -> np.ndarray:
        """(6,) since the first scan's end."""
        return se3.log(se3.inverse(self._T_odom_body) @ T_odom_body)

    def _map_again(self, motion: np.ndarray) -> None:
        """The scan was mapped before any motion was known: deskew it with this one (6,) and map it anew."""
        points_body = self._deskewed(self._sweep, motion)
        self._map.clear()
        self._map.add(se3.apply(self._T_odom_body, points_body), self._T_odom_body[:3, 3])

    def _deskewed(self, sweep: Sweep, motion: np.ndarray) -> np.ndarray:
        """(N, 3) points of the first scan as seen from its end, had it moved as after it (6,)."""
        before = motion * (self._duration_s / self._interval_s)
        return ConstantTwist(T_odom_last=np.eye(4), motion=before, follow=0.0).at_end(sweep, np.eye(4))

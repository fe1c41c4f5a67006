"""A start in motion: how the first scan had moved is found from the second, at the speed ahead that fits best.

Which of several speeds it was is told by upright structure seen from above; where it tells nothing, by the planes.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import se3
from . import constant_velocity, upright
from .bev_keyframe import Keyframe
from .constant_velocity import MOVING_M_S
from .local_map import LayeredMap
from .start import Levelled, level_in_motion
from .sweep import ConstantTwist, Sweep
from .update import Prediction, Registration, register

_ROUNDS, _TRIAL_ROUNDS = 4, 2  # at most, of deskewing the first scan with the motion that the second one shows
_SETTLED = 0.002  # between the entries of the poses of two rounds
_SPEEDS_M_S = (12.0, 24.0, 36.0)  # ahead, tried beside standing
_ENOUGH = 1500  # points of the second scan tell which speed it was
_BETTER, _MANY = 1.15, 200  # times the fit, and matches, that another speed must reach: thin scans fit anyhow
_WAYS_M_S = np.arange(-10.0, 40.5, 1.0)  # ahead, at which upright structure is compared
_FINE_ROUNDS = 3  # of placing the second scan, each deskewed anew
_FINE = np.diag([1e-3**2] * 3 + [0.1**2] * 3)  # covariance (6, 6) in which it is sought
_SURE = 3.0  # deviations by which upright structure decides
_RATHER = 1.0  # by which it does between two speeds where planes are no evidence for either
_SAME = 0.02  # between the entries of two poses that need no comparison
_ANOTHER_M_S = 2.5  # apart: a speed of its own
_STILL_M_S = 1.5  # below it one may take a moving vehicle for a standing one
UNTOLD = "speed ahead at the start not told apart"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _ByUpright:
    """Where upright structure says that the second scan ends."""

    T_odom_body: np.ndarray  # (4, 4)
    sigma_m: float  # ahead; inf where it tells nothing
    told: bool  # it agrees nowhere else as well


class FirstScan:
    """The first scan, kept until its motion is known; the local map holds nothing else."""

    def __init__(
        self, whole: Sweep, to_map: np.ndarray, duration_s: float, local_map: LayeredMap, *, levelled: Levelled,
        T_base_body: np.ndarray, t_odom_base: np.ndarray,
    ) -> None:  # fmt: skip
        """to_map: (M,) indices of the points that are mapped; t_odom_base: (3,) where the base is, the origin at the start."""
        self.levelled, self._T_base_body = levelled, T_base_body
        self.T_odom_body = se3.from_parts(levelled.R_odom_base, t_odom_base) @ T_base_body
        self.reasons: tuple[str, ...] = ()  # what the second scan did not tell
        self._sweep, self._duration_s = whole.subset(to_map), duration_s
        self._interval_s = duration_s  # to the end of the second scan, once it is there
        self._motion = np.zeros(6)  # until then
        self._map = local_map
        self._ahead_body = se3.inverse(T_base_body)[:3, 0]  # of unit length: the way that the vehicle drives
        self._upright = whole.subset(upright.to_search(*self._in_odom(whole)))

    def register_second(self, whole: Sweep, thin: np.ndarray, unknown: Prediction, max_iterations: int) -> Registration:
        """The second scan against this one, which is mapped again as it had moved; `unknown` knows of no speed.

        thin: (K,) indices of the points to register.
        """
        self._interval_s = unknown.interval_s
        sweep, seen = whole.subset(thin), whole.subset(upright.searching(*self._in_odom(whole)))
        some = whole.subset(thin[:: -(-len(thin) // _ENOUGH) or 1])
        best = self._try(some, unknown, unknown.T_odom_body, max_iterations, _TRIAL_ROUNDS)
        agreement = self._agreement(seen, best.T_odom_body)
        for speed_m_s in _SPEEDS_M_S:
            T_guess = unknown.T_odom_body @ self._ahead(speed_m_s * self._interval_s)
            other = self._try(some, unknown, T_guess, max_iterations, _TRIAL_ROUNDS)
            if np.abs(other.T_odom_body - best.T_odom_body).max() < _SAME:
                continue
            others = self._agreement(seen, other.T_odom_body)
            preferred = upright.preference(others, agreement)
            fits = other.matches > _MANY and other.fit() > _BETTER * best.fit()
            if preferred > _SURE or (fits and preferred > -_SURE):
                best, agreement = other, others
        best = self._try(sweep, unknown, best.T_odom_body, max_iterations)
        if best.degenerate_directions:
            found = self._by_upright(seen, best.T_odom_body)
            another = np.linalg.norm((found.T_odom_body - best.T_odom_body)[:3, 3]) > _ANOTHER_M_S * self._interval_s
            preferred = upright.preference(self._agreement(seen, found.T_odom_body), self._agreement(seen, best.T_odom_body))
            if np.isfinite(found.sigma_m) and (preferred > _RATHER or not another):
                best = self._try(sweep, self._held(unknown, found.sigma_m), found.T_odom_body, max_iterations)
            # What a lidar sees of roofs and walls comes along with it: that it stands, only its IMU says surely.
            still = np.linalg.norm(self._motion_to(best.T_odom_body)[3:]) < _STILL_M_S * self._interval_s
            self.reasons += (UNTOLD,) if not found.told or (still and not self.levelled.by_rest) else ()
            if self.levelled.by_rest and not self._moves(self._motion_to(best.T_odom_body)):
                best = self._try(sweep, constant_velocity.standing(unknown), unknown.T_odom_body, max_iterations)
        turn = self._level_in_motion(self._motion_to(best.T_odom_body))
        best = replace(best, T_odom_body=turn @ best.T_odom_body)
        self._motion = self._motion_to(best.T_odom_body)
        self._map_again(self._motion)
        return best

    @property
    def keyframe(self) -> Keyframe:
        """What stands upright in this scan, once its motion is known: scans to come may be placed by it."""
        return self._keyframe_had_it_moved(self._motion)

    def _moves(self, motion: np.ndarray) -> bool:
        return float(np.linalg.norm(motion[3:])) > MOVING_M_S * self._interval_s

    def _level_in_motion(self, motion: np.ndarray) -> np.ndarray:
        """(4, 4) turn of the odom frame, which is made: an IMU that seemed at rest was not, if this scan had moved (6,).

        Nobody saw the frame before: a first pose whose level is disputed is held back.
        """
        if not self.levelled.by_rest or not self._moves(motion):
            return np.eye(4)
        before, self.levelled = self.levelled, level_in_motion(self.levelled)
        turn = se3.from_parts(self.levelled.R_odom_base @ before.R_odom_base.T, np.zeros(3))
        self.T_odom_body = turn @ self.T_odom_body
        return turn

    def _by_upright(self, seen: Sweep, T_odom_body: np.ndarray) -> _ByUpright:
        """The pose moved ahead or back to where upright structure of both scans agrees best."""
        moved_m = float(self._ahead_body @ self._motion_to(T_odom_body)[3:])
        # Both scans as they came: what stands still is seen at nearly the same moment of either sweep.
        first = upright.Seen(se3.apply(self.T_odom_body, self._upright.points_body))
        coarse = np.array([
            first.agreement(se3.apply(T_odom_body @ self._ahead(speed_m_s * self._interval_s - moved_m), seen.points_body))
            for speed_m_s in _WAYS_M_S
        ])
        best = int(np.argmax(coarse.sum(1)))
        others = coarse[np.abs(_WAYS_M_S - _WAYS_M_S[best]) > _ANOTHER_M_S]
        told = upright.preference(coarse[best], others[np.argmax(others.sum(1))]) > _SURE
        T, sigma_m = T_odom_body @ self._ahead(_WAYS_M_S[best] * self._interval_s - moved_m), np.inf
        for _ in range(_FINE_ROUNDS):
            motion = self._motion_to(T)
            placed = self._keyframe_had_it_moved(motion).place_upright(se3.apply(T, self._second(seen, T, motion)), T, _FINE)
            if placed is None:
                break
            way = (T[:3, :3] @ self._ahead_body)[:2]
            T, sigma_m = T @ self._ahead(float(way @ placed.off_m)), float(np.sqrt(way @ placed.covariance_m2 @ way))
        return _ByUpright(T_odom_body=T, sigma_m=sigma_m, told=told)

    def _agreement(self, seen: Sweep, T_odom_body: np.ndarray) -> np.ndarray:
        """(M,) of upright points of the second scan, had the body moved so."""
        motion = self._motion_to(T_odom_body)
        first = se3.apply(self.T_odom_body, self._deskewed(self._upright, motion))
        return upright.Seen(first).agreement(se3.apply(T_odom_body, self._second(seen, T_odom_body, motion)))

    def _keyframe_had_it_moved(self, motion: np.ndarray) -> Keyframe:
        upright_odom = se3.apply(self.T_odom_body, self._deskewed(self._upright, motion))
        return Keyframe(upright_odom, self.T_odom_body, self._ahead_body)

    def _second(self, seen: Sweep, T_odom_body: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """(M, 3) points of the second scan as seen from its end."""
        return ConstantTwist(T_odom_last=self.T_odom_body, motion=motion, follow=0.0).at_end(seen, T_odom_body)

    def _in_odom(self, whole: Sweep) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) points and (3,) way ahead, as if the body were where it was at the first scan's end."""
        return se3.apply(self.T_odom_body, whole.points_body), self.T_odom_body[:3, :3] @ self._ahead_body

    def _held(self, prediction: Prediction, sigma_m: float) -> Prediction:
        """The way ahead as good as known: as the guess that a trial begins at says."""
        information = np.linalg.inv(prediction.covariance)
        information[3:6, 3:6] += np.outer(self._ahead_body, self._ahead_body) / sigma_m**2
        return replace(prediction, covariance=np.linalg.inv(information))

    def _ahead(self, way_m: float) -> np.ndarray:
        return se3.from_parts(np.eye(3), self._ahead_body * way_m)

    def _try(self, sweep: Sweep, unknown: Prediction, T_guess: np.ndarray, max_iterations: int, rounds: int = _ROUNDS) -> Registration:
        """Both scans deskewed with the motion found, begun at a guess of it."""
        prediction, result = replace(unknown, T_odom_body=T_guess), None
        for _ in range(rounds):
            if result is not None or T_guess is not unknown.T_odom_body:
                motion = self._motion_to(prediction.T_odom_body)
                self._map_again(motion)
                course = ConstantTwist(T_odom_last=self.T_odom_body, motion=motion, follow=0.0)
                prediction = replace(prediction, course=course)
            result = register(sweep, self._map, prediction, max_iterations)
            if np.abs(result.T_odom_body - prediction.T_odom_body).max() < _SETTLED:
                break
            prediction = replace(prediction, T_odom_body=result.T_odom_body)
        return result

    def _motion_to(self, T_odom_body: np.ndarray) -> np.ndarray:
        """(6,) since the first scan's end."""
        return se3.log(se3.inverse(self.T_odom_body) @ T_odom_body)

    def _map_again(self, motion: np.ndarray) -> None:
        """The scan was mapped before any motion was known: deskew it with this one (6,) and map it anew."""
        points_body = self._deskewed(self._sweep, motion)
        self._map.clear()
        self._map.add(se3.apply(self.T_odom_body, points_body), self.T_odom_body[:3, 3])

    def _deskewed(self, sweep: Sweep, motion: np.ndarray) -> np.ndarray:
        """(N, 3) points of the first scan as seen from its end, had it moved as after it (6,)."""
        before = motion * (self._duration_s / self._interval_s)
        return ConstantTwist(T_odom_last=np.eye(4), motion=before, follow=0.0).at_end(sweep, np.eye(4))

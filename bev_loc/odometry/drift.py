"""What no scan that is registered against the local map can tell: how far it was bent, and how far the map is off.

A map begins as one scan and goes on as scans registered against what was there before. Their errors stay in
it: many points agree on a pose, and all of them are as wrong as the map is. So the map's error is a state of
its own that is carried along but never estimated (as in a Schmidt-Kalman filter, without its correlations).
"""

import numpy as np

from ..geometry import se3

# Share of the covariance of a registration by planes alone that a metre of new map is off by, and how many times that
# where planes leave a direction open: they are few there, and some are phantoms. Deviations (rad, m; roll, pitch, yaw,
# x, y, z of the base) of a first scan that was made in motion. Maximum likelihood over the errors of simulated drives
# of 8 to 20 s, in towns, fields, tunnels, on highways and along real tracks, with three lidars.
_PER_METRE, _OPEN = 0.025, 9.0
_BEGUN_IN_MOTION = np.array([5e-4, 5e-4, 1.5e-4, 9e-3, 9e-3, 1e-3])
_IN_MOTION_M_S = 0.5
_LOOSEST = np.repeat([1e-2, 0.1], 3)  # deviations (rad, m) of what planes do not hold at all

_SWEEP_S = 0.1  # the usual one
_MEMORY = 0.98  # of the scatter, from one scan to the next


class Drift:
    """Covariance (6, 6) of the base's pose, right perturbation, that comes from the map's own error.

    The map grows by what is seen anew, and that is off as the scans are that see it: more where planes hold less.
    Motions and what scans say are the body's.
    """

    def __init__(self, T_base_body: np.ndarray = np.eye(4)) -> None:
        self._T_base_body, self._T_body_base = T_base_body, se3.inverse(T_base_body)
        self._by_body = se3.adjoint(T_base_body)
        self.covariance = np.zeros((6, 6))
        self._coasted = np.zeros((6, 6))  # since the last scan that fitted the map

    def begin(self, speed_m_s: float) -> None:
        """A map that begins with a scan made at this speed, which was known only from the next."""
        if speed_m_s > _IN_MOTION_M_S:
            self.covariance = self.covariance + np.diag(_BEGUN_IN_MOTION**2)

    def move(self, T_last_now: np.ndarray, planes: np.ndarray, *, is_open: bool = False) -> None:
        """Carry it along a motion: an angle at the map's begin is a distance here.

        planes: (6, 6) information of the pose that a registration by planes has there. is_open: in a direction it hardly has.
        """
        carry = se3.adjoint(self._T_base_body @ se3.inverse(T_last_now) @ self._T_body_base)
        seen_anew = _PER_METRE * (_OPEN if is_open else 1.0) * np.linalg.norm(T_last_now[:3, 3])
        added = self._by_body @ np.linalg.inv(planes + np.diag(_LOOSEST**-2)) @ self._by_body.T
        self.covariance = carry @ self.covariance @ carry.T + seen_anew * added
        self._coasted = carry @ self._coasted @ carry.T

    def total(self, registered: np.ndarray, fitted: bool) -> np.ndarray:
        """Of the base's pose: the map's error, and that of the body's registration against it (6, 6).

        While scans do not fit, every one of them adds its own.
        """
        registered = self._by_body @ registered @ self._by_body.T
        self._coasted = self._coasted + registered if not fitted else np.zeros((6, 6))
        return self.covariance + (registered if fitted else self._coasted)

    def restart(self) -> None:
        """A new map begins where coasting led."""
        self.covariance = self.covariance + self._coasted
        self._coasted = np.zeros((6, 6))


class Scatter:
    """Covariance (6, 6) of the body's pose, right perturbation, that comes from deskewing with a noisy IMU.

    The planes hold the middle of the sweep, and the IMU's noise turns its end against it. The prediction is off by
    what the last pose was off by and by the noise of the other half: alike, and independent. So half of the mean
    square of what scans move their predictions by is the pose's own (as in Mehra 1970: noise from innovations).
    """

    def __init__(self, gyro_noise: float) -> None:
        """`gyro_noise`, rad/s/sqrt(Hz), is what one scan would tell; the others do."""
        expected = gyro_noise**2 * _SWEEP_S / 3.0  # of white noise summed up over a sweep, at its end against its mean
        self._sum, self._weight = 2.0 * np.diag([expected] * 3 + [0.0] * 3), 1.0

    def add(self, error: np.ndarray) -> None:
        """What a scan (6,) moved the IMU's prediction by."""
        self._sum = _MEMORY * self._sum + np.outer(error, error)
        self._weight = _MEMORY * self._weight + 1.0

    @property
    def covariance(self) -> np.ndarray:
        """(6, 6) of one pose."""
        return 0.5 * self._sum / self._weight

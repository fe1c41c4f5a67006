"""How far the local map itself may be off: what no scan that is registered against it can tell.

A map begins as one scan and goes on as scans registered against what was there before. Their errors stay in
it: many points agree on a pose, and all of them are as wrong as the map is. So the map's error is a state of
its own that is carried along but never estimated (as in a Schmidt-Kalman filter, without its correlations).
"""

import numpy as np

from ..geometry import se3

# Deviations of the first scan (tilt, tilt, yaw; x, y, z), and of the random walk per root of a metre driven.
# Maximum likelihood over the errors of simulated drives of 4 to 60 s in two worlds with three lidars.
_START_SIGMA = np.array([4.4e-4, 4.4e-4, 1.5e-4, 3.5e-3, 3.5e-3, 3e-3])
_WALK_SIGMA = np.array([7e-5, 7e-5, 4e-5, 8e-4, 8e-4, 1.7e-3])


class Drift:
    """Covariance (6, 6) of the base's pose, right perturbation, that comes from the map's own error."""

    def __init__(self) -> None:
        self.covariance = np.diag(_START_SIGMA**2)
        self._coasted = np.zeros((6, 6))  # since the last scan that fitted the map

    def move(self, T_last_now: np.ndarray) -> None:
        """Carry it along a motion of the base: an angle at the map's begin is a distance here."""
        carry = se3.adjoint(se3.inverse(T_last_now))
        walk = np.linalg.norm(T_last_now[:3, 3]) * np.diag(_WALK_SIGMA**2)
        self.covariance = carry @ self.covariance @ carry.T + walk
        self._coasted = carry @ self._coasted @ carry.T

    def total(self, registered: np.ndarray, fitted: bool) -> np.ndarray:
        """Of the pose: the map's error, and that of the registration against it (6, 6).

        While scans do not fit, every one of them adds its own.
        """
        self._coasted = self._coasted + registered if not fitted else np.zeros((6, 6))
        return self.covariance + (registered if fitted else self._coasted)

    def restart(self) -> None:
        """A new map begins where coasting led."""
        self.covariance = self.covariance + self._coasted + np.diag(_START_SIGMA**2)
        self._coasted = np.zeros((6, 6))

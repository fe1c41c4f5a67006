"""Whether the IMU is believed: what it takes to contradict a scan, and to be taken back."""

import numpy as np

from .propagate import Readings
from .update import Registration

CONTRADICTED = "imu contradicts the scan"
IMPROBABLE = 40.0  # squared deviations, all dimensions together: of the six that a scan sees, one in a million has more
_BETTER = 1.05  # times the fit that a scan must have without the IMU, then
_AGREES_RAD_S = 0.1  # with a scan's turn rate: bias and noise of any gyro of use
_AGREEING_SCANS = 2


def improbable(result: Registration) -> bool:
    """Whether the scan is where the prediction says that it cannot be."""
    return result.surprise * len(result.error) > IMPROBABLE


def contradicts(result: Registration, without_imu: Registration) -> bool:
    """Whether a scan that fits the IMU's prediction badly fits well without it."""
    if improbable(result):
        return without_imu.fit() > _BETTER * result.fit()
    return without_imu.matches > result.matches


class ImuTrust:
    """Lost when the IMU contradicts a scan; its gyro is believed again when it agrees with a few scans in a row."""

    def __init__(self) -> None:
        self._agreeing = _AGREEING_SCANS
        self.contradicted = False  # until the filter runs again

    @property
    def gyro(self) -> bool:
        """Whether the gyro is believed."""
        return self._agreeing >= _AGREEING_SCANS

    def lose(self) -> None:
        """The IMU contradicts a scan."""
        self._agreeing, self.contradicted = 0, True

    def compare(self, readings: Readings | None, turn_rate: np.ndarray) -> None:
        """What was measured over an interval in which the scans say a turn rate (3,), rad/s."""
        if self.gyro or readings is None or readings.missing.any():
            return
        agrees = np.abs(readings.mean_turn_rate() - turn_rate).max() < _AGREES_RAD_S
        self._agreeing = self._agreeing + 1 if agrees else 0

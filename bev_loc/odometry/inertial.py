"""What the odometry takes from an IMU before the full filter: gravity and gyro bias at rest, turn rates."""

import numpy as np

from ..records import ImuSample

_REST_SAMPLES = 20
_REST_GYRO_STD_RAD_S, _REST_ACC_STD_SHARE = 0.02, 0.02  # of the mean specific force
_REST_GYRO_RAD_S = 0.05
_KEEP_S = 3.0


class Inertial:
    """A short memory of IMU samples, turned into the base frame."""

    def __init__(self, R_base_imu: np.ndarray) -> None:
        self._R_base_imu = R_base_imu
        self._stamps_ns: list[int] = []
        self._gyro: list[np.ndarray] = []
        self._acc: list[np.ndarray] = []
        self._bias_rad_s = np.zeros(3)
        self.stamps_back = 0  # samples refused because time went back or stood still
        self.not_finite = 0

    def add(self, sample: ImuSample) -> None:
        """Take one sample; refused and counted if it is not finite or not newer than the last."""
        if not (np.isfinite(sample.gyro_rad_s).all() and np.isfinite(sample.acc_m_s2).all()):
            self.not_finite += 1
            return
        if self._stamps_ns and sample.stamp_ns <= self._stamps_ns[-1]:
            self.stamps_back += 1
            return
        self._stamps_ns.append(sample.stamp_ns)
        self._gyro.append(self._R_base_imu @ sample.gyro_rad_s)
        self._acc.append(self._R_base_imu @ sample.acc_m_s2)
        if len(self._stamps_ns) > 4096:
            self._forget(sample.stamp_ns - int(_KEEP_S * 1e9))

    def rest(self) -> np.ndarray | None:
        """(3,) mean specific force in the base frame if the last samples were at rest, else None.

        At rest the gyro's mean becomes its bias.
        """
        if len(self._stamps_ns) < _REST_SAMPLES:
            return None
        gyro, acc = np.array(self._gyro[-_REST_SAMPLES:]), np.array(self._acc[-_REST_SAMPLES:])
        mean = acc.mean(0)
        still = (
            gyro.std(0).max() < _REST_GYRO_STD_RAD_S
            and np.abs(gyro.mean(0)).max() < _REST_GYRO_RAD_S
            and acc.std(0).max() < _REST_ACC_STD_SHARE * np.linalg.norm(mean)
        )
        if not still:
            return None
        self._bias_rad_s = gyro.mean(0)
        return mean

    def mean_rate(self, begin_ns: int, end_ns: int) -> np.ndarray | None:
        """(3,) mean turn rate of the base between two stamps, rad/s; None if samples cover less than half."""
        stamps = np.array(self._stamps_ns, np.int64)
        first, last = np.searchsorted(stamps, [begin_ns, end_ns])
        if last - first < 2 or (stamps[last - 1] - stamps[first]) < 0.5 * (end_ns - begin_ns):
            return None
        return np.mean(self._gyro[first:last], axis=0) - self._bias_rad_s

    def _forget(self, before_ns: int) -> None:
        first = int(np.searchsorted(np.array(self._stamps_ns, np.int64), before_ns))
        del self._stamps_ns[:first], self._gyro[:first], self._acc[:first]

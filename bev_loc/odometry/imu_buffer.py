"""A short memory of IMU samples: unit, rest, and what was measured between two stamps."""

from math import isfinite

import numpy as np

from ..records import ImuSample
from .propagate import Readings
from .state import STANDARD_GRAVITY_M_S2

_REST_S, _MIN_SAMPLES = 0.1, 10
_STALE_S = 1.0
_REST_GYRO_STD_RAD_S, _REST_ACC_STD_SHARE = 0.02, 0.02  # of the mean specific force
_REST_GYRO_RAD_S = 0.05
_KEEP_SAMPLES = 4096
_GAP_S = 0.05  # no samples for longer: they are missing
_SPIKE_RAD_S = 3.0  # off both neighbours, in 5 ms or so: no vehicle turns like that


class ImuBuffer:
    """IMU samples in order, in the IMU's frame; refuses what is not finite or not newer, and gyro spikes, and counts it.

    A sample that jumps waits for the next one, which tells a spike from a turn.
    """

    def __init__(self) -> None:
        self._stamps_ns = np.empty(0, np.int64)
        self._gyro = np.empty((0, 3))
        self._acc = np.empty((0, 3))
        self._new: list[tuple[int, np.ndarray, np.ndarray]] = []
        self._last_ns = -(2**62)
        self._unit_m_s2 = 0.0  # of the accelerometer's numbers; 0 until enough samples were seen
        self._jump: ImuSample | None = None  # the newest sample, while it may be a spike
        self._last_gyro: np.ndarray | None = None  # of the last sample taken
        self.refused = 0
        self.spikes = 0  # of those

    def add(self, sample: ImuSample) -> None:
        """Take one sample."""
        finite = all(map(isfinite, (*sample.gyro_rad_s.tolist(), *sample.acc_m_s2.tolist())))  # a third of numpy's time
        if not finite or sample.stamp_ns <= self._last_ns:
            self.refused += 1
            return
        self._last_ns = sample.stamp_ns
        if self._jump is not None:
            if _apart(sample.gyro_rad_s, self._jump.gyro_rad_s) and not _apart(sample.gyro_rad_s, self._last_gyro):
                self.refused += 1
                self.spikes += 1
            else:
                self._take(self._jump)
            self._jump = None
        if self._last_gyro is not None and _apart(sample.gyro_rad_s, self._last_gyro):
            self._jump = sample
        else:
            self._take(sample)

    def _take(self, sample: ImuSample) -> None:
        self._last_gyro = sample.gyro_rad_s
        self._new.append((sample.stamp_ns, sample.gyro_rad_s, sample.acc_m_s2))

    def unit_note(self) -> str:
        """What was found out about the accelerometer's unit; empty while unknown."""
        self._merge()
        if self._unit_m_s2 == 0.0:
            return ""
        return "accelerometer in m/s^2" if self._unit_m_s2 == 1.0 else "accelerometer in g, converted to m/s^2"

    def rest(self, end_ns: int, since_ns: int | None = None) -> Readings | None:
        """The newest samples up to `end_ns`, of a tenth of a second or since an earlier moment, if the IMU stood still; None otherwise."""
        if self._last_ns < end_ns - int(_STALE_S * 1e9):
            return None
        end_ns = min(end_ns, self._last_ns)
        begin_ns = end_ns - int(_REST_S * 1e9)
        readings = self.between(min(begin_ns, begin_ns if since_ns is None else since_ns), end_ns, np.zeros(3))
        if readings is None or readings.missing.any() or len(readings.durations_s) < _MIN_SAMPLES:
            return None
        gyro, acc = readings.gyro_rad_s, readings.acc_m_s2
        still = (
            gyro.std(0).max() < _REST_GYRO_STD_RAD_S
            and np.abs(gyro.mean(0)).max() < _REST_GYRO_RAD_S
            and acc.std(0).max() < _REST_ACC_STD_SHARE * np.linalg.norm(acc.mean(0))
        )
        return readings if still else None

    def between(self, begin_ns: int, end_ns: int, turn_rate: np.ndarray) -> Readings | None:
        """What was measured between two stamps, pieces without samples marked; None while the unit is unknown.

        turn_rate: (3,) rad/s that missing pieces are given.
        """
        self._merge()
        if self._unit_m_s2 == 0.0:
            return None
        stamps = self._stamps_ns
        first, last = int(np.searchsorted(stamps, begin_ns, "right")), int(np.searchsorted(stamps, end_ns, "left"))
        near = slice(max(first - 1, 0), last + 1)
        inner = stamps[first:last]
        times_s = (np.concatenate([[begin_ns], inner, [end_ns]]) - begin_ns) * 1e-9
        known_s = (stamps[near] - begin_ns) * 1e-9
        middle = 0.5 * (times_s[1:] + times_s[:-1])
        after = np.clip(np.searchsorted(known_s, middle), 0, len(known_s) - 1)
        before = np.maximum(after - 1, 0)
        spread = np.maximum(known_s[after] - known_s[before], np.maximum(middle - known_s[after], 0.0))
        spread = np.maximum(spread, known_s[before] - middle)
        missing = spread > _GAP_S
        gyro = np.stack([np.interp(middle, known_s, axis) for axis in self._gyro[near].T], -1)
        acc = np.stack([np.interp(middle, known_s, axis) for axis in self._acc[near].T], -1)
        gyro[missing] = turn_rate
        kept = np.diff(times_s) > 0
        return Readings(
            durations_s=np.diff(times_s)[kept],
            gyro_rad_s=gyro[kept],
            acc_m_s2=self._unit_m_s2 * acc[kept],
            missing=missing[kept],
        )

    def _merge(self) -> None:
        if not self._new:
            return
        stamps, gyro, acc = zip(*self._new)
        self._stamps_ns = np.concatenate([self._stamps_ns, np.array(stamps, np.int64)])[-_KEEP_SAMPLES:]
        self._gyro = np.concatenate([self._gyro, np.array(gyro, float)])[-_KEEP_SAMPLES:]
        self._acc = np.concatenate([self._acc, np.array(acc, float)])[-_KEEP_SAMPLES:]
        self._new.clear()
        if self._unit_m_s2 == 0.0 and len(self._acc) >= _MIN_SAMPLES:
            # Gravity dominates the median even while driving; the two units are a factor of ten apart.
            length = np.median(np.linalg.norm(self._acc, axis=1))
            self._unit_m_s2 = STANDARD_GRAVITY_M_S2 if length < 3.0 else 1.0


def _apart(a_rad_s: np.ndarray, b_rad_s: np.ndarray) -> bool:
    return max(map(abs, (a_rad_s - b_rad_s).tolist())) > _SPIKE_RAD_S

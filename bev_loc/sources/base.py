"""What every source of scans offers, and the discipline of reading one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..geometry import se3
from ..records import Dropped, ImuSample, LidarScan, Odometry

Item = LidarScan | ImuSample | Odometry | Dropped


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """Where the base really was."""

    stamps_ns: np.ndarray  # (N,) int64
    T_truth_base: np.ndarray  # (N, 4, 4) float64, in the truth's own fixed frame


class Source(Protocol):
    """Scans and inertial samples from a recording.

    `stream` may be called again and starts over. Items come in one order: a scan comes after the IMU
    samples up to its last return (`sources/order.py`). Stamps that go back are passed on as they are. A
    scan that cannot be read is a `Dropped` in its place; nothing after it is lost.
    """

    name: str
    notes: tuple[str, ...]  # what was detected or assumed, one sentence each
    scan_count: int | None  # for progress bars; None when unknown
    T_base_lidar: np.ndarray | None  # (4, 4), the source's own calibration; None when it has none
    T_base_imu: np.ndarray | None

    def stream(self) -> Iterator[Item]:
        """Everything recorded, in order."""
        ...

    def truth(self) -> Truth | None:
        """The recorded ground truth, None when there is none."""
        ...


def mounting(configured: tuple[float, ...], calibrated: np.ndarray | None) -> np.ndarray:
    """(4, 4) T_base_sensor: x y z roll pitch yaw as configured (metres, radians), else the source's own, else at the base."""
    if configured:
        return se3.from_xyz_rpy(configured)
    return np.eye(4) if calibrated is None else calibrated


def scan_end_ns(scan: LidarScan) -> int:
    """The time of the last return."""
    if scan.offsets_s is None or not len(scan.offsets_s):
        return scan.stamp_ns
    return scan.stamp_ns + int(float(scan.offsets_s.max()) * 1e9)

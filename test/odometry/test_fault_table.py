"""The fault table, row by row: how far off during it, whether all is well again after it, and what has to be said.

The vehicle drives at 5 to 8 m/s when the fault comes, with a consumer's IMU at 200 Hz.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from box_world import errors_m, imu, replay

from bev_loc.config import OdometryConfig
from bev_loc.odometry.lio import Lio
from bev_loc.records import Dropped, ImuSample, LidarScan, Odometry

Scans, Samples = list[LidarScan], list[ImuSample]
RECOVERED_M, RECOVERY_SCANS = 0.05, 12  # the last 1.2 s of the drive are as good as ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault and what it may do."""

    name: str
    scans: Callable[[Scans], Scans] = list
    samples: Callable[[Samples], Samples] = list
    limit_m: float = 0.15
    said: tuple[str, ...] = ()  # the reasons and kinds of drops that must be there, and no others
    lasting: bool = False  # the reason stays, as the fault does


def at_s(item: LidarScan | ImuSample) -> float:
    return item.stamp_ns * 1e-9


def during(begin_s: float, end_s: float, **change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Samples], Samples]:
    """Changed values of the samples of [begin, end]."""
    def changed(samples: Samples) -> Samples:
        return [
            replace(s, **{key: do(getattr(s, key)) for key, do in change.items()}) if begin_s - 1e-6 <= at_s(s) <= end_s + 1e-6 else s
            for s in samples
        ]  # fmt: skip
    return changed


def without(begin_s: float, end_s: float) -> Callable[[list], list]:
    """Nothing in ]begin, end[."""
    return lambda items: [one for one in items if not begin_s + 1e-6 < at_s(one) < end_s - 1e-6]


def earlier(begin_s: float, end_s: float, by_s: float) -> Callable[[list], list]:
    """Stamps of ]begin, end[ set back."""
    return lambda items: [replace(one, stamp_ns=one.stamp_ns - round(by_s * 1e9)) if begin_s < at_s(one) < end_s else one for one in items]


def spun(rate: np.ndarray) -> np.ndarray:
    return rate + 20.0


ROWS = [
    Row(name="nothing"),
    Row(name="no IMU at all", samples=lambda samples: []),
    Row(name="IMU off for good", samples=without(3.0, 1e9), said=("no imu samples",), lasting=True),
    Row(
        name="gyro spike of one sample inside a scan", samples=during(3.05, 3.05, gyro_rad_s=spun), said=("gyro spike refused",),
    ),
    Row(
        name="gyro spike of one sample at a scan's end", samples=during(3.0, 3.0, gyro_rad_s=spun), said=("gyro spike refused",),
    ),
    Row(
        name="gyro stuck at 10 rad/s for half a second", samples=during(3.0, 3.5, gyro_rad_s=lambda w: np.full(3, 10.0)),
        said=("imu contradicts the scan",),
    ),
    Row(
        name="accelerometer saturated at 5 m/s^2 for a second", samples=during(3.0, 4.0, acc_m_s2=lambda a: np.clip(a, -5.0, 5.0)),
        said=("imu contradicts the scan",),
    ),  # fmt: skip
    Row(
        name="accelerometer stuck at 80 m/s^2 for a second", samples=during(3.0, 4.0, acc_m_s2=lambda a: np.full(3, 80.0)),
        said=("imu contradicts the scan",),
    ),
    Row(
        name="accelerometer dead for a second", samples=during(3.0, 4.0, acc_m_s2=np.zeros_like), said=("imu contradicts the scan",),
    ),
    Row(name="lidar gap of 1 s", scans=without(2.95, 3.95), said=("scans missing",)),
    Row(
        name="IMU gap of 1.6 s, scans missing for 0.5 s of it", samples=without(2.7, 4.3), scans=without(3.15, 3.65),
        said=("no imu samples", "scans missing"),
    ),
    Row(name="IMU stamps back by 50 ms", samples=earlier(3.0, 3.05, 0.05)),
    Row(name="a scan's stamp back by 50 ms", scans=earlier(2.95, 3.05, 0.05)),
    Row(name="a scan's stamp back by 150 ms", scans=earlier(2.95, 3.05, 0.15), said=("stamp went back",)),
    Row(name="every scan twice", scans=lambda scans: [one for one in scans for _ in range(2)], said=("stamp went back",), lasting=True),
    Row(name="every sample twice", samples=lambda samples: [one for one in samples for _ in range(2)]),
    Row(name="accelerometer saturated at 9 m/s^2", samples=during(-1.0, 1e9, acc_m_s2=lambda a: np.clip(a, -9.0, 9.0))),
]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
def test_a_fault_is_survived_recovered_from_and_said(sweeps: Scans, row: Row) -> None:
    samples = row.samples(imu(-0.2, 0.1 * len(sweeps) + 0.1, noise=np.random.default_rng(4)))
    results = replay(Lio(OdometryConfig()), row.scans(sweeps), samples)
    kept = [one for one in results if isinstance(one, Odometry)]
    assert errors_m(kept).max() < row.limit_m
    assert errors_m(kept[-RECOVERY_SCANS:])[-1] < RECOVERED_M
    said = {one.kind for one in results if isinstance(one, Dropped)} | {reason for one in kept for reason in one.health.reasons}
    assert said == set(row.said)
    assert row.lasting or not any(one.health.reasons for one in kept[-RECOVERY_SCANS:])

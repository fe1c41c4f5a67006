"""Faults on demand: what goes wrong with sensors, clocks and calibration, at a stated second."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..errors import SourceError
from ..records import ImuSample
from .sweep import Sweep

# kind -> (default amount, what the amount is)
KINDS = {
    "imu_gap": (1.5, "seconds without IMU samples"),
    "gyro_spike": (20.0, "rad/s added about each axis for 5 ms: one sample at 200 Hz"),
    "lidar_gap": (1.0, "seconds without scans"),
    "nan": (0.3, "share of the points of every scan from then on that is NaN"),
    "empty": (1.0, "scans without points"),
    "stamps_back": (0.05, "seconds by which five IMU samples and one scan are stamped too early"),
    "clock_offset": (0.05, "seconds by which the lidar's clock is ahead from then on"),
    "extrinsic": (5.0, "degrees by which the reported IMU mounting is turned about z; the second is ignored"),
    "kidnap": (20.0, "seconds of driving skipped in an instant"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong."""

    kind: str
    at_s: float
    amount: float


def parse_fault(text: str) -> Fault:
    """The fault of `KIND@SECOND[:AMOUNT]`; SourceError lists the known kinds."""
    kind, at, rest = text.partition("@")
    second, _, amount = rest.partition(":")
    if kind not in KINDS:
        raise SourceError(f"no fault is called '{kind}'; the known ones are {', '.join(KINDS)}")
    try:
        fault = Fault(kind=kind, at_s=float(second or 0.0), amount=float(amount or KINDS[kind][0]))
    except ValueError:
        fault = Fault(kind=kind, at_s=np.nan, amount=np.nan)
    if not np.isfinite([fault.at_s, fault.amount]).all():
        raise SourceError(f"a fault is written KIND@SECOND[:AMOUNT] with numbers, as in 'imu_gap@20:1.5', got '{text}'")
    return fault


def disturbed(
    stream: Iterable[Sweep | ImuSample], faults: tuple[Fault, ...], begin_ns: int
) -> Iterator[Sweep | ImuSample]:
    """The stream with every fault in it; the order of arrival never changes."""
    for item in stream:
        t_s = (item.stamp_ns - begin_ns) * 1e-9
        kept: Sweep | ImuSample | None = item
        for fault in faults:
            if kept is not None and t_s >= fault.at_s - 1e-9 and fault.kind in _ACTIONS:
                kept = _ACTIONS[fault.kind](kept, t_s - fault.at_s, fault)
        if kept is not None:
            yield kept


def _imu_gap(item: Sweep | ImuSample, since_s: float, fault: Fault) -> Sweep | ImuSample | None:
    return None if isinstance(item, ImuSample) and since_s < fault.amount else item


def _lidar_gap(item: Sweep | ImuSample, since_s: float, fault: Fault) -> Sweep | ImuSample | None:
    return None if isinstance(item, Sweep) and since_s < fault.amount else item


def _gyro_spike(item: Sweep | ImuSample, since_s: float, fault: Fault) -> Sweep | ImuSample:
    if isinstance(item, Sweep) or since_s >= 0.004999:
        return item
    return replace(item, gyro_rad_s=item.gyro_rad_s + fault.amount)


def _nan(item: Sweep | ImuSample, since_s: float, fault: Fault) -> Sweep | ImuSample:
    if isinstance(item, ImuSample):
        return item
    points = item.points_lidar.copy()
    points[np.random.default_rng(item.stamp_ns).random(len(points)) < fault.amount] = np.nan
    return replace(item, points_lidar=points)


def _empty(item: Sweep | ImuSample, since_s: float, fault: Fault) -> Sweep | ImuSample:
    if isinstance(item, ImuSample) or since_s >= 0.1 * fault.amount - 1e-6:
        return item
    return replace(
        item, points_lidar=item.points_lidar[:0], offsets_s=item.offsets_s[:0], intensity=item.intensity[:0], rings=item.rings[:0]
    )


def _stamps_back(item: Sweep | ImuSample, since_s: float, fault: Fault) -> Sweep | ImuSample:
    late = since_s < (0.025 if isinstance(item, ImuSample) else 0.0999)
    return replace(item, stamp_ns=item.stamp_ns - round(fault.amount * 1e9)) if late else item


def _clock_offset(item: Sweep | ImuSample, since_s: float, fault: Fault) -> Sweep | ImuSample:
    return replace(item, stamp_ns=item.stamp_ns + round(fault.amount * 1e9)) if isinstance(item, Sweep) else item


_ACTIONS: dict[str, Callable[[Sweep | ImuSample, float, Fault], Sweep | ImuSample | None]] = {
    "imu_gap": _imu_gap,
    "lidar_gap": _lidar_gap,
    "gyro_spike": _gyro_spike,
    "nan": _nan,
    "empty": _empty,
    "stamps_back": _stamps_back,
    "clock_offset": _clock_offset,
}

"""What a source is, from its first seconds: for `bev_loc doctor SOURCE`."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from ..config import Config
from ..geometry import so3
from ..records import Dropped, ImuSample, LidarScan, Odometry
from ..sources.base import Item, Source
from ..sources.open import open_source

_ITEMS = 1000


def describe(text: str, config: Config) -> dict[str, Any]:
    """Name, notes, rates and points of the first items of a source; SourceError when it cannot be opened."""
    source = open_source(text, config.input)
    items = list(islice(_until_scans(source, 20), _ITEMS))
    scans = [item for item in items if isinstance(item, (LidarScan, Odometry))]
    imu = [item for item in items if isinstance(item, ImuSample)]
    dropped = Counter(item.kind for item in items if isinstance(item, Dropped))
    return {
        "source": source.name,
        "notes": list(source.notes),
        "scans": source.scan_count,
        "scan_rate_hz": _rate_hz([scan.stamp_ns for scan in scans]),
        "imu_rate_hz": _rate_hz([sample.stamp_ns for sample in imu]),
        "acceleration_norm_m_s2": _median([float(np.linalg.norm(sample.acc_m_s2)) for sample in imu]),
        "points_per_scan": _median([len(_points(scan)) for scan in scans]),
        "unusable_points": _median([int((~np.isfinite(_points(scan)).all(1)).sum()) for scan in scans]),
        "range_m": _range_m(scans),
        "point_times_s": _median([_span_s(scan) for scan in scans if isinstance(scan, LidarScan) and scan.offsets_s is not None]),
        "given_odometry": any(isinstance(scan, Odometry) for scan in scans),
        "ground_truth": source.truth() is not None,
        "T_base_lidar": _xyz_rpy(source.T_base_lidar),
        "T_base_imu": _xyz_rpy(source.T_base_imu),
        "dropped_at_start": dict(dropped),
    }


def _until_scans(source: Source, count: int) -> Iterator[Item]:
    """The stream up to its `count`-th scan."""
    for item in source.stream():
        yield item
        count -= isinstance(item, (LidarScan, Odometry))
        if count == 0:
            return


def _points(scan: LidarScan | Odometry) -> np.ndarray:
    return scan.points_lidar if isinstance(scan, LidarScan) else scan.points_base


def _xyz_rpy(T: np.ndarray | None) -> list[float] | None:
    """As `input.T_base_lidar` is written: metres and radians."""
    return None if T is None else [round(float(v), 6) for v in (*T[:3, 3], *so3.to_rpy(T[:3, :3]))]


def _span_s(scan: LidarScan) -> float:
    finite = scan.offsets_s[np.isfinite(scan.offsets_s)]
    return float(finite.max()) if len(finite) else 0.0


def _range_m(scans: list[LidarScan | Odometry]) -> list[float] | None:
    """Nearest, median and farthest 1 % of the ranges."""
    ranges = [np.linalg.norm(_points(scan), axis=1) for scan in scans]
    ranges = [r[np.isfinite(r) & (r > 0)] for r in ranges]
    whole = np.concatenate(ranges) if ranges else np.zeros(0)
    return [round(float(v), 2) for v in np.percentile(whole, [1, 50, 99])] if len(whole) else None


def _rate_hz(stamps_ns: list[int]) -> float | None:
    steps = np.diff(np.array(stamps_ns, np.int64))
    steps = steps[steps > 0]
    return round(float(1e9 / np.median(steps)), 2) if len(steps) else None


def _median(values: list[float]) -> float | None:
    return round(float(np.median(values)), 4) if values else None

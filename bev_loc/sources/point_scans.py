"""From structured points to a scan: positions, and times as the recording's first cloud showed them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..clouds.damaged import DamagedScan
from ..clouds.point_cloud2 import xyz
from ..clouds.point_times import PointTimes, azimuth_fraction, detect, find_field, valid_points
from ..config import InputConfig
from ..errors import SourceError
from ..records import LidarScan


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReading:
    """What was decided about all clouds of a recording."""

    times: PointTimes | None
    azimuth_sweep_s: float | None  # set when times come from the azimuth
    note: str

    def scan(self, points: np.ndarray, stamp_ns: int, name: str) -> LidarScan:
        """The scan of structured `points`; DamagedScan when it has no positions or lost its times."""
        positions = xyz(points)
        if not len(positions):
            raise DamagedScan("empty scan", "holds no points; check the recording")
        if self.azimuth_sweep_s is not None:
            offsets_s = azimuth_fraction(positions) * np.float32(self.azimuth_sweep_s)
            return LidarScan(stamp_ns=stamp_ns, points_lidar=positions, offsets_s=offsets_s, name=name)
        if self.times is None:
            return LidarScan(stamp_ns=stamp_ns, points_lidar=positions, name=name)
        if self.times.field not in (points.dtype.names or ()):
            raise DamagedScan(
                "no point times", f"expected the field '{self.times.field}' as in the first scan; check the recording"
            )
        timed = self.times.read(points, stamp_ns)
        return LidarScan(stamp_ns=timed.stamp_ns, points_lidar=positions, offsets_s=timed.offsets_s, name=name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstCloud:
    """A cloud from the beginning of a recording, to look at."""

    points: np.ndarray  # structured
    stamp_ns: int
    arrival_ns: int | None = None  # when it was recorded


def decide_reading(first_clouds: Iterable[FirstCloud], where: str, config: InputConfig) -> ScanReading:
    """How the points of a recording or topic are timed: read off the first of a few clouds that shows it.

    SourceError when the configured field is not there; DamagedScan when no cloud has valid points and times
    to decide by: a live topic waits for the next cloud, a recording is read as `untimed`.
    """
    if config.point_times == "azimuth":
        note = "point times come from the azimuth (clockwise from behind), a sweep lasts 1 / input.scan_rate_hz"
        return ScanReading(times=None, azimuth_sweep_s=1.0 / config.scan_rate_hz, note=note)
    if config.point_times == "none":
        return untimed("input.point_times says so")
    damage: DamagedScan | None = DamagedScan("empty scan", "holds no valid points; check the sensor")
    for cloud in first_clouds:
        if config.point_time_field and find_field(cloud.points, config.point_time_field) is None:
            raise SourceError(
                f"{where}: no field '{config.point_time_field}' with one number per point; "
                f"its fields are {', '.join(cloud.points.dtype.names)} (input.point_time_field)"
            )
        if not valid_points(cloud.points).any():
            continue
        try:
            times = detect(cloud.points, cloud.stamp_ns, config, cloud.arrival_ns)
        except DamagedScan as wild:
            damage = wild
            continue
        if times is not None:
            return ScanReading(times=times, azimuth_sweep_s=None, note=times.note)
        damage = None
    if damage is not None:
        raise damage
    return untimed("points carry no times")


def untimed(why: str) -> ScanReading:
    """Scans without times within the sweep."""
    note = f"scans are taken as motion compensated ({why}); input.point_times=azimuth if they are not"
    return ScanReading(times=None, azimuth_sweep_s=None, note=note)


def decide_recording(first_clouds: Iterable[FirstCloud], where: str, config: InputConfig) -> ScanReading:
    """`decide_reading` for a recording, which is read even when its first clouds show nothing."""
    try:
        return decide_reading(first_clouds, where, config)
    except DamagedScan as damage:
        return untimed(f"none of the first clouds tells: {damage.reason}")

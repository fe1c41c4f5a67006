"""What of a scan is used, or why none of it is."""

from dataclasses import dataclass

import numpy as np

from ..clouds import filters, voxels
from ..clouds.filters import CroppedCloud
from ..config import OdometryConfig
from ..records import Dropped, LidarScan

_MIN_POINTS = 20
_MAX_SWEEP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intake:
    """A scan's usable points in the body frame and its time."""

    cloud: CroppedCloud
    to_map: np.ndarray  # (M,) indices: one point per voxel
    end_s: float  # of the last point, from the scan's stamp
    stamp_ns: int  # of the last point


def take_in(
    scan: LidarScan, config: OdometryConfig, T_body_lidar: np.ndarray, last_begin_ns: int, last_stamp_ns: int
) -> Intake | Dropped:
    """The scan's usable points, or the reason why it is dropped; the last scan began and ended at the given stamps."""
    if scan.stamp_ns <= last_begin_ns:
        return _dropped(scan, "stamp went back", "its stamp is not after the last scan's")
    offsets_s = None if config.deskew == "off" else scan.offsets_s
    cloud = filters.crop(scan.points_lidar, offsets_s, T_body_lidar, config.min_range_m, config.max_range_m)
    end_s = float(cloud.offsets_s.max()) if len(cloud.offsets_s) else 0.0
    if end_s > _MAX_SWEEP_S or (len(cloud.offsets_s) and cloud.offsets_s.min() < 0.0):
        return _dropped(scan, "implausible point times", f"they reach {end_s:g} s; set input.point_time_unit")
    stamp_ns = scan.stamp_ns + round(end_s * 1e9)
    if stamp_ns <= last_stamp_ns:
        return _dropped(scan, "stamp went back", "it ends before the last scan ended")
    to_map = voxels.downsample_indices(cloud.points_body, config.scan_voxel_m)
    if len(to_map) < _MIN_POINTS:
        return _dropped(scan, "too few points", _why_few(scan, cloud, len(to_map)))
    return Intake(cloud=cloud, to_map=to_map, end_s=end_s, stamp_ns=stamp_ns)


def _why_few(scan: LidarScan, cloud: CroppedCloud, left: int) -> str:
    return (
        f"{left} usable of {len(scan.points_lidar)} points ({cloud.not_finite} not finite, {cloud.too_near} too near, "
        f"{cloud.too_far} too far, the rest in the same voxels)"
    )


def _dropped(scan: LidarScan, kind: str, why: str) -> Dropped:
    return Dropped(where=scan.name or "scan", kind=kind, reason=f"scan dropped: {why}", stamp_ns=scan.stamp_ns)

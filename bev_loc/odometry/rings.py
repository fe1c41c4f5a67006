"""Where a lidar's rays come from and how far apart its rings are: what tells a surface from a single ring's line."""

from dataclasses import dataclass, field

import numpy as np

_MIN_POINTS = 1000
_APART_RAD = np.deg2rad(0.5)  # rings nearer to each other than this are dense
_EMPTY_SHARE = 0.5  # of the field of view between rings, from which on a lidar is sparse


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rays:
    """A lidar's rays in the body frame."""

    origin_body: np.ndarray = field(default_factory=lambda: np.zeros(3))  # (3,)
    spacing_rad: float = 0.0  # between neighbouring rings of a sparse lidar; 0: dense, or no rings


def ring_spacing_rad(points_lidar: np.ndarray) -> float:
    """The angle between neighbouring rings of (N, 3) points in the lidar's frame; 0 where none stand clearly apart."""
    points = points_lidar[np.isfinite(points_lidar).all(1) & points_lidar.any(1)].astype(float)
    if len(points) < _MIN_POINTS:
        return 0.0
    elevations = np.sort(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    gaps = np.diff(elevations)
    wide = gaps[gaps > _APART_RAD]
    if wide.sum() < _EMPTY_SHARE * (elevations[-1] - elevations[0]):
        return 0.0
    return float(np.median(wide))

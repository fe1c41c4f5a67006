"""BEV images along a simulated drive, levelled and deskewed by the known truth, so that only sensor and place show.

They are drawn as a keyframe's is: a sensor that looks one way also shows what it saw on the last metres of the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..bev.raster import rasterise
from ..clouds.deskew import deskew_by_table, knot_table
from ..clouds.voxels import downsample
from ..config import BevConfig, KeyframeConfig
from ..geometry import se3, so3
from ..geometry.trajectory import path_length_m
from ..place.surroundings import Surroundings
from ..records import BevImage
from ..sim.options import parse
from ..sim.simulation import Simulation, simulate
from ..sim.sweep import Sweep

_KNOTS = 11  # poses within a sweep


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenCloud:
    """What is around a sensor, and where that was."""

    points_level: np.ndarray  # (N, 3) float32 in its levelled frame
    T_world_level: np.ndarray  # (4, 4)

    def drawn(self, bev: BevConfig, heading_rad: float = 0.0) -> "SeenPlace":
        """Its image, as a sensor draws it that looks so much farther to the left."""
        T_level_turned = se3.from_xyz_rpy((0.0, 0.0, 0.0, 0.0, 0.0, heading_rad))
        points = self.points_level @ T_level_turned[:3, :3].astype(np.float32) if heading_rad else self.points_level
        return SeenPlace(image=rasterise(points, bev), T_world_level=self.T_world_level @ T_level_turned)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenPlace:
    """One image and where it was taken."""

    image: BevImage
    T_world_level: np.ndarray  # (4, 4) of the levelled frame that the image is drawn in


def drive_along(description: str, spacing_m: float, bev: BevConfig, *, lone_scans: bool = False) -> list[SeenPlace]:
    """Images of the drive that `town,seed=3,lidar=vlp16` describes: of the first scan, and of each after another `spacing_m`.

    With `lone_scans` each shows its own scan only, whatever the sensor.
    """
    clouds = clouds_along(simulate(parse(description)), spacing_m, lone_scans=lone_scans)
    return [cloud.drawn(bev) for cloud in clouds]


def clouds_along(simulation: Simulation, spacing_m: float, *, lone_scans: bool = False) -> Iterator[SeenCloud]:
    """What the images of `drive_along` are drawn from."""
    scanner, shown = simulation.scanner(), _spaced(simulation, spacing_m)
    keyframes, surroundings = KeyframeConfig(), Surroundings()
    for index in sorted({*shown, *_spaced(simulation, keyframes.distance_m)}):
        if index not in shown and (lone_scans or not surroundings.narrow):
            continue
        points_lidar, T_world_lidar = _deskewed(simulation, scanner.sweep(index))
        earlier = surroundings.earlier(downsample(points_lidar, keyframes.voxel_m), T_world_lidar)
        if index in shown:
            around = points_lidar if lone_scans else np.concatenate([points_lidar, earlier])
            yield _levelled(around, T_world_lidar)


def _deskewed(simulation: Simulation, sweep: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) float32 points of a sweep, as from its end, and (4, 4) T_world_lidar then."""
    start_s = simulation.begin_s + (sweep.stamp_ns - simulation.stamp_ns(simulation.begin_s)) * 1e-9
    times_s = np.linspace(0.0, 1.0 / simulation.lidar.rate_hz, _KNOTS)
    T_world_lidar = simulation.drive.poses(start_s + times_s)
    table = knot_table(times_s, T_world_lidar)
    return deskew_by_table(sweep.points_lidar, sweep.offsets_s, table, times_s[0], times_s[-1]), T_world_lidar[-1]


def _levelled(points_lidar: np.ndarray, T_world_lidar: np.ndarray) -> SeenCloud:
    """(N, 3) points around a sensor."""
    R_level_lidar = so3.level(T_world_lidar[:3, :3])
    T_lidar_level = np.eye(4)
    T_lidar_level[:3, :3] = R_level_lidar.T
    return SeenCloud(points_level=points_lidar @ R_level_lidar.T.astype(np.float32), T_world_level=T_world_lidar @ T_lidar_level)


def _spaced(simulation: Simulation, spacing_m: float) -> list[int]:
    """Indices of the first scans that begin after another `spacing_m` of path."""
    times_s = simulation.begin_s + np.arange(simulation.scan_count) / simulation.lidar.rate_hz
    path_m = path_length_m(simulation.drive.poses(times_s))
    return [int(index) for index in np.flatnonzero(np.diff(np.floor(path_m / spacing_m), prepend=-1.0) > 0)]

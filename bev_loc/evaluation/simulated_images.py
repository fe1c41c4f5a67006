"""BEV images along a simulated drive, levelled and deskewed by the known truth, so that only sensor and place show."""

from dataclasses import dataclass

import numpy as np

from ..bev.raster import rasterise
from ..clouds.deskew import deskew_by_table, knot_table
from ..config import BevConfig
from ..geometry import so3
from ..geometry.trajectory import path_length_m
from ..records import BevImage
from ..sim.options import parse
from ..sim.simulation import Simulation, simulate
from ..sim.sweep import Sweep

_KNOTS = 11  # poses within a sweep


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenPlace:
    """One image and where it was taken."""

    image: BevImage
    T_world_level: np.ndarray  # (4, 4) of the levelled frame that the image is drawn in


def drive_along(description: str, spacing_m: float, bev: BevConfig) -> list[SeenPlace]:
    """Images of the drive that `town,seed=3,lidar=vlp16` describes: of the first scan, and of each after another `spacing_m`."""
    simulation = simulate(parse(description))
    scanner = simulation.scanner()
    return [see(simulation, scanner.sweep(index), bev) for index in _spaced(simulation, spacing_m)]


def see(simulation: Simulation, sweep: Sweep, bev: BevConfig) -> SeenPlace:
    """The image of one sweep at its end."""
    start_s = simulation.begin_s + (sweep.stamp_ns - simulation.stamp_ns(simulation.begin_s)) * 1e-9
    times_s = np.linspace(0.0, 1.0 / simulation.lidar.rate_hz, _KNOTS)
    T_world_lidar = simulation.drive.poses(start_s + times_s)
    table = knot_table(times_s, T_world_lidar)
    points = deskew_by_table(sweep.points_lidar, sweep.offsets_s, table, times_s[0], times_s[-1])
    R_level_lidar = so3.level(T_world_lidar[-1, :3, :3])
    T_lidar_level = np.eye(4)
    T_lidar_level[:3, :3] = R_level_lidar.T
    image = rasterise(points @ R_level_lidar.T.astype(np.float32), bev)
    return SeenPlace(image=image, T_world_level=T_world_lidar[-1] @ T_lidar_level)


def _spaced(simulation: Simulation, spacing_m: float) -> list[int]:
    """Indices of the first scans that begin after another `spacing_m` of path."""
    times_s = simulation.begin_s + np.arange(simulation.scan_count) / simulation.lidar.rate_hz
    path_m = path_length_m(simulation.drive.poses(times_s))
    return [int(index) for index in np.flatnonzero(np.diff(np.floor(path_m / spacing_m), prepend=-1.0) > 0)]

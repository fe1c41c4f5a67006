"""Lidar presets: beams, when each fires, how far and how well it measures."""

from dataclasses import dataclass

import numpy as np

from ..errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LidarModel:
    """A lidar as its fixed pattern of rays; ray k of a scan always points the same way in the lidar frame."""

    name: str
    directions: np.ndarray  # (N, 3) float32 unit, in order of firing
    offsets_s: np.ndarray  # (N,) float32 from the start of the scan
    rings: np.ndarray  # (N,) uint8
    firing: np.ndarray  # (N,) int32, index into `firing_s`: rays that share a sensor pose
    firing_s: np.ndarray  # (F,) float64
    rate_hz: float = 10.0
    min_range_m: float = 0.9
    max_range_m: float = 100.0
    noise_m: float = 0.02
    reach: float = 6e-6  # reflectivity * cos(incidence) / range^2 at which about 6 of 10 returns are lost
    unit_range_m: float = 0.006  # spread between beams of what calibration leaves of range and angle
    unit_angle_rad: float = 3e-4
    lost: float = 0.004  # share of rays that vanish for no visible reason
    turns: bool = False  # the pattern goes on turning from scan to scan (Livox-like)
    own_car: bool = False  # roof and rack hide some rays


def _spinning(
    name: str, elevations_deg: np.ndarray, columns: int, *, order: np.ndarray | None = None, spread: float = 0.85,
    azimuth_shift_deg: np.ndarray | None = None, **values: float | bool,
) -> LidarModel:  # fmt: skip
    """A turning head seen from above clockwise, from straight back (180 degrees) to straight back.

    Beams fire one after the other in `order` during the share `spread` of a column's time.
    """
    rings = np.argsort(elevations_deg) if order is None else order
    period = 1.0 / float(values.get("rate_hz", 10.0))
    column = np.repeat(np.arange(columns), len(rings))
    place = np.tile(np.arange(len(rings)), columns) / len(rings) * spread
    ring = np.tile(rings, columns)
    fraction = (column + place) / columns
    shift = 0.0 if azimuth_shift_deg is None else np.radians(azimuth_shift_deg)[ring]
    azimuth, elevation = np.pi * (1 - 2 * fraction) + shift, np.radians(elevations_deg)[ring]
    directions = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], 1)
    return LidarModel(
        name=name, directions=directions.astype(np.float32), offsets_s=(fraction * period).astype(np.float32),
        rings=ring.astype(np.uint8), firing=column.astype(np.int32),
        firing_s=(np.arange(columns) + 0.5 * spread) / columns * period, **values,
    )  # fmt: skip


def hdl64(columns: int = 1800) -> LidarModel:
    """Velodyne HDL-64E S2: 32 beams every 1/3 degree below +2, 32 every 1/2 degree below -8.83; on a car's roof."""
    elevations = np.concatenate([2.0 - np.arange(32) / 3.0, -8.83 - 0.5 * np.arange(32)])[::-1]
    return _spinning("hdl64", elevations, columns, max_range_m=80.0, min_range_m=1.5, unit_range_m=0.012, unit_angle_rad=5e-4, own_car=True)


def hdl32(columns: int = 2160) -> LidarModel:
    """Velodyne HDL-32E: +10.67 to -30.67 degrees, fired low and high beams in turn."""
    elevations = -30.67 + 4.0 / 3.0 * np.arange(32)
    order = np.stack([np.arange(16), np.arange(16, 32)], 1).ravel()
    return _spinning("hdl32", elevations, columns, order=order, max_range_m=80.0)


def vlp16(columns: int = 1808) -> LidarModel:
    """Velodyne VLP-16: 2 degrees apart, fired -15, 1, -13, 3 ... in 2.304 us steps of a 55.296 us cycle."""
    elevations = -15.0 + 2.0 * np.arange(16)
    order = np.stack([np.arange(8), np.arange(8, 16)], 1).ravel()
    return _spinning("vlp16", elevations, columns, order=order, spread=16 * 2.304 / 55.296, noise_m=0.015)


def ouster(beams: int, columns: int = 1024) -> LidarModel:
    """Ouster OS1: beams evenly over 45 degrees, all of a column at once, staggered in azimuth by fours."""
    elevations = np.linspace(-22.5, 22.5, beams)
    shift = np.tile([3.0, 1.0, -1.0, -3.0], beams // 4)
    name = f"os1-{beams}"
    return _spinning(name, elevations, columns, spread=0.0, azimuth_shift_deg=shift, min_range_m=0.5, max_range_m=120.0, noise_m=0.018)


def livox(points: int = 20000) -> LidarModel:
    """A Livox-like scanner: a rose of two turning prisms over a 70.4 degree cone, never the same twice."""
    t = np.arange(points) / points * 0.1
    radius = np.radians(35.2) * np.abs(np.cos(2 * np.pi * 73.0 * t))
    angle = 2 * np.pi * 41.5 * t
    y, z = radius * np.cos(angle), radius * np.sin(angle)
    directions = np.stack([np.cos(radius), np.sinc(radius / np.pi) * y, np.sinc(radius / np.pi) * z], 1)
    firing = np.arange(points) // 20
    return LidarModel(
        name="livox", directions=directions.astype(np.float32), offsets_s=t.astype(np.float32),
        rings=(np.arange(points) % 4).astype(np.uint8), firing=firing.astype(np.int32),
        firing_s=(np.arange(firing[-1] + 1) + 0.5) * 20 / points * 0.1, max_range_m=150.0, min_range_m=0.5, turns=True,
    )  # fmt: skip


PRESETS = {
    "hdl64": hdl64,
    "hdl32": hdl32,
    "vlp16": vlp16,
    "os1-64": lambda: ouster(64),
    "os1-128": lambda: ouster(128),
    "livox": livox,
}


def preset(name: str) -> LidarModel:
    """The lidar called `name`; SourceError lists the known ones."""
    if name not in PRESETS:
        raise SourceError(f"no lidar is called '{name}'; the known ones are {', '.join(sorted(PRESETS))}")
    return PRESETS[name]()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unit:
    """One sensor off the line: where its rays really go, and how far off each measures."""

    directions: np.ndarray  # (N, 3) float32 unit
    range_error_m: np.ndarray  # (N,) float32


def unit(model: LidarModel) -> Unit:
    """The unit of a preset, always the same: every beam errs a little in elevation, azimuth and range."""
    rng = np.random.default_rng(list(model.name.encode()))
    error = rng.normal(size=(256, 3))[model.rings]
    x, y, z = model.directions.astype(float).T
    elevation = np.arcsin(z) + model.unit_angle_rad * error[:, 0]
    azimuth = np.arctan2(y, x) + model.unit_angle_rad * error[:, 1]
    true = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], 1)
    return Unit(directions=true.astype(np.float32), range_error_m=(model.unit_range_m * error[:, 2]).astype(np.float32))


# Boxes of the carrying car in the lidar frame (x0, x1, y0, y1, z0, z1): roof, rack and camera rig.
_OWN_CAR_M = np.array([
    [-3.0, -1.3, 0.55, 0.95, -1.2, -0.62],
    [-3.0, -1.3, -0.95, -0.55, -1.2, -0.62],
    [-2.9, -1.9, -0.6, 0.6, -1.3, -0.85],
    [0.9, 1.3, -0.45, 0.45, -0.7, -0.52],
    [0.35, 0.5, 0.55, 0.62, -0.6, -0.28],
    [0.35, 0.5, -0.62, -0.55, -0.6, -0.28],
    [-0.5, -0.4, 0.75, 0.83, -0.6, -0.34],
    [-0.5, -0.4, -0.83, -0.75, -0.6, -0.34],
])  # fmt: skip


def hidden_by_own_car(directions: np.ndarray) -> np.ndarray:
    """(N,) bool: rays that hit the carrying car (slab test)."""
    safe = np.where(np.abs(directions) < 1e-9, 1e-9, directions.astype(float))
    hidden = np.zeros(len(directions), bool)
    for box in _OWN_CAR_M:
        near, far = np.sort(box.reshape(3, 2)[None] / safe[:, :, None], axis=2).transpose(2, 0, 1)
        hidden |= (near.max(1) <= far.min(1)) & (far.min(1) > 0)
    return hidden

"""Compiles what the nodes will need before the first message comes, so that no scan is lost to it."""

import numpy as np

from ..config import Config, OdometryConfig
from ..localizer import Localizer
from ..odometry.lio import Lio
from ..records import ImuSample, LidarScan, Odometry, OdometryHealth, Step

_SWEEPS = 12  # the filter starts after eight


def warm_up_odometry(config: OdometryConfig) -> Odometry | None:
    """Run a throw-away odometry over a few sweeps in a box, at rest; its last result."""
    lio = Lio(config)
    result = None
    for i in range(_SWEEPS):
        begin_ns = i * 100_000_000
        for k in range(0, 100_000_000, 5_000_000):
            lio.on_imu(ImuSample(stamp_ns=begin_ns + k, gyro_rad_s=np.zeros(3), acc_m_s2=np.array([0.0, 0.0, 9.8])))
        points, offsets_s = _box(config), np.linspace(0.0, 0.095, 6 * 900, dtype=np.float32)
        result = lio.on_scan(LidarScan(stamp_ns=begin_ns, points_lidar=points, offsets_s=offsets_s))
    return result if isinstance(result, Odometry) else None


def warm_up_localizer(config: Config) -> Step:
    """Run a throw-away localizer over a loop with its closure; its last step."""
    localizer = Localizer(config)
    for stamp_ns, x_m in enumerate((0.0, 2.0 * config.place.min_path_m, 0.0)):
        T_odom_base = np.eye(4)
        T_odom_base[0, 3] = x_m
        points = np.concatenate([_box(config.odometry), _posts()])
        health = OdometryHealth(points_in=len(points), points_used=len(points), matches=0, rmse_m=0.0, iterations=0)
        step = localizer.on_odometry(
            Odometry(stamp_ns=stamp_ns, T_odom_base=T_odom_base, covariance=np.eye(6), points_base=points, health=health)
        )
    return step


def _posts() -> np.ndarray:
    """(N, 3) float32 points on posts of 3 m here and there: their images have corners to be matched."""
    xy = np.random.default_rng(0).uniform(-15.0, 15.0, (60, 2))
    heights = np.arange(-1.5, 1.5, 0.2)
    return np.column_stack([np.repeat(xy, len(heights), 0), np.tile(heights, len(xy))]).astype(np.float32)


def _box(config: OdometryConfig) -> np.ndarray:
    """(5400, 3) float32 points on six walls of 12 m, within the range, as dense as a lidar sees them."""
    distance_m = config.min_range_m + min(6.0, 0.5 * (config.max_range_m - config.min_range_m))
    u, v = (axis.ravel() for axis in np.meshgrid(np.linspace(-6, 6, 30), np.linspace(-6, 6, 30)))
    walls = [np.column_stack([u, v, np.full(900, side * distance_m)]) for side in (-1.0, 1.0)]
    return np.concatenate([np.roll(wall, axis, axis=1) for wall in walls for axis in range(3)]).astype(np.float32)

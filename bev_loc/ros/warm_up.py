"""Compiles what the nodes will need before the first message comes, so that no scan is lost to it."""

import numpy as np

from ..config import Config, OdometryConfig
from ..localizer import Localizer
from ..odometry.lio import Lio
from ..records import ImuSample, LidarScan, Odometry, OdometryHealth, Step


def warm_up_odometry(config: OdometryConfig) -> Odometry | None:
    """Run a throw-away odometry over three sweeps in a box; its last result."""
    lio = Lio(config)
    result = None
    for i in range(3):
        lio.on_imu(ImuSample(stamp_ns=i * 10**8, gyro_rad_s=np.zeros(3), acc_m_s2=np.array([0.0, 0.0, 9.8])))
        points, offsets_s = _box(config), np.linspace(0.0, 0.1, 6 * 900, dtype=np.float32)
        result = lio.on_scan(LidarScan(stamp_ns=i * 10**8, points_lidar=points, offsets_s=offsets_s))
    return result if isinstance(result, Odometry) else None


def warm_up_localizer(config: Config) -> Step:
    """Run a throw-away localizer over a loop with its closure; its last step."""
    localizer = Localizer(config)
    for stamp_ns, x_m in enumerate((0.0, 2.0 * config.place.min_path_m, 0.0)):
        T_odom_base = np.eye(4)
        T_odom_base[0, 3] = x_m
        points = _box(config.odometry)
        health = OdometryHealth(points_in=len(points), points_used=len(points), matches=0, rmse_m=0.0, iterations=0)
        step = localizer.on_odometry(
            Odometry(stamp_ns=stamp_ns, T_odom_base=T_odom_base, covariance=np.eye(6), points_base=points, health=health)
        )
    return step


def _box(config: OdometryConfig) -> np.ndarray:
    """(5400, 3) float32 points on the six sides of a box that lies within the range."""
    half_m = config.min_range_m + min(5.0, (config.max_range_m - config.min_range_m) / 4)
    u, v = (axis.ravel() for axis in np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 30)))
    sides = [np.roll(np.column_stack([u, v, np.full(900, side)]), axis, axis=1) for axis in range(3) for side in (-1.0, 1.0)]
    return (half_m * np.concatenate(sides)).astype(np.float32)

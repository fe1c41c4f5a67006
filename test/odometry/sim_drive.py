"""The odometry's answers to a simulated drive."""

from bev_loc.config import InputConfig, OdometryConfig
from bev_loc.odometry.lio import Lio
from bev_loc.records import Dropped, ImuSample, Odometry
from bev_loc.sources.base import Truth
from bev_loc.sources.open import open_source


def driven(sim: str, config: OdometryConfig = OdometryConfig()) -> tuple[list[Odometry | Dropped], Truth]:
    """What is said of every scan of a simulation, by the odometry with its IMU, and where the base really was."""
    source = open_source(f"sim:{sim}", InputConfig())
    lio, results = Lio(config, T_base_lidar=source.T_base_lidar, T_base_imu=source.T_base_imu), []
    for item in source.stream():
        if isinstance(item, ImuSample):
            lio.on_imu(item)
        else:
            results.append(lio.on_scan(item))
    return results, source.truth()

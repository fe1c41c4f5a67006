"""What is told of a scan beside its pose: the evidence for it, and how fast the base moves."""

import numpy as np

from ..records import ImuCalibration, LidarScan, OdometryHealth
from .state import NavState
from .update import Registration


def health(scan: LidarScan, result: Registration, reasons: tuple[str, ...], imu: ImuCalibration | None) -> OdometryHealth:
    """How the pose of a scan came about; `imu` is what is known of its mounting and clock, if they are estimated."""
    return OdometryHealth(
        points_in=len(scan.points_lidar),
        points_used=result.points,
        matches=result.matches,
        rmse_m=result.rmse_m,
        iterations=result.iterations,
        degenerate_directions=result.degenerate_directions,
        bev_matches=result.bev_matches,
        reasons=reasons,
        imu=imu,
    )


def velocity_of_base(T_odom_body: np.ndarray, T_body_base: np.ndarray, twist: np.ndarray | None, state: NavState | None) -> np.ndarray:
    """(3,) velocity of the base's origin in odom axes, m/s; zero while the body's twist (6,) is unknown.

    With a state of the filter, the velocity of its IMU is carried over; without one the body's mean over the last scan.
    """
    if twist is None:
        return np.zeros(3)
    R, lever_body = T_odom_body[:3, :3], T_body_base[:3, 3]
    if state is None:
        v_odom = R @ twist[3:]
    else:
        v_odom, lever_body = state.v_odom, lever_body - state.T_body_imu[:3, 3]
    return v_odom + R @ np.cross(twist[:3], lever_body)

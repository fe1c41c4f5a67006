"""The velocity that is told is the one of the base's origin, wherever the IMU sits."""

import numpy as np

from bev_loc.geometry import se3
from bev_loc.odometry.report import velocity_of_base
from bev_loc.odometry.state import NavState

T_ODOM_BODY = se3.from_xyz_rpy((4.0, -2.0, 1.0, 0.1, -0.2, 2.0))
T_BODY_BASE = se3.from_xyz_rpy((-0.8, 0.3, -1.1, 0.0, 0.1, -0.4))
TWIST = np.array([0.1, -0.2, 0.9, 12.0, 0.4, -0.1])


def by_difference(T_body_point: np.ndarray) -> np.ndarray:
    """(3,) velocity of a point that moves with the body."""
    h = 1e-6
    before, after = (T_ODOM_BODY @ se3.exp(sign * h * TWIST) @ T_body_point for sign in (-1.0, 1.0))
    return (after[:3, 3] - before[:3, 3]) / (2 * h)


def test_without_a_filter_it_is_that_of_the_bodys_twist() -> None:
    found = velocity_of_base(T_ODOM_BODY, T_BODY_BASE, TWIST, None)
    assert np.allclose(found, by_difference(T_BODY_BASE), atol=1e-6)


def test_with_a_filter_it_is_its_imus_carried_to_the_base() -> None:
    T_body_imu = se3.from_xyz_rpy((0.05, -0.1, 0.02, 0.01, 0.02, -0.03))
    state = NavState(
        T_odom_body=T_ODOM_BODY, v_odom=by_difference(T_body_imu), gyro_bias=np.zeros(3), acc_bias=np.zeros(3),
        gravity_odom=np.array([0.0, 0.0, -9.8]), T_body_imu=T_body_imu,
    )  # fmt: skip
    found = velocity_of_base(T_ODOM_BODY, T_BODY_BASE, TWIST, state)
    assert np.allclose(found, by_difference(T_BODY_BASE), atol=1e-6)


def test_while_the_twist_is_unknown_it_is_zero() -> None:
    assert not velocity_of_base(T_ODOM_BODY, T_BODY_BASE, None, None).any()

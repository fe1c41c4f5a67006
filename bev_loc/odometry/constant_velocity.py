"""The motion model without an IMU: the body goes on as it went."""

import numpy as np

from ..geometry import se3
from .sweep import ConstantTwist
from .update import Prediction

_ACC_SIGMA_M_S2, _TURN_SIGMA_RAD_S2 = 3.0, 2.0  # what a ground vehicle does between two sweeps
_UNKNOWN_SPEED_M_S, _UNKNOWN_TURN_RAD_S = 20.0, 1.0  # before the first motion is known
_GYRO_SIGMA_RAD_S = 0.005  # its bias is not known yet


def predict(
    T_odom_last: np.ndarray, twist: np.ndarray | None, turn_rate: np.ndarray | None, interval_s: float
) -> Prediction:
    """The pose after an interval at the last twist (6,), None if unknown, and a gyro's turn rate (3,) if there is one."""
    known = twist is not None
    expected = twist.copy() if known else np.zeros(6)
    sigma_rad = _TURN_SIGMA_RAD_S2 * interval_s**2 if known else _UNKNOWN_TURN_RAD_S * interval_s
    sigma_m = _ACC_SIGMA_M_S2 * interval_s**2 if known else _UNKNOWN_SPEED_M_S * interval_s
    if turn_rate is not None:
        expected[:3], sigma_rad = turn_rate, _GYRO_SIGMA_RAD_S * interval_s
    motion = expected * interval_s
    course = ConstantTwist(T_odom_last=T_odom_last, motion=motion)
    if not known:  # a guess of zero motion deskews nothing, and what is found out moves nothing along
        course = ConstantTwist(T_odom_last=T_odom_last, motion=motion, follow=0.0)
    return Prediction(
        T_odom_body=T_odom_last @ se3.exp(motion),
        covariance=np.diag([sigma_rad**2] * 3 + [sigma_m**2] * 3),
        course=course,
        interval_s=interval_s,
    )

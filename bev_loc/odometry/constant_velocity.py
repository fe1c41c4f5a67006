"""The motion model without an IMU that drives a filter: the body goes on as it went."""

from dataclasses import replace

import numpy as np

from ..geometry import se3
from .sweep import ConstantTwist
from .update import Prediction

MOVING_M_S = 0.5  # slower than this, a vehicle whose IMU is at rest stands
_STANDING_M_S = 0.05  # and is surely not faster than this
_ACC_SIGMA_M_S2, _TURN_SIGMA_RAD_S2 = 3.0, 2.0  # what a ground vehicle does between two sweeps
_UNKNOWN_SPEED_M_S, _UNKNOWN_TURN_RAD_S = 20.0, 1.0  # before the first motion is known
_GYRO_SIGMA_RAD_S = 0.005  # its bias is not known yet


def predict(
    T_odom_last: np.ndarray,
    twist: np.ndarray | None,
    turn_rate: np.ndarray | None,
    interval_s: float,
    *,
    last_step_m2: np.ndarray = np.zeros((3, 3)),
    may_stand: bool = False,
) -> Prediction:
    """The pose after an interval at the last twist (6,), None if unknown, and a gyro's turn rate (3,) if there is one.

    last_step_m2: (3, 3) covariance of the translation that the twist was taken from; may_stand: the IMU feels no
    motion, and planes do not tell.
    """
    known = twist is not None
    stands = may_stand and known and np.linalg.norm(twist[3:]) < MOVING_M_S
    expected = twist.copy() if known else np.zeros(6)
    sigma_rad = _TURN_SIGMA_RAD_S2 * interval_s**2 if known else _UNKNOWN_TURN_RAD_S * interval_s
    sigma_m = _ACC_SIGMA_M_S2 * interval_s**2 if known else _UNKNOWN_SPEED_M_S * interval_s
    if turn_rate is not None:
        expected[:3], sigma_rad = turn_rate, _GYRO_SIGMA_RAD_S * interval_s
    if stands:
        expected[3:] = 0.0
    motion = expected * interval_s
    course = ConstantTwist(T_odom_last=T_odom_last, motion=motion)
    if not known:  # a guess of zero motion deskews nothing, and what is found out moves nothing along
        course = ConstantTwist(T_odom_last=T_odom_last, motion=motion, follow=0.0)
    covariance = np.diag([sigma_rad**2] * 3 + [sigma_m**2] * 3)
    covariance[3:, 3:] += last_step_m2
    prediction = Prediction(T_odom_body=T_odom_last @ se3.exp(motion), covariance=covariance, course=course, interval_s=interval_s)
    return standing(prediction) if stands else prediction


def standing(prediction: Prediction) -> Prediction:
    """The same of a vehicle that stands: few planes, and phantoms among them, must not move it."""
    covariance = prediction.covariance.copy()
    covariance[3:, :] = covariance[:, 3:] = 0.0
    covariance[3:, 3:] = (_STANDING_M_S * prediction.interval_s) ** 2 * np.eye(3)
    return replace(prediction, covariance=covariance)

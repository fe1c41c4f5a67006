"""The state of the filter and its error: what an IMU carries from scan to scan."""

from dataclasses import dataclass, field

import numpy as np

from ..geometry import se3, so3

# Error state (17,): rotation and translation of the body in its own frame, velocity in odom axes, gyro bias,
# accelerometer bias, gravity's direction in two angles; then, where they are estimated, rotation and translation of
# the IMU in its own frame (6) and the lag of its clock (1).
ROTATION, TRANSLATION, VELOCITY = slice(0, 3), slice(3, 6), slice(6, 9)
GYRO_BIAS, ACC_BIAS, GRAVITY = slice(9, 12), slice(12, 15), slice(15, 17)
DIMENSION = 17
STANDARD_GRAVITY_M_S2 = 9.80665


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NavState:
    """Pose, velocity, biases and gravity; the body frame is where the IMU was said to be, rigidly with the lidar."""

    T_odom_body: np.ndarray  # (4, 4)
    v_odom: np.ndarray  # (3,) m/s, of the IMU
    gyro_bias: np.ndarray  # (3,) rad/s
    acc_bias: np.ndarray  # (3,) m/s^2
    gravity_odom: np.ndarray  # (3,) m/s^2, of fixed length, on S2
    T_body_imu: np.ndarray = field(default_factory=lambda: np.eye(4))  # (4, 4) where the IMU is
    time_offset_s: float = 0.0  # to be added to the IMU's stamps

    def plus(self, error: np.ndarray) -> "NavState":
        """The state moved by an error (17,), or (18,), (23,), (24,) with the IMU's clock, its mounting, or both."""
        T_odom_body = self.T_odom_body @ se3.from_parts(so3.exp(error[ROTATION]), error[TRANSLATION])
        mounting = error[mounting_part(len(error))]
        tilt = gravity_basis(self.gravity_odom) @ error[GRAVITY]
        return NavState(
            T_odom_body=T_odom_body,
            v_odom=self.v_odom + error[VELOCITY],
            gyro_bias=self.gyro_bias + error[GYRO_BIAS],
            acc_bias=self.acc_bias + error[ACC_BIAS],
            gravity_odom=so3.exp(tilt) @ self.gravity_odom,
            T_body_imu=self.T_body_imu @ se3.from_parts(so3.exp(mounting[:3]), mounting[3:]) if len(mounting) else self.T_body_imu,
            time_offset_s=self.time_offset_s + float(error[clock_part(len(error))].sum()),
        )

    def minus(self, other: "NavState", dimension: int = DIMENSION) -> np.ndarray:
        """The error (D,) with other.plus(error) = self; what it does not hold is left out."""
        error = np.empty(dimension)
        T = se3.inverse(other.T_odom_body) @ self.T_odom_body
        error[ROTATION] = so3.log(np.ascontiguousarray(T[:3, :3]))
        error[TRANSLATION] = T[:3, 3]
        error[VELOCITY] = self.v_odom - other.v_odom
        error[GYRO_BIAS] = self.gyro_bias - other.gyro_bias
        error[ACC_BIAS] = self.acc_bias - other.acc_bias
        turn = so3.log(so3.rotation_between(other.gravity_odom, self.gravity_odom))
        error[GRAVITY] = gravity_basis(other.gravity_odom).T @ turn
        if len(error[mounting_part(dimension)]):
            T = se3.inverse(other.T_body_imu) @ self.T_body_imu
            error[mounting_part(dimension)] = np.concatenate([so3.log(np.ascontiguousarray(T[:3, :3])), T[:3, 3]])
        error[clock_part(dimension)] = self.time_offset_s - other.time_offset_s
        return error


def mounting_part(dimension: int) -> slice:
    """Where an error of this length holds the IMU's pose in the body; empty if it does not."""
    return slice(DIMENSION, DIMENSION + 6 if dimension >= DIMENSION + 6 else DIMENSION)


def clock_part(dimension: int) -> slice:
    """Where an error of this length holds the lag of the IMU's clock; empty if it does not."""
    return slice(mounting_part(dimension).stop, dimension)


def gravity_basis(gravity: np.ndarray) -> np.ndarray:
    """(3, 2) orthonormal axes across gravity (3,), about which its direction turns.

    They hardly change with it: an error's covariance is kept in them from scan to scan. They leap only where
    gravity lies nearly along x, which is level in odom.
    """
    x, y, _ = np.eye(3)
    first = np.cross(gravity, y if abs(gravity[0]) > 0.9 * np.linalg.norm(gravity) else x)
    first /= np.linalg.norm(first)
    second = np.cross(gravity, first)
    return np.stack([first, second / np.linalg.norm(second)], axis=1)

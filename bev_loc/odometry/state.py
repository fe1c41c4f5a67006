"""The state of the filter and its error: what an IMU carries from scan to scan."""

from dataclasses import dataclass

import numpy as np

from ..geometry import se3, so3

# Error state (17,): rotation and translation of the body in its own frame, velocity in odom axes, gyro bias,
# accelerometer bias, gravity's direction in two angles.
ROTATION, TRANSLATION, VELOCITY = slice(0, 3), slice(3, 6), slice(6, 9)
GYRO_BIAS, ACC_BIAS, GRAVITY = slice(9, 12), slice(12, 15), slice(15, 17)
DIMENSION = 17
STANDARD_GRAVITY_M_S2 = 9.80665


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NavState:
    """Pose, velocity, biases and gravity; the body frame is the IMU's."""

    T_odom_body: np.ndarray  # (4, 4)
    v_odom: np.ndarray  # (3,) m/s
    gyro_bias: np.ndarray  # (3,) rad/s
    acc_bias: np.ndarray  # (3,) m/s^2
    gravity_odom: np.ndarray  # (3,) m/s^2, of fixed length, on S2

    def plus(self, error: np.ndarray) -> "NavState":
        """The state moved by an error (17,)."""
        T_odom_body = self.T_odom_body @ se3.from_parts(so3.exp(error[ROTATION]), error[TRANSLATION])
        tilt = gravity_basis(self.gravity_odom) @ error[GRAVITY]
        return NavState(
            T_odom_body=T_odom_body,
            v_odom=self.v_odom + error[VELOCITY],
            gyro_bias=self.gyro_bias + error[GYRO_BIAS],
            acc_bias=self.acc_bias + error[ACC_BIAS],
            gravity_odom=so3.exp(tilt) @ self.gravity_odom,
        )

    def minus(self, other: "NavState") -> np.ndarray:
        """The error (17,) with other.plus(error) = self."""
        error = np.empty(DIMENSION)
        T = se3.inverse(other.T_odom_body) @ self.T_odom_body
        error[ROTATION] = so3.log(np.ascontiguousarray(T[:3, :3]))
        error[TRANSLATION] = T[:3, 3]
        error[VELOCITY] = self.v_odom - other.v_odom
        error[GYRO_BIAS] = self.gyro_bias - other.gyro_bias
        error[ACC_BIAS] = self.acc_bias - other.acc_bias
        turn = so3.log(so3.rotation_between(other.gravity_odom, self.gravity_odom))
        error[GRAVITY] = gravity_basis(other.gravity_odom).T @ turn
        return error


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

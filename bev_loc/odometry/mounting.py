"""Whether the IMU is mounted as it was said: its turns and gains of speed against those of the registered scans."""

from dataclasses import dataclass

import numpy as np

from ..geometry import so3
from .imu_buffer import ImuBuffer
from .poses import Pose, attitudes, velocity

WRONG = "imu mounting contradicts the scans"
_WINDOW = 10  # poses of one comparison
_TURN_SIGMA_RAD, _SPEED_SIGMA_M_S = 1.5e-3, 0.04  # of what two scans, and the poses of a window, say
_PRIOR_SIGMAS = np.repeat([0.3, 0.02, 0.3, 1.0], 3)  # rad, rad/s, m/s^2, m/s^2
_UNEVEN = 1.5  # times the usual interval between poses: a scan is missing, and a mean velocity holds at no pose
_KEPT = 0.98  # of what is known, from one window to the next
_WRONG_RAD, _SURE = np.deg2rad(2.5), 4.0  # the smallest turn that is said, and in deviations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Linear equations of (turn of the IMU, gyro bias, accelerometer bias, change of gravity), 3 each, in that order."""

    jacobian: np.ndarray  # (3, 12)
    values: np.ndarray  # (3,)


class MountingCheck:
    """Least squares over the last minute or so: by how much the IMU's axes are turned against the given mounting.

    Turns about one axis leave the angle about that axis open, as in a car; gains of speed tell it.
    """

    def __init__(self) -> None:
        self._poses: list[Pose] = []
        self._information = np.zeros((12, 12))
        self._vector = np.zeros(12)
        self._in_a_row = 0  # windows after which it looked wrong

    def forget_poses(self) -> None:
        """The next pose does not follow from the last one."""
        self._poses = []

    def add(self, pose: Pose, buffer: ImuBuffer, gravity_odom: np.ndarray) -> None:
        """Take a registered pose of the body; every even window of them is compared with the samples over it."""
        self._poses.append(pose)
        if len(self._poses) < _WINDOW:
            return
        poses, self._poses = self._poses, self._poses[-1:]
        intervals_ns = np.diff([one.stamp_ns for one in poses])
        if intervals_ns.max() > _UNEVEN * np.median(intervals_ns):
            return
        inside = buffer.between(poses[0].stamp_ns, poses[-1].stamp_ns, np.zeros(3))
        if inside is None or inside.missing.any():
            return
        self._information *= _KEPT
        self._vector *= _KEPT
        for a, b in zip(poses[:-1], poses[1:]):
            readings = buffer.between(a.stamp_ns, b.stamp_ns, np.zeros(3))
            turn = so3.log(np.ascontiguousarray(a.T_odom_body[:3, :3].T @ b.T_odom_body[:3, :3]))
            self._take(turn_rows(turn, readings.durations_s @ readings.gyro_rad_s, readings.durations_s.sum()), _TURN_SIGMA_RAD)
        self._take(self._speed(poses, buffer, gravity_odom), _SPEED_SIGMA_M_S)
        self._in_a_row = self._in_a_row + 1 if self._looks_wrong() else 0

    def _speed(self, poses: list[Pose], buffer: ImuBuffer, gravity_odom: np.ndarray) -> Rows:
        begin, end = poses[1].stamp_ns, poses[-2].stamp_ns
        readings = buffer.between(begin, end, np.zeros(3))
        R_odom_begin = poses[1].T_odom_body[:3, :3]
        gained = velocity(poses[-3], poses[-1]) - velocity(poses[0], poses[2])
        R_begin_t = R_odom_begin.T @ attitudes(poses, readings.middles_ns(begin))
        return speed_rows(gained, R_odom_begin, R_begin_t, readings.acc_m_s2, readings.durations_s, gravity_odom)

    def _take(self, rows: Rows, sigma: float) -> None:
        self._information += rows.jacobian.T @ rows.jacobian / sigma**2
        self._vector += rows.jacobian.T @ rows.values / sigma**2

    def turn(self) -> np.ndarray:
        """(3,) rad: the rotation vector that the given mounting still needs; what is open is near zero."""
        return np.linalg.solve(self._information + np.diag(_PRIOR_SIGMAS**-2), self._vector)[:3]

    def wrong(self) -> bool:
        """Whether the mounting is surely off by more than a few degrees, in more than one window."""
        return self._in_a_row > 1

    def _looks_wrong(self) -> bool:
        covariance = np.linalg.inv(self._information + np.diag(_PRIOR_SIGMAS**-2))
        turn = covariance[:3] @ self._vector
        size = np.linalg.norm(turn)
        if size < _WRONG_RAD:
            return False
        along = turn / size
        return bool(size > _SURE * np.sqrt(along @ covariance[:3, :3] @ along))


def turn_rows(turn_body: np.ndarray, turned_imu: np.ndarray, duration_s: float) -> Rows:
    """A scan's turn (3,) is the IMU's (3,), its axes turned, without its bias."""
    jacobian = np.zeros((3, 12))
    jacobian[:, 0:3] = -so3.hat(turned_imu)
    jacobian[:, 3:6] = -duration_s * np.eye(3)
    return Rows(jacobian=jacobian, values=turn_body - turned_imu)


def speed_rows(
    gained_odom: np.ndarray,
    R_odom_begin: np.ndarray,
    R_begin_t: np.ndarray,
    acc_m_s2: np.ndarray,
    durations_s: np.ndarray,
    gravity_odom: np.ndarray,
) -> Rows:
    """Speed gained (3,), in the axes at the begin, against K accelerations (K, 3) at attitudes (K, 3, 3) and gravity (3,)."""
    total_s = durations_s.sum()
    felt = np.einsum("kij,kj,k->i", R_begin_t, acc_m_s2, durations_s)
    levers = np.array([so3.hat(acc) for acc in acc_m_s2])
    jacobian = np.zeros((3, 12))
    jacobian[:, 0:3] = -np.einsum("kij,kjl,k->il", R_begin_t, levers, durations_s)
    jacobian[:, 6:9] = -np.einsum("kij,k->ij", R_begin_t, durations_s)
    jacobian[:, 9:12] = total_s * R_odom_begin.T
    return Rows(jacobian=jacobian, values=R_odom_begin.T @ (gained_odom - total_s * gravity_odom) - felt)

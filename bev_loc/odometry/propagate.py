"""Carrying the state and its covariance along IMU samples."""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from ..geometry import se3, so3
from .calibration import STILL, ImuMotion, imu_by_body
from .state import DIMENSION, NavState, gravity_basis


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImuNoise:
    """Densities of the IMU's errors, and what the vehicle does where there are no samples."""

    gyro: float  # rad/s/sqrt(Hz)
    acc: float  # m/s^2/sqrt(Hz)
    gyro_walk: float  # rad/s^2/sqrt(Hz)
    acc_walk: float  # m/s^3/sqrt(Hz)
    turning: float = 0.2  # rad/s/sqrt(Hz) over a gap
    driving: float = 3.0  # m/s^2/sqrt(Hz) over a gap


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """The IMU over an interval: K pieces with the mean of the samples at their two ends."""

    durations_s: np.ndarray  # (K,)
    gyro_rad_s: np.ndarray  # (K, 3)
    acc_m_s2: np.ndarray  # (K, 3)
    missing: np.ndarray  # (K,) bool: no samples; gyro_rad_s then holds the last known turn rate

    def mean_turn_rate(self) -> np.ndarray:
        """(3,) rad/s over the whole interval."""
        return self.durations_s @ self.gyro_rad_s / self.durations_s.sum()

    def middles_ns(self, begin_ns: int) -> np.ndarray:
        """(K,) stamps of the pieces' middles, the first piece beginning at `begin_ns`."""
        return begin_ns + (np.cumsum(self.durations_s) - 0.5 * self.durations_s) * 1e9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Propagation:
    """The state at the end of the readings, and the poses on the way."""

    state: NavState
    covariance: np.ndarray  # (D, D)
    times_s: np.ndarray  # (K + 1,) from 0
    T_odom_knots: np.ndarray  # (K + 1, 4, 4) of the body


def propagate(
    state: NavState, covariance: np.ndarray, readings: Readings, noise: ImuNoise, begin: ImuMotion = STILL, end: ImuMotion = STILL
) -> Propagation:
    """The state carried over the readings (FAST-LIO2, equations 1-9, with the mean of two samples a step).

    Over a missing piece the velocity and the turn rate stay, with the noise of a vehicle that drives on.
    begin, end: how the IMU's motion goes on there, for what its clock's lag leaves out.
    """
    densities = np.array([noise.gyro, noise.acc, noise.gyro_walk, noise.acc_walk, noise.turning, noise.driving])
    calibrating = len(covariance) > DIMENSION
    if calibrating:
        to_imu = imu_by_body(len(covariance), state, begin)
        covariance = to_imu @ covariance @ to_imu.T
    poses, velocity, carried = _propagate(
        state.T_odom_body @ state.T_body_imu, state.v_odom, state.gyro_bias, state.acc_bias, state.gravity_odom,
        gravity_basis(state.gravity_odom), covariance,
        readings.durations_s, readings.gyro_rad_s, readings.acc_m_s2, readings.missing, densities,
    )  # fmt: skip
    T_odom_knots = poses @ se3.inverse(state.T_body_imu)
    at_end = replace(state, T_odom_body=T_odom_knots[-1], v_odom=velocity)
    if calibrating:
        to_body = np.linalg.inv(imu_by_body(len(covariance), at_end, end))
        carried = to_body @ carried @ to_body.T
    times_s = np.concatenate([[0.0], np.cumsum(readings.durations_s)])
    return Propagation(state=at_end, covariance=carried, times_s=times_s, T_odom_knots=T_odom_knots)


@njit(cache=True)
def _propagate(T, v, gyro_bias, acc_bias, gravity, basis, P, durations, gyro, acc, missing, densities):
    count = len(durations)
    poses = np.empty((count + 1, 4, 4))
    poses[0] = T
    v = v.copy()
    P = P.copy()
    dimension = P.shape[0]
    F = np.eye(dimension)
    tilt = np.ascontiguousarray(-so3.hat(gravity) @ basis)  # d gravity / d its two angles
    for k in range(count):
        dt = durations[k]
        R = np.ascontiguousarray(poses[k, :3, :3])
        rate = gyro[k] if missing[k] else gyro[k] - gyro_bias
        turn = so3.exp(rate * dt)
        force = np.zeros(3) if missing[k] else acc[k] - acc_bias
        a_odom = np.zeros(3) if missing[k] else R @ force + gravity
        poses[k + 1] = np.eye(4)
        poses[k + 1, :3, :3] = R @ turn
        poses[k + 1, :3, 3] = poses[k, :3, 3] + v * dt + 0.5 * dt * dt * a_odom
        # F of (rotation, translation, velocity, gyro bias, acc bias, gravity), body-frame pose errors.
        back = np.ascontiguousarray(turn.T)
        R_end_T = np.ascontiguousarray((R @ turn).T)
        F[:, :] = np.eye(dimension)
        F[0:3, 0:3] = back
        F[3:6, 3:6] = back
        F[3:6, 6:9] = dt * R_end_T
        if not missing[k]:
            lever = so3.hat(force)
            F[0:3, 9:12] = -dt * so3.right_jacobian(rate * dt)
            F[6:9, 0:3] = -dt * R @ lever
            F[6:9, 12:15] = -dt * R
            F[6:9, 15:17] = dt * tilt
            half = 0.5 * dt * dt
            F[3:6, 0:3] = -half * back @ lever
            F[3:6, 12:15] = -half * back
            F[3:6, 15:17] = half * R_end_T @ tilt
        P = F @ P @ F.T
        gyro_2 = densities[4] ** 2 * dt if missing[k] else densities[0] ** 2 * dt
        acc_2 = densities[5] ** 2 * dt if missing[k] else densities[1] ** 2 * dt
        for i in range(3):
            P[i, i] += gyro_2
            P[3 + i, 3 + i] += acc_2 * dt * dt / 3.0
            P[6 + i, 6 + i] += acc_2
            P[9 + i, 9 + i] += densities[2] ** 2 * dt
            P[12 + i, 12 + i] += densities[3] ** 2 * dt
        if not missing[k]:
            v = v + dt * a_odom
    return poses, v, P

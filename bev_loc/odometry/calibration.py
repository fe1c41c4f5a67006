"""An IMU that is not where, or when, it was said to be: its mounting and the lag of its clock as states of the filter.

Both enter the filter between the body and the IMU only: scans see the body, samples are the IMU's at its own time.
"""

from dataclasses import dataclass

import numpy as np

from ..geometry import se3, so3
from ..records import ImuCalibration
from .state import DIMENSION, GRAVITY, ROTATION, TRANSLATION, VELOCITY, NavState, clock_part, gravity_basis, mounting_part

_MOUNTING_SIGMAS = np.repeat([0.05, 0.05], 3)  # rad and m: what a mounting by tape measure may be off by
_CLOCK_SIGMA_S = 0.02
_SMOOTH_S = 0.5  # of the motion whose changes tell the lag
_SIGMAS = np.append(_MOUNTING_SIGMAS, _CLOCK_SIGMA_S)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImuMotion:
    """How the motion of the IMU goes on at a moment: what a lag of its clock leaves out."""

    turn_imu: np.ndarray  # (3,) rad/s
    acc_odom: np.ndarray  # (3,) m/s^2


STILL = ImuMotion(turn_imu=np.zeros(3), acc_odom=np.zeros(3))


class SlowMotion:
    """The IMU's motion before a scan and after it, two scans late and smoothed.

    The change of the motion over a scan tells the clock's lag. Taken from that scan's samples, its noise would be that
    of the prediction, and a lag of minus one scan would explain it. An older one goes with the motion and not with the
    noise (an instrument, as regression calls it), and a smooth one tells nothing where nothing changes.
    """

    def __init__(self) -> None:
        self.before, self.after = STILL, STILL
        self._newest: ImuMotion | None = None  # the last pose is off by half of its noise

    def add(self, mean: ImuMotion, duration_s: float) -> None:
        """The mean motion over the samples of one more scan."""
        old, self._newest = self._newest, mean
        if old is None:
            return
        if self.after is STILL:
            self.before = self.after = old
            return
        share, now = 1.0 - np.exp(-duration_s / _SMOOTH_S), self.after
        self.before = now
        self.after = ImuMotion(
            turn_imu=now.turn_imu + share * (old.turn_imu - now.turn_imu),
            acc_odom=now.acc_odom + share * (old.acc_odom - now.acc_odom),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What is known of the IMU, outlasting the filter's restarts."""

    T_body_imu: np.ndarray  # (4, 4)
    time_offset_s: float
    covariance: np.ndarray  # (C, C) of the last C of the filter's error: mounting (6) and clock (1), each if estimated

    @classmethod
    def at_first(cls, mounting: bool, clock: bool) -> "Known":
        """As it was said to be, and how far it may be off where it is to be estimated."""
        asked = np.repeat([mounting, clock], [6, 1])
        return cls(T_body_imu=np.eye(4), time_offset_s=0.0, covariance=np.diag(_SIGMAS[asked] ** 2))

    @classmethod
    def of(cls, state: NavState, covariance: np.ndarray) -> "Known":
        """As the filter has it."""
        return cls(
            T_body_imu=state.T_body_imu,
            time_offset_s=state.time_offset_s,
            covariance=covariance[DIMENSION:, DIMENSION:],
        )

    def said(self, T_base_body: np.ndarray) -> ImuCalibration | None:
        """For the result of a scan; None when nothing was asked for."""
        if not len(self.covariance):
            return None
        sigmas, dimension = np.sqrt(np.diag(self.covariance)), DIMENSION + len(self.covariance)
        mounting, clock = mounting_part(dimension), clock_part(dimension)
        return ImuCalibration(
            T_base_imu=T_base_body @ self.T_body_imu,
            time_offset_s=self.time_offset_s,
            mounting_sigmas=tuple(sigmas[: mounting.stop - DIMENSION].tolist()),
            time_offset_sigma_s=float(sigmas[-1]) if clock.stop > clock.start else None,
        )


def joined(covariance: np.ndarray, known: Known, state: NavState, gravity_by_imu: bool) -> np.ndarray:
    """(D, D) of the whole error at the filter's start, from that of its first 17 and what is known of the IMU.

    gravity_by_imu: gravity was taken from specific forces, so it is turned with the IMU.
    """
    dimension = len(covariance) + len(known.covariance)
    whole = np.zeros((dimension, dimension))
    whole[:DIMENSION, :DIMENSION], whole[DIMENSION:, DIMENSION:] = covariance, known.covariance
    mounting = mounting_part(dimension)
    if gravity_by_imu and mounting.stop > mounting.start:
        turned = np.eye(dimension)
        R_odom_imu = state.T_odom_body[:3, :3] @ state.T_body_imu[:3, :3]
        turned[GRAVITY, mounting.start : mounting.start + 3] = gravity_basis(state.gravity_odom).T @ R_odom_imu
        whole = turned @ whole @ turned.T
    return whole


def imu_by_body(dimension: int, state: NavState, motion: ImuMotion) -> np.ndarray:
    """(D, D) how the error of the IMU's own pose and velocity, at its own time, changes with that of the state.

    To first order T_odom_imu moves by Ad(T_imu_body) of the body's error, by the mounting's, and by its twist times
    the clock's; its velocity by its acceleration times the clock's.
    """
    jacobian = np.eye(dimension)
    pose = slice(ROTATION.start, TRANSLATION.stop)
    mounting, clock = mounting_part(dimension), clock_part(dimension)
    jacobian[pose, pose] = se3.adjoint(se3.inverse(state.T_body_imu))
    jacobian[pose, mounting] = np.eye(6)[:, : mounting.stop - mounting.start]
    if clock.stop > clock.start:
        R_odom_imu = state.T_odom_body[:3, :3] @ state.T_body_imu[:3, :3]
        jacobian[ROTATION, clock.start] = motion.turn_imu
        jacobian[TRANSLATION, clock.start] = R_odom_imu.T @ state.v_odom
        jacobian[VELOCITY, clock.start] = motion.acc_odom
    return jacobian


def in_words(imu: ImuCalibration) -> str:
    """What was found, with deviations: the mounting as input.T_base_imu takes it, and the lag."""
    parts = []
    if imu.mounting_sigmas:
        values = ", ".join(f"{value:.4f}" for value in (*imu.T_base_imu[:3, 3], *so3.to_rpy(imu.T_base_imu[:3, :3])))
        turn_deg, shift_m = np.rad2deg(max(imu.mounting_sigmas[:3])), max(imu.mounting_sigmas[3:])
        parts.append(f"T_base_imu [{values}], within {turn_deg:.2f} deg and {shift_m:.3f} m")
    if imu.time_offset_sigma_s is not None:
        parts.append(f"stamps {imu.time_offset_s * 1e3:+.1f} ms, within {imu.time_offset_sigma_s * 1e3:.1f} ms")
    return "; ".join(parts)

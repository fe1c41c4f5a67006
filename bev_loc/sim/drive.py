"""A drive: the base's pose as smooth functions of time, with exact derivatives for the IMU."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.interpolate import BSpline, make_interp_spline

GRAVITY_M_S2 = 9.81


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """Where the base is and how it moves, at N times, in the world frame unless it says body."""

    R_world_base: np.ndarray  # (N, 3, 3)
    t_world_base: np.ndarray  # (N, 3) m
    v_world: np.ndarray  # (N, 3) m/s
    a_world: np.ndarray  # (N, 3) m/s^2
    w_body: np.ndarray  # (N, 3) rad/s
    dw_body: np.ndarray  # (N, 3) rad/s^2


class Drive(Protocol):
    """What a simulation asks of a trajectory."""

    duration_s: float

    def motion(self, t_s: np.ndarray) -> Motion:
        """Pose and derivatives at (N,) seconds from the start; times outside are held at the ends."""
        ...

    def poses(self, t_s: np.ndarray) -> np.ndarray:
        """(N, 4, 4) T_world_base at (N,) seconds."""
        ...


class SplineDrive:
    """Quintic splines over x, y, z, roll, pitch, yaw: continuous up to the fourth derivative."""

    def __init__(self, t_s: np.ndarray, values: np.ndarray) -> None:
        """From (N, 6) x y z roll pitch yaw (unwrapped) at (N,) increasing times that begin at 0."""
        self.duration_s = float(t_s[-1])
        self._spline: BSpline = make_interp_spline(t_s, values, k=5)
        self._first, self._second = self._spline.derivative(1), self._spline.derivative(2)

    def motion(self, t_s: np.ndarray) -> Motion:
        """Pose and derivatives at (N,) seconds."""
        t = np.clip(np.asarray(t_s, float), 0.0, self.duration_s)
        value, first, second = self._spline(t), self._first(t), self._second(t)
        w_body, dw_body = _body_rates(value[:, 3:], first[:, 3:], second[:, 3:])
        return Motion(
            R_world_base=rotations(value[:, 3:]), t_world_base=value[:, :3],
            v_world=first[:, :3], a_world=second[:, :3], w_body=w_body, dw_body=dw_body,
        )  # fmt: skip

    def poses(self, t_s: np.ndarray) -> np.ndarray:
        """(N, 4, 4) T_world_base."""
        value = self._spline(np.clip(np.asarray(t_s, float), 0.0, self.duration_s))
        T = np.zeros((len(value), 4, 4))
        T[:, :3, :3], T[:, :3, 3], T[:, 3, 3] = rotations(value[:, 3:]), value[:, :3], 1.0
        return T


class Kidnapped:
    """A drive that goes on elsewhere: at `at_s` it is carried `skip_s` ahead in an instant."""

    def __init__(self, drive: Drive, at_s: float, skip_s: float) -> None:
        self._drive, self._at_s, self._skip_s = drive, at_s, skip_s
        self.duration_s = max(at_s, drive.duration_s - skip_s)

    def _time(self, t_s: np.ndarray) -> np.ndarray:
        t = np.asarray(t_s, float)
        return np.where(t < self._at_s, t, t + self._skip_s)

    def motion(self, t_s: np.ndarray) -> Motion:
        """As the drive's own; the IMU feels nothing of the carrying."""
        return self._drive.motion(self._time(t_s))

    def poses(self, t_s: np.ndarray) -> np.ndarray:
        """(N, 4, 4) T_world_base."""
        return self._drive.poses(self._time(t_s))


def rotations(rpy: np.ndarray) -> np.ndarray:
    """(N, 3, 3) Rz(yaw) Ry(pitch) Rx(roll) of (N, 3)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy).T, np.sin(rpy).T
    R = np.empty((len(rpy), 3, 3))
    R[:, 0] = np.stack([cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr], 1)
    R[:, 1] = np.stack([sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr], 1)
    R[:, 2] = np.stack([-sp, cp * sr, cp * cr], 1)
    return R


def _body_rates(rpy: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angular velocity and acceleration in body axes: w = E(rpy) rpy', its derivative E' rpy' + E rpy''."""
    (sr, sp, _), (cr, cp, _) = np.sin(rpy).T, np.cos(rpy).T
    (dr, dp, dy), (ddr, ddp, ddy) = first.T, second.T
    w = np.stack([dr - dy * sp, dp * cr + dy * cp * sr, dy * cp * cr - dp * sr], 1)
    dw = np.stack([
        ddr - ddy * sp - dy * cp * dp,
        ddp * cr - dp * sr * dr + ddy * cp * sr + dy * (cp * cr * dr - sp * sr * dp),
        ddy * cp * cr - dy * (sp * cr * dp + cp * sr * dr) - ddp * sr - dp * cr * dr,
    ], 1)  # fmt: skip
    return w, dw

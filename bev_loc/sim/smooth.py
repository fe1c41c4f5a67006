"""Smooth tracks from given poses or from a GPS/INS with its IMU: what the simulated lidar is driven along."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from scipy.ndimage import uniform_filter1d
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from ..errors import SourceError
from ..geometry import se3, so3
from ..geometry.trajectory import align
from .drive import GRAVITY_M_S2, Motion, SplineDrive, rotations
from .given import GivenPoses, RecordedImu
from .imu import ImuTrack, felt
from .polyline import lengths
from .spline_fit import Observed, fit, rough

_BIAS_WINDOW_S = 60.0
_SAME_TRACK_M = 5.0


class LeverDrive:
    """The drive of a base that is fixed to the box whose track is known, from `begin_s` of that track on."""

    def __init__(self, box: SplineDrive, T_box_base: np.ndarray, begin_s: float) -> None:
        self._box, self._T, self._begin_s = box, T_box_base, begin_s
        self.duration_s = box.duration_s - begin_s

    def poses(self, t_s: np.ndarray) -> np.ndarray:
        """(N, 4, 4) T_world_base."""
        return self._box.poses(np.asarray(t_s) + self._begin_s) @ self._T

    def motion(self, t_s: np.ndarray) -> Motion:
        """Of the base: the box's, with the lever arm's swing."""
        m, R, arm = self._box.motion(np.asarray(t_s) + self._begin_s), self._T[:3, :3], self._T[:3, 3]
        whirl = np.cross(m.w_body, arm)
        swing = np.cross(m.dw_body, arm) + np.cross(m.w_body, whirl)
        turn = m.R_world_base
        return Motion(
            R_world_base=turn @ R, t_world_base=m.t_world_base + turn @ arm,
            v_world=m.v_world + np.einsum("nij,nj->ni", turn, whirl), a_world=m.a_world + np.einsum("nij,nj->ni", turn, swing),
            w_body=m.w_body @ R, dw_body=m.dw_body @ R,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Residual:
    """How far a real IMU is from a smooth track: the floor of every figure made with the two."""

    acc_m_s2: float  # RMS per axis, slow bias removed
    gyro_rad_s: float
    acc_bias_m_s2: float  # length of the mean bias
    gyro_bias_rad_s: float
    drift_10s_m: float  # median over windows, integrated from the track's own state, slow bias removed
    drift_10s_rad: float

    def sentence(self) -> str:
        """For notes and reports."""
        return (
            f"real IMU against the smoothed track: {self.acc_m_s2:.3f} m/s^2 and {self.gyro_rad_s:.4f} rad/s RMS per axis, "
            f"drift over 10 s {self.drift_10s_m:.2f} m and {np.degrees(self.drift_10s_rad):.2f} degrees (median)"
        )


def smooth_poses(given: GivenPoses) -> SplineDrive:
    """A drive through poses that jitter by a few centimetres, at least four times a second."""
    duration = float(given.t_s[-1])
    knot = max(0.15, 1.5 * float(np.median(np.diff(given.t_s))))
    rpy = np.unwrap([so3.to_rpy(T[:3, :3]) for T in given.T_world_base], axis=0)
    xyz = fit(duration, knot, [Observed(t_s=given.t_s, order=0, values=given.T_world_base[:, :3, 3], sigma=0.02)],
              rough(duration, 0.5 * knot, 3, 3, 3.0))  # fmt: skip
    turn = fit(duration, knot, [Observed(t_s=given.t_s, order=0, values=rpy, sigma=0.02)], rough(duration, 0.5 * knot, 3, 3, 2.0))
    return _drive(duration, xyz, turn, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Positions:
    """Where the box was, in the frame of its own track."""

    t_s: np.ndarray  # (M,) from the first IMU sample
    xyz: np.ndarray  # (M, 3)
    sigma_m: float


def own_positions(recorded: RecordedImu) -> Positions:
    """The GPS/INS's own, weak: neighbours err together, and they jump."""
    good = recorded.in_order()
    return Positions(t_s=recorded.time_s[good] - recorded.time_s[0], xyz=recorded.position_m[good], sigma_m=0.6)


def positions_of(given: GivenPoses, T_base_box: np.ndarray, recorded: RecordedImu) -> Positions:
    """Given poses as positions of the box: brought into its frame, their clock shifted by up to 0.3 s to fit best."""
    own = own_positions(recorded)
    xyz = (given.T_world_base @ T_base_box)[:, :3, 3]
    best: tuple[float, Positions] | None = None
    for shift in np.arange(-0.3, 0.301, 0.02):
        t = given.t_s + shift - recorded.time_s[0]
        inside = (t >= 0.0) & (t <= own.t_s[-1])
        target = np.stack([np.interp(t[inside], own.t_s, own.xyz[:, k]) for k in range(3)], 1)
        moved = se3.apply(align(target, xyz[inside]), xyz[inside])
        off = float(np.sqrt(np.mean(np.sum((moved - target) ** 2, axis=1))))
        if best is None or off < best[0]:
            best = off, Positions(t_s=t[inside], xyz=moved, sigma_m=0.15)
    if best is None or best[0] > _SAME_TRACK_M:
        raise SourceError(
            f"the poses and the IMU file are not of one drive: their tracks are {best[0] if best else np.nan:.1f} m apart (RMS)"
        )
    return best[1]


def smooth_ins(recorded: RecordedImu, positions: Positions | None = None) -> tuple[SplineDrive, Residual]:
    """The track of the box, and the residual of its IMU; `positions` instead of its own.

    Attitude first (rpy, gyro), then position (position, velocity, accelerometer turned by that attitude);
    biases that vary within a minute are re-estimated from the residuals between fits.
    """
    good = recorded.in_order()
    t = recorded.time_s[good] - recorded.time_s[0]
    duration = float(recorded.time_s.max() - recorded.time_s[0])
    rpy = np.unwrap(recorded.rpy_rad[good], axis=0)
    gyro, acc = recorded.gyro_rad_s[good], recorded.acc_m_s2[good]
    seen = positions or own_positions(recorded)
    position = seen.xyz.copy()
    position[:, 2] += level_revisits(seen.t_s, position)
    gyro_bias, acc_bias = np.zeros_like(gyro), np.zeros_like(acc)
    for _ in range(3):
        turn = fit(duration, 0.025, [Observed(t_s=t, order=0, values=rpy, sigma=0.02),
                                     Observed(t_s=t, order=1, values=_rpy_rates(rpy, gyro - gyro_bias), sigma=0.004)],
                   rough(duration, 0.02, 3, 3, 60.0))  # fmt: skip
        R = rotations(turn(t))
        pull = np.einsum("nij,nj->ni", R, acc - acc_bias) - [0.0, 0.0, GRAVITY_M_S2]
        xyz = fit(duration, 0.025, [Observed(t_s=seen.t_s, order=0, values=position, sigma=seen.sigma_m),
                                    Observed(t_s=t, order=1, values=recorded.velocity_m_s[good], sigma=0.3),
                                    Observed(t_s=t, order=2, values=pull, sigma=0.2)],
                  rough(duration, 0.02, 3, 3, 200.0))  # fmt: skip
        drive = _drive(duration, xyz, turn, 0.02)
        ideal = felt(drive, t, np.eye(4))
        gyro_bias, acc_bias = _slow(t, gyro - ideal.gyro_rad_s), _slow(t, acc - ideal.acc_m_s2)
    return drive, _residual(drive, t, gyro, acc, gyro_bias, acc_bias)


def level_revisits(t_s: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(N,) metres to add to the height so that passes over the same place agree, varying over 100 m and more."""
    keep = np.flatnonzero(np.diff(np.floor(lengths(position[:, :2]) / 4.0), prepend=-1) > 0)
    way, xyz, t = lengths(position[:, :2])[keep], position[keep], t_s[keep]
    pairs = cKDTree(xyz[:, :2]).query_pairs(7.0, output_type="ndarray")
    pairs = pairs[np.abs(t[pairs[:, 0]] - t[pairs[:, 1]]) > 30.0] if len(pairs) else pairs
    n = len(keep)
    if not len(pairs) or n < 4:
        return np.zeros(len(position))
    row = np.arange(len(pairs))
    same = sparse.coo_matrix(
        (np.r_[np.ones(len(row)), -np.ones(len(row))], (np.r_[row, row], np.r_[pairs[:, 0], pairs[:, 1]])), (len(row), n)
    ).tocsr()
    bend = sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(n - 2, n))
    normal = same.T @ same + 3e3 * bend.T @ bend + 1e-4 * sparse.eye(n)
    change = spsolve(normal.tocsc(), -same.T @ (xyz[pairs[:, 0], 2] - xyz[pairs[:, 1], 2]))
    return np.interp(lengths(position[:, :2]), way, change)


def _drive(duration_s: float, xyz: BSpline, turn: BSpline, step_s: float) -> SplineDrive:
    t = np.linspace(0.0, duration_s, round(duration_s / step_s) + 1)
    return SplineDrive(t, np.hstack([xyz(t), turn(t)]))


def _rpy_rates(rpy: np.ndarray, gyro: np.ndarray) -> np.ndarray:
    """(N, 3) time derivatives of roll, pitch, yaw from body rates."""
    (sr, sp, _), (cr, cp, _) = np.sin(rpy).T, np.cos(rpy).T
    x, y, z = gyro.T
    turn = sr * y + cr * z
    return np.stack([x + turn * sp / cp, cr * y - sr * z, turn / cp], 1)


def _slow(t: np.ndarray, residual: np.ndarray) -> np.ndarray:
    window = max(3, round(_BIAS_WINDOW_S / max(float(np.median(np.diff(t))), 1e-3)))
    return uniform_filter1d(residual, min(window, len(residual)), axis=0, mode="reflect")


def _residual(
    drive: SplineDrive, t: np.ndarray, gyro: np.ndarray, acc: np.ndarray, gyro_bias: np.ndarray, acc_bias: np.ndarray
) -> Residual:
    ideal: ImuTrack = felt(drive, t, np.eye(4))
    off_acc, off_gyro = acc - acc_bias - ideal.acc_m_s2, gyro - gyro_bias - ideal.gyro_rad_s
    drifts = [
        d
        for k in np.arange(0, len(t) - 1000, 1000)
        if (d := _drift(drive, t[k : k + 1001], (gyro - gyro_bias)[k : k + 1001], (acc - acc_bias)[k : k + 1001]))
    ]
    metres, radians = np.median(drifts, axis=0) if drifts else (np.nan, np.nan)
    return Residual(
        acc_m_s2=float(np.sqrt(np.mean(off_acc**2))), gyro_rad_s=float(np.sqrt(np.mean(off_gyro**2))),
        acc_bias_m_s2=float(np.linalg.norm(acc_bias.mean(0))), gyro_bias_rad_s=float(np.linalg.norm(gyro_bias.mean(0))),
        drift_10s_m=float(metres), drift_10s_rad=float(radians),
    )  # fmt: skip


def _drift(drive: SplineDrive, t: np.ndarray, gyro: np.ndarray, acc: np.ndarray) -> tuple[float, float] | None:
    """Metres and radians after integrating real samples over a window; None across a gap."""
    if np.diff(t).max() > 0.1:
        return None
    start, end = drive.motion(t[[0, -1]]), drive.poses(t[[-1]])[0]
    R, p, v = start.R_world_base[0], start.t_world_base[0], start.v_world[0]
    for k, dt in enumerate(np.diff(t)):
        R_next = R @ so3.exp(0.5 * (gyro[k] + gyro[k + 1]) * dt)
        a = 0.5 * (R @ acc[k] + R_next @ acc[k + 1]) - [0.0, 0.0, GRAVITY_M_S2]
        p, v, R = p + v * dt + 0.5 * a * dt**2, v + a * dt, R_next
    return se3.distance(end, se3.from_parts(R, p))

"""LiDAR odometry: predict, deskew, thin, register against the local map, insert.

Constant velocity carries the prediction; an IMU, when there is one, gives gravity at the start and the
turn rate of each sweep.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..clouds import filters, voxels
from ..clouds.filters import CroppedCloud
from ..config import OdometryConfig
from ..geometry import se3, so3
from ..records import Dropped, ImuSample, LidarScan, Odometry, OdometryHealth
from . import start
from .inertial import Inertial
from .local_map import LocalMap
from .sweep import Sweep, sweep_of
from .update import FOLLOW, Prediction, Registration, register

_MIN_POINTS, _MIN_MATCHES = 20, 30
_MAX_SWEEP_S = 2.0
_ACC_SIGMA_M_S2, _TURN_SIGMA_RAD_S2 = 3.0, 2.0  # what a ground vehicle does between two sweeps
_UNKNOWN_SPEED_M_S, _UNKNOWN_TURN_RAD_S = 20.0, 1.0  # before the first motion is known
_GYRO_SIGMA_RAD_S = 0.02
_FIRST_ROUNDS = 3  # of deskewing the first scan with the motion that the second one shows
_RESTART_AFTER = 10  # scans in a row without a fit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Unmoved:
    """The first scan, kept until its motion is known."""

    sweep: Sweep
    duration_s: float


class Lio:
    """Odometry from scans (and IMU samples) in order; keeps nothing but the local map and the last motion."""

    def __init__(
        self,
        config: OdometryConfig,
        *,
        T_base_lidar: np.ndarray = np.eye(4),
        T_base_imu: np.ndarray = np.eye(4),
        initial_rpy: tuple[float, ...] = (),
    ) -> None:
        self._config = config
        self._T_base_lidar = T_base_lidar
        self._initial_rpy = initial_rpy
        self._imu = Inertial(T_base_imu[:3, :3])
        self._map = LocalMap(config.map_voxel_m, config.map_radius_m)
        self._T_odom_base = np.eye(4)  # at _stamp_ns
        self._begin_ns, self._stamp_ns = -1, -1  # first return and end of the last scan; -1: none yet
        self._twist: np.ndarray | None = None  # (6,) body twist over the last interval; None: unknown
        self._unmoved: _Unmoved | None = None  # the first scan, until the second tells how it moved
        self._misfits = 0
        self.start_note = ""  # how the start was levelled

    def on_imu(self, sample: ImuSample) -> None:
        """Take one IMU sample; samples up to a scan's end come before the scan."""
        self._imu.add(sample)

    def on_scan(self, scan: LidarScan) -> Odometry | Dropped:
        """The pose at the end of this scan (at its stamp if its points carry no times), or why there is none."""
        if scan.stamp_ns <= self._begin_ns:
            return _dropped(scan, "stamp went back", "its stamp is not after the last scan's")
        cloud = self._crop(scan)
        end_s = float(cloud.offsets_s.max()) if len(cloud.offsets_s) else 0.0
        if end_s > _MAX_SWEEP_S or (len(cloud.offsets_s) and cloud.offsets_s.min() < 0.0):
            return _dropped(scan, "implausible point times", f"they reach {end_s:g} s; set input.point_time_unit")
        stamp_ns = scan.stamp_ns + round(end_s * 1e9)
        if stamp_ns <= self._stamp_ns:
            return _dropped(scan, "stamp went back", "it ends before the last scan ended")
        to_map = voxels.downsample_indices(cloud.points_base, self._config.scan_voxel_m)
        if len(to_map) < _MIN_POINTS:
            return _dropped(scan, "too few points", _why_few(scan, cloud, len(to_map)))
        if self._stamp_ns < 0:
            sweep = sweep_of(cloud.points_base, cloud.offsets_s, 0.0, max(end_s, 1e-9))
            result = self._first(sweep, to_map, end_s)
        else:
            interval_s = (stamp_ns - self._stamp_ns) * 1e-9
            sweep = sweep_of(cloud.points_base, cloud.offsets_s, interval_s - end_s, interval_s)
            result = self._follow(sweep, to_map, self._predict(scan.stamp_ns, stamp_ns))

        points_base = sweep.at_end(result.motion)
        reasons = self._settle(result, points_base[to_map], stamp_ns)
        self._begin_ns, self._stamp_ns = scan.stamp_ns, stamp_ns
        return Odometry(
            stamp_ns=stamp_ns,
            T_odom_base=self._T_odom_base.copy(),
            covariance=result.covariance,
            points_base=points_base,
            v_odom_base=np.zeros(3) if self._twist is None else self._T_odom_base[:3, :3] @ self._twist[3:],
            health=OdometryHealth(
                points_in=len(scan.points_lidar),
                points_used=result.points,
                matches=result.matches,
                rmse_m=result.rmse_m,
                iterations=result.iterations,
                degenerate_directions=result.degenerate_directions,
                reasons=reasons,
            ),
        )

    def _crop(self, scan: LidarScan) -> CroppedCloud:
        config = self._config
        offsets_s = None if config.deskew == "off" else scan.offsets_s
        return filters.crop(
            scan.points_lidar, offsets_s, self._T_base_lidar, config.min_range_m, config.max_range_m
        )

    def _first(self, sweep: Sweep, to_map: np.ndarray, end_s: float) -> Registration:
        """The start: level, at the origin, known exactly by definition."""
        R_odom_base, self.start_note = self._level(sweep.points_base[to_map])
        self._unmoved = _Unmoved(sweep=sweep.subset(to_map), duration_s=end_s)
        return Registration.given(se3.from_parts(R_odom_base, np.zeros(3)))

    def _level(self, points_base: np.ndarray) -> tuple[np.ndarray, str]:
        if self._initial_rpy:
            return so3.from_rpy(*self._initial_rpy), "start attitude as given"
        acc_base = self._imu.rest()
        if acc_base is not None:
            return start.level_from_gravity(acc_base), "start levelled by gravity (IMU at rest)"
        R_odom_base = start.level_from_ground(points_base)
        if R_odom_base is not None:
            return R_odom_base, "start levelled by the ground under the vehicle (no IMU at rest)"
        return np.eye(3), "start taken as level: no IMU at rest and no clear ground; set input.initial_rpy if it is not"

    def _follow(self, sweep: Sweep, to_map: np.ndarray, prediction: Prediction) -> Registration:
        """Register one scan, thinned, against the local map."""
        thin = to_map[voxels.downsample_indices(sweep.points_base[to_map], self._config.register_voxel_m)]
        chosen = sweep.subset(thin)
        result = register(chosen, self._map, prediction, self._config.max_iterations)
        if self._unmoved is None:
            return result
        for _ in range(_FIRST_ROUNDS):
            self._redo_first(result.motion / prediction.interval_s)
            prediction = replace(prediction, motion=result.motion)
            result = register(chosen, self._map, prediction, self._config.max_iterations)
        self._unmoved = None
        return result

    def _redo_first(self, twist: np.ndarray) -> None:
        """The first scan came before any motion was known: deskew it with the first one seen, map it again."""
        points_base = self._unmoved.sweep.at_end(twist * self._unmoved.duration_s)
        self._map.clear()
        self._map.add(se3.apply(self._T_odom_base, points_base), self._T_odom_base[:3, 3])

    def _predict(self, begin_ns: int, stamp_ns: int) -> Prediction:
        """The motion expected until `stamp_ns`: that of the last interval, with the gyro's turn rate if there is one."""
        dt_s = (stamp_ns - self._stamp_ns) * 1e-9
        if self._twist is None:
            twist = np.zeros(6)
            sigma_rad, sigma_m = _UNKNOWN_TURN_RAD_S * dt_s, _UNKNOWN_SPEED_M_S * dt_s
        else:
            twist = self._twist.copy()
            sigma_rad, sigma_m = _TURN_SIGMA_RAD_S2 * dt_s**2, _ACC_SIGMA_M_S2 * dt_s**2
        rate = self._imu.mean_rate(begin_ns, stamp_ns)
        if rate is not None:
            twist[:3], sigma_rad = rate, _GYRO_SIGMA_RAD_S * dt_s
        return Prediction(
            T_odom_last=self._T_odom_base,
            motion=twist * dt_s,
            interval_s=dt_s,
            follow=0.0 if self._twist is None else FOLLOW,
            covariance=np.diag([sigma_rad**2] * 3 + [sigma_m**2] * 3),
        )

    def _settle(self, result: Registration, map_points_base: np.ndarray, stamp_ns: int) -> tuple[str, ...]:
        """Move to the new pose and into the map; or coast on the prediction, and say why."""
        started = self._stamp_ns < 0
        reasons = () if started or result.matches >= _MIN_MATCHES else ("coasting: too few plane matches",)
        self._T_odom_base = result.T_odom_base
        if reasons:
            self._misfits += 1
            if self._misfits < _RESTART_AFTER:
                return reasons
            self._map.clear()
            self._twist = None
            reasons += ("local map restarted",)
        elif not started:
            self._twist = result.motion / ((stamp_ns - self._stamp_ns) * 1e-9)
        self._misfits = 0
        self._map.add(se3.apply(self._T_odom_base, map_points_base), self._T_odom_base[:3, 3])
        return reasons


def _why_few(scan: LidarScan, cloud: CroppedCloud, left: int) -> str:
    return (
        f"{left} usable of {len(scan.points_lidar)} points ({cloud.not_finite} not finite, {cloud.too_near} too near, "
        f"{cloud.too_far} too far, the rest in the same voxels)"
    )


def _dropped(scan: LidarScan, kind: str, why: str) -> Dropped:
    return Dropped(where=scan.name or "scan", kind=kind, reason=f"scan dropped: {why}", stamp_ns=scan.stamp_ns)

"""LiDAR-inertial odometry: predict, deskew, thin, register against the local map, insert.

An iterated error-state filter carries the state from scan to scan; until it has started, constant velocity does.
"""

from collections import deque
from dataclasses import replace
from statistics import median_low

import numpy as np

from ..clouds import voxels
from ..config import OdometryConfig
from ..geometry import se3, so3
from ..records import Dropped, ImuSample, LidarScan, Odometry
from . import start
from .bev_keyframe import Keyframe
from .bev_matching import MapImage
from .drift import Drift
from .first_motion import FirstScan
from .hole import best_of_many_starts
from .imu_aid import ImuAid
from .imu_trust import contradicts, improbable
from .intake import Intake, take_in
from .local_map import LayeredMap
from .map_fit import RESTARTED, MapFit
from .report import health, velocity_of_base
from .rings import Rays, ring_spacing_rad
from .sweep import Sweep, sweep_of
from .update import BevHelp, Prediction, Registration, register

_SCANS_MISSING = 3.0  # times the usual interval, from which on it is said
_USUAL_OF = 10  # intervals


class Lio:
    """Odometry from scans (and IMU samples) in order. Its body frame is the IMU's; results are the base's."""

    def __init__(
        self,
        config: OdometryConfig,
        *,
        T_base_lidar: np.ndarray = np.eye(4),
        T_base_imu: np.ndarray = np.eye(4),
        initial_rpy: tuple[float, ...] = (),
    ) -> None:
        self._config = config
        self._T_base_body, self._T_body_base = T_base_imu, se3.inverse(T_base_imu)
        self._T_body_lidar = self._T_body_base @ T_base_lidar
        self._initial_rpy = initial_rpy
        self._rays = Rays(origin_body=self._T_body_lidar[:3, 3])
        self._inertial = ImuAid(config)
        self._drift = Drift(T_base_imu)
        self._map = LayeredMap(config.map_voxel_m, config.map_radius_m)
        self._map_image = None if config.bev == "off" else MapImage()
        self._keyframe: Keyframe | None = None  # the first scan, while it is near
        self._T_odom_body = np.eye(4)  # at _stamp_ns
        self._begin_ns, self._stamp_ns = -1, -1  # first return and end of the last scan; -1: none yet
        self._twist: np.ndarray | None = None  # (6,) of the body over the last interval; None: unknown
        self._last_step_m2 = np.zeros((3, 3))  # covariance of the translation that the twist was taken from
        self._is_open = False  # planes left a direction open in the last scan
        self._first_scan: FirstScan | None = None  # until the second tells how it moved
        self._intervals_s: deque[float] = deque(maxlen=_USUAL_OF)  # between the last scans
        self._fit = MapFit()
        self._levelled: start.Levelled | None = None  # None: no scan yet

    def on_imu(self, sample: ImuSample) -> None:
        """Take one IMU sample; samples up to a scan's end come before the scan."""
        self._inertial.add(sample)

    @property
    def start_note(self) -> str:
        """How the start was levelled; empty before the first scan."""
        return "" if self._levelled is None else self._levelled.note

    @property
    def imu_note(self) -> str:
        """The unit of the accelerometer that was found out; empty while unknown."""
        return self._inertial.unit_note()

    def on_scan(self, scan: LidarScan) -> Odometry | Dropped:
        """The pose at the end of this scan (at its stamp if its points carry no times), or why there is none."""
        intake = take_in(scan, self._config, self._T_body_lidar, self._begin_ns, self._stamp_ns)
        if isinstance(intake, Dropped):
            return intake
        if self._stamp_ns < 0:
            self._rays = Rays(origin_body=self._T_body_lidar[:3, 3], spacing_rad=ring_spacing_rad(scan.points_lidar))
            points_base, result, reasons = self._first(intake)
        else:
            points_base, result, reasons = self._follow(intake)
        self._begin_ns, self._stamp_ns = scan.stamp_ns, intake.stamp_ns
        if self._first_scan is not None and self._levelled.disputed:  # odom must not turn once it is published
            return Dropped(where=scan.name or "scan", kind=start.WAITING, reason=start.WHY_WAITING, stamp_ns=scan.stamp_ns)
        return self._odometry(scan, points_base, result, reasons)

    def _first(self, intake: Intake) -> tuple[np.ndarray, Registration, tuple[str, ...]]:
        """The start: level, the base at the origin, known exactly by definition."""
        points_base = se3.apply(self._T_base_body, intake.cloud.points_body)
        levelled = self._level(points_base[intake.to_map], intake.stamp_ns, self._initial_rpy)
        self._begin_map(intake, points_base, levelled, np.zeros(3))
        return points_base, Registration.given(self._T_odom_body), ()

    def _level(self, points_base: np.ndarray, stamp_ns: int, rpy: tuple[float, ...] = ()) -> start.Levelled:
        return start.level(points_base, self._inertial.rest(stamp_ns), self._T_base_body[:3, :3], rpy)

    def _begin_map(self, intake: Intake, points_base: np.ndarray, levelled: start.Levelled, t_odom_base: np.ndarray) -> None:
        """A local map of one scan (N, 3), not deskewed: the next one tells how it had moved."""
        cloud, to_map = intake.cloud, intake.to_map
        sweep = sweep_of(cloud.points_body, cloud.offsets_s, 0.0, max(intake.end_s, 1e-9), self._rays)
        self._levelled = levelled
        self._first_scan = FirstScan(
            sweep, to_map, intake.end_s, self._map, levelled=levelled, T_base_body=self._T_base_body, t_odom_base=t_odom_base
        )
        self._T_odom_body = self._first_scan.T_odom_body
        self._insert(points_base[to_map])

    def _follow(self, intake: Intake) -> tuple[np.ndarray, Registration, tuple[str, ...]]:
        """Predict, register, move on: the deskewed points, the registration, and what was wrong."""
        cloud, to_map, stamp_ns = intake.cloud, intake.to_map, intake.stamp_ns
        interval_s = (stamp_ns - self._stamp_ns) * 1e-9
        sweep = sweep_of(cloud.points_body, cloud.offsets_s, interval_s - intake.end_s, interval_s, self._rays)
        thin = to_map[voxels.downsample_indices(cloud.points_body[to_map], self._config.register_voxel_m)]
        prediction, reasons, first_scan = self._predict(stamp_ns), (), self._first_scan
        result = self._register(sweep, thin, prediction)
        if first_scan is not None:
            self._levelled, self._T_odom_body, reasons = first_scan.levelled, first_scan.T_odom_body, first_scan.reasons
            prediction = self._predict(stamp_ns)  # odom may have been turned
        missing = len(self._intervals_s) and interval_s > _SCANS_MISSING * median_low(self._intervals_s)
        self._intervals_s.append(interval_s)
        if missing:
            reasons += ("scans missing",)
            if self._doubtful(result):
                iterations, some = self._config.max_iterations, sweep.subset(thin)
                result = best_of_many_starts(
                    result,
                    lambda begin: register(some, self._map, prediction, iterations, begin=begin),
                    self._T_body_base[:3, :3],
                )
        reasons += self._inertial.say_spikes()
        if prediction.inertial and self._doubtful(result):
            without = replace(self._predict(stamp_ns, with_imu=False), wary=True)  # a fair comparison
            other = self._register(sweep, thin, without)
            if contradicts(result, other) and not self._fit.is_elsewhere(other):  # else it is no fault of the IMU
                self._inertial.blame()
                prediction, result = without, other
        points_base = prediction.course.at_end(sweep, result.T_odom_body, self._T_base_body)
        if missing and prediction.inertial and not (self._inertial.missing_s or improbable(result)):
            self._fit.forget()  # the IMU told the way: what is seen there may well be new
        reasons += self._settle(result, prediction, stamp_ns)
        if self._fit.hopeless:
            self._begin_anew(intake)
            reasons += (RESTARTED,)
        elif self._fit.fitted:
            self._insert(points_base[to_map])
            if self._map_image is not None:
                self._map_image.add(se3.apply(self._T_odom_base, points_base), self._T_odom_body[:3, 3])
        return points_base, result, reasons

    def _predict(self, stamp_ns: int, with_imu: bool = True) -> Prediction:
        """The state expected at `stamp_ns`, from the filter if it runs, else from constant velocity."""
        return self._inertial.predict(
            self._T_odom_body, self._twist, self._last_step_m2, self._stamp_ns, stamp_ns, is_open=self._is_open, with_imu=with_imu
        )

    def _doubtful(self, result: Registration) -> bool:
        """Whether the scan fits the prediction so badly, or so much less than the last one, that the IMU may be wrong."""
        return improbable(result) or self._fit.dropped(result)

    def _register(self, whole: Sweep, thin: np.ndarray, prediction: Prediction) -> Registration:
        """Register a thinned scan; the second one also tells how the first had moved."""
        if self._first_scan is not None:
            first, self._first_scan = self._first_scan, None
            result = first.register_second(whole, thin, prediction, self._config.max_iterations)
            self._keyframe = None if self._map_image is None else first.keyframe
            return result
        return register(whole.subset(thin), self._map, prediction, self._config.max_iterations, self._bev_help(whole, prediction))

    def _bev_help(self, sweep: Sweep, prediction: Prediction) -> BevHelp | None:
        """How registration may ask for BEV matches of the whole scan."""
        if self._map_image is None:
            return None
        T = prediction.T_odom_body
        if self._keyframe is not None and not self._keyframe.reaches(T):
            self._keyframe = None
        keyframe = self._keyframe
        return BevHelp(
            match=lambda: self._map_image.match(prediction.course.at_end(sweep, T, T), T),
            always=self._config.bev == "always",
            place=keyframe and (lambda: keyframe.place(prediction.course.at_end(sweep, T, T), T, prediction.covariance[:6, :6])),
        )

    def _settle(self, result: Registration, prediction: Prediction, stamp_ns: int) -> tuple[str, ...]:
        """Take the new state; without enough planes it is mostly the prediction, and that is said."""
        T_last_now = se3.inverse(self._T_odom_body) @ result.T_odom_body
        if self._twist is None:
            self._drift.begin(np.linalg.norm(T_last_now[:3, 3]) / prediction.interval_s)
        self._is_open = result.degenerate_directions > 0
        self._drift.move(T_last_now, result.planes, is_open=self._is_open)
        self._T_odom_body = result.T_odom_body
        misfit = self._fit.take(result)
        if self._fit.fitted:
            self._twist, self._last_step_m2 = se3.log(T_last_now) / prediction.interval_s, result.covariance[3:6, 3:6]
        if prediction.inertial:
            return misfit + self._inertial.take(result, prediction, stamp_ns, misfit)
        if misfit:
            return misfit
        told = self._levelled.told
        reasons = self._inertial.take_back(result, self._twist[:3], self._stamp_ns, stamp_ns, level=told)
        if self._inertial.started:
            self._fit.forget()  # scans are searched more warily from now on
        return reasons

    def _begin_anew(self, intake: Intake) -> None:
        """Another local map, where coasting led; how fast the vehicle is, and how it lies, is asked as at the start."""
        points_base, T_odom_base = se3.apply(self._T_base_body, intake.cloud.points_body), self._T_odom_base
        R_odom_base = T_odom_base[:3, :3]
        levelled = replace(self._levelled, R_odom_base=R_odom_base, by_rest=False, R_odom_ground=None)
        if not self._inertial.started:  # else its gyro knows better
            found = self._level(points_base[intake.to_map], intake.stamp_ns)
            R_heading = R_odom_base @ so3.level(R_odom_base).T
            levelled = replace(levelled, R_odom_base=R_heading @ found.R_odom_base, told=True) if found.told else levelled
        self._map.clear()
        if self._map_image is not None:
            self._map_image.forget()
        self._keyframe = None
        self._inertial.stop()
        self._twist = None
        self._fit.forget()
        self._drift.restart()
        self._begin_map(intake, points_base, levelled, T_odom_base[:3, 3])

    @property
    def _T_odom_base(self) -> np.ndarray:
        return self._T_odom_body @ self._T_body_base

    def _insert(self, points_base: np.ndarray) -> None:
        self._map.add(se3.apply(self._T_odom_base, points_base), self._T_odom_body[:3, 3])

    def _odometry(
        self, scan: LidarScan, points_base: np.ndarray, result: Registration, reasons: tuple[str, ...]
    ) -> Odometry:
        """The result in the base frame."""
        registered = self._inertial.pose_covariance(result.pose_covariance)
        return Odometry(
            stamp_ns=self._stamp_ns,
            T_odom_base=self._T_odom_base,
            covariance=self._drift.total(registered, fitted=self._fit.fitted),
            points_base=points_base,
            v_odom_base=velocity_of_base(self._T_odom_body, self._T_body_base, self._twist, self._inertial.state),
            health=health(scan, result, reasons, self._inertial.calibration(self._T_base_body)),
        )

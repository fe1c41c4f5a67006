"""What the IMU does for the odometry: it predicts, as long as it is believed; what is wrong with it is said."""

import numpy as np

from ..config import OdometryConfig
from ..records import ImuCalibration, ImuSample
from . import constant_velocity
from .calibration import Known
from .drift import Scatter
from .imu_buffer import ImuBuffer
from .imu_trust import CONTRADICTED, ImuTrust
from .inertial_model import InertialModel
from .mounting import WRONG, MountingCheck
from .poses import Pose
from .propagate import ImuNoise, Readings
from .state import NavState
from .update import Prediction, Registration


class ImuAid:
    """Samples, the filter that they drive, and the checks of both against the scans; constant velocity where it cannot help."""

    def __init__(self, config: OdometryConfig) -> None:
        self._buffer = ImuBuffer()
        noise = ImuNoise(
            gyro=config.gyro_noise, acc=config.acc_noise, gyro_walk=config.gyro_walk, acc_walk=config.acc_walk
        )
        self._filter = InertialModel(self._buffer, noise, Known.at_first(config.estimate_extrinsic, config.estimate_time_offset))
        self._mounting, self._trust, self._scatter = MountingCheck(), ImuTrust(), Scatter(config.gyro_noise)
        self._spikes = 0  # of the gyro, said

    def add(self, sample: ImuSample) -> None:
        """Take one sample."""
        self._buffer.add(sample)

    @property
    def started(self) -> bool:
        """Whether the filter runs."""
        return self._filter.started

    @property
    def state(self) -> NavState | None:
        """The filter's after the last scan, if it runs."""
        return self._filter.state

    @property
    def missing_s(self) -> float:
        """Of the last interval that the filter predicted, what no sample covered."""
        return self._filter.missing_s

    def unit_note(self) -> str:
        """The unit of the accelerometer that was found out; empty while unknown."""
        return self._buffer.unit_note()

    def rest(self, stamp_ns: int) -> Readings | None:
        """The last samples up to a stamp, if the IMU stood still in them."""
        return self._buffer.rest(stamp_ns)

    def calibration(self, T_base_body: np.ndarray) -> ImuCalibration | None:
        """What is known of its mounting and clock, if they are estimated."""
        return self._filter.known.said(T_base_body)

    def pose_covariance(self, registered: np.ndarray) -> np.ndarray:
        """(6, 6) of a pose that a scan tells with this covariance: an IMU that deskews it adds its noise."""
        return registered if self.state is None else registered + self._scatter.covariance

    def predict(
        self, T_odom_body: np.ndarray, twist: np.ndarray | None, last_step_m2: np.ndarray, last_ns: int, stamp_ns: int, *,
        is_open: bool, with_imu: bool = True,
    ) -> Prediction:  # fmt: skip
        """The state expected at `stamp_ns`, from the filter if it runs, else from constant velocity.

        T_odom_body: (4, 4) at `last_ns`, where the filter's state stands too; twist: (6,) before it, None if unknown;
        last_step_m2: (3, 3) covariance of the translation that it was taken from; is_open: planes left a direction open there.
        """
        turn_rate = np.zeros(3) if twist is None else twist[:3]
        if with_imu and self.started:
            return self._filter.predict(last_ns, stamp_ns, turn_rate)
        readings = self._buffer.between(last_ns, stamp_ns, turn_rate) if with_imu and self._trust.gyro else None
        measured = None if readings is None or readings.missing.any() else readings.mean_turn_rate()
        return constant_velocity.predict(
            T_odom_body, twist, measured, (stamp_ns - last_ns) * 1e-9,
            last_step_m2=last_step_m2, may_stand=is_open and measured is not None and self.rest(stamp_ns) is not None,
        )  # fmt: skip

    def say_spikes(self) -> tuple[str, ...]:
        """That samples were refused since it was said last: poses do not follow from each other by the others."""
        if self._buffer.spikes == self._spikes:
            return ()
        self._spikes = self._buffer.spikes
        self._mounting.forget_poses()
        return ("gyro spike refused",)

    def blame(self) -> None:
        """It contradicts a scan: do without it until it agrees again."""
        self._filter.stop()
        self._mounting.forget_poses()
        self._trust.lose()

    def stop(self) -> None:
        """The state is lost through no fault of the IMU: start anew."""
        self._filter.stop()

    def take(self, result: Registration, prediction: Prediction, stamp_ns: int, misfit: tuple[str, ...]) -> tuple[str, ...]:
        """Move the filter's prediction by what a scan said; what is wrong, beside why the scan does not fit the map."""
        self._filter.take(result)
        if not misfit and not self.missing_s:
            self._scatter.add(result.error[:6])
        few = self.missing_s > 0.5 * prediction.interval_s
        if not misfit:
            pose = Pose(stamp_ns=stamp_ns, T_odom_body=result.T_odom_body)
            self._mounting.add(pose, self._buffer, self.state.gravity_odom)
        if misfit or few or result.degenerate_directions:  # then poses tell no speed
            self._mounting.forget_poses()
        return ("no imu samples",) * few + (WRONG,) * self._mounting.wrong()

    def take_back(
        self, result: Registration, turn_rate: np.ndarray, last_ns: int, stamp_ns: int, *, level: bool
    ) -> tuple[str, ...]:
        """Start the filter as soon as the IMU is believed and tells enough; that it contradicted is said until then.

        turn_rate: (3,) rad/s that the scan, which fits the map, says; level: whether odom is known to be.
        """
        self._trust.compare(self._buffer.between(last_ns, stamp_ns, turn_rate), turn_rate)
        if self._trust.gyro:
            level_and_open = level and result.degenerate_directions > 0
            self._filter.try_start(stamp_ns, result.T_odom_body, level_and_open=level_and_open)
        if self.started:
            self._trust.contradicted = False
        return (CONTRADICTED,) if self._trust.contradicted else ()

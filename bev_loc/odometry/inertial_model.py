"""The motion model with an IMU: start the filter from a few registered scans, predict, take what was found."""

from dataclasses import replace

import numpy as np

from ..clouds.deskew import knot_table
from ..geometry import se3, so3
from .calibration import ImuMotion, Known, SlowMotion, joined
from .constant_velocity import MOVING_M_S
from .imu_buffer import ImuBuffer
from .poses import Pose, attitudes, velocity
from .propagate import ImuNoise, Propagation, Readings, propagate
from .state import ACC_BIAS, DIMENSION, GRAVITY, GYRO_BIAS, ROTATION, STANDARD_GRAVITY_M_S2, TRANSLATION, VELOCITY, NavState, gravity_basis
from .sweep import ConstantTwist, Measured
from .update import Prediction, Registration

_START_POSES = 8  # registered poses that tell velocity and gravity before the filter starts
_REST_POSES = 3  # with an IMU at rest fewer do, if they do not say that it moves
_STANDS_M_S = 0.1  # that poses of a standing vehicle may seem to move with; faster, it gains speed, and the IMU took that for a tilt
_START_SIGMA = ((ROTATION, 1e-3), (TRANSLATION, 1e-2), (VELOCITY, 0.2), (GYRO_BIAS, 0.01), (ACC_BIAS, 0.1), (GRAVITY, 0.03))
_OPEN_SIGMA = ((ROTATION, 1e-3), (TRANSLATION, 1e-2), (VELOCITY, 0.5), (GYRO_BIAS, 0.01), (ACC_BIAS, 0.1), (GRAVITY, 0.05))
_REST_SIGMA = ((ROTATION, 1e-3), (TRANSLATION, 1e-2), (VELOCITY, 0.05), (GYRO_BIAS, 0.003), (ACC_BIAS, 0.1), (GRAVITY, 0.01))


class InertialModel:
    """The filter's state between scans; not started until IMU and poses have told velocity and gravity."""

    def __init__(self, buffer: ImuBuffer, noise: ImuNoise, known: Known) -> None:
        """`known` is what to begin with of the IMU's mounting and clock, where they are to be estimated."""
        self._buffer = buffer
        self._noise = noise
        self._known = known
        self._motion = SlowMotion()
        self._poses: list[Pose] = []
        self._state: NavState | None = None
        self._covariance = np.eye(DIMENSION)  # of the state's error (D, D)
        self._predicted: NavState | None = None
        self.missing_s = 0.0  # of the last interval that no sample covered

    @property
    def started(self) -> bool:
        """Whether the filter runs."""
        return self._state is not None

    @property
    def state(self) -> NavState | None:
        """The state after the last scan."""
        return self._state

    @property
    def known(self) -> Known:
        """What is known of the IMU's mounting and clock."""
        return self._known if self._state is None else Known.of(self._state, self._covariance)

    def predict(self, last_ns: int, stamp_ns: int, turn_rate: np.ndarray) -> Prediction:
        """The state carried to `stamp_ns`, once started.

        turn_rate: (3,) rad/s of the last interval, for pieces without samples.
        """
        lag_ns = round(self._state.time_offset_s * 1e9)
        readings = self._buffer.between(last_ns - lag_ns, stamp_ns - lag_ns, self._state.T_body_imu[:3, :3].T @ turn_rate)
        carried = propagate(self._state, self._covariance, readings, self._noise, self._motion.before, self._motion.after)
        self._motion.add(self._mean_motion(readings, carried.state), (stamp_ns - last_ns) * 1e-9)
        self._predicted = carried.state
        self.missing_s = float(readings.durations_s[readings.missing].sum())
        return Prediction(
            T_odom_body=carried.state.T_odom_body,
            covariance=carried.covariance,
            course=self._course(carried),
            interval_s=(stamp_ns - last_ns) * 1e-9,
            inertial=True,
            wary=True,
        )

    def _mean_motion(self, readings: Readings, end: NavState) -> ImuMotion:
        """Of the IMU since the last scan."""
        turn_imu = readings.mean_turn_rate() - self._state.gyro_bias
        return ImuMotion(turn_imu=turn_imu, acc_odom=(end.v_odom - self._state.v_odom) / readings.durations_s.sum())

    def _course(self, carried: Propagation) -> Measured | ConstantTwist:
        """What was measured; over an interval mostly without samples, a constant twist that may follow."""
        if self.missing_s > 0.5 * carried.times_s[-1]:
            T_odom_last = carried.T_odom_knots[0]
            motion = se3.log(se3.inverse(T_odom_last) @ carried.state.T_odom_body)
            return ConstantTwist(T_odom_last=T_odom_last, motion=motion)
        return Measured(table=knot_table(carried.times_s / carried.times_s[-1], carried.T_odom_knots))

    def take(self, result: Registration) -> None:
        """Move the predicted state by what the scan said."""
        self._state = replace(self._predicted.plus(result.error), T_odom_body=result.T_odom_body)
        self._covariance = result.covariance

    def stop(self) -> None:
        """Forget the state, to start anew when there are poses and samples again."""
        self._known, self._motion = self.known, SlowMotion()
        self._state, self._poses = None, []

    def try_start(self, stamp_ns: int, T_odom_body: np.ndarray, *, level_and_open: bool) -> None:
        """Remember a registered pose; start the filter once there are enough of them with samples between.

        level_and_open: odom is level, and the scans leave a direction open. Their poses do not tell how the speed
        changes then, nor gravity by it: it is down, and the filter starts as soon as there is a speed.
        """
        self._poses = [*self._poses, Pose(stamp_ns=stamp_ns, T_odom_body=T_odom_body)][-_START_POSES:]
        if len(self._poses) < _REST_POSES:
            return
        first, before, last = self._poses[0], self._poses[-2], self._poses[-1]
        earlier, later = self._poses[-_REST_POSES], self._poses[1 - _REST_POSES]
        since_ns = 2 * earlier.stamp_ns - later.stamp_ns  # the scan before, by which the earliest pose was found
        resting = self._buffer.rest(stamp_ns, since_ns) or self._buffer.rest(stamp_ns)
        v_end = velocity(before, last)
        if resting is not None and np.linalg.norm(velocity(self._poses[-_REST_POSES], last)) < MOVING_M_S:
            gravity = -T_odom_body[:3, :3] @ self._known.T_body_imu[:3, :3] @ resting.acc_m_s2.mean(0)
            hidden_m_s2 = max(0.0, float(np.linalg.norm(v_end)) - _STANDS_M_S) / resting.durations_s.sum()
            self._start(last, np.zeros(3), gravity, resting, _REST_SIGMA, hidden_m_s2=hidden_m_s2)
        elif level_and_open and self._measured(before, last):
            self._start(last, v_end, np.array([0.0, 0.0, -STANDARD_GRAVITY_M_S2]), resting, _OPEN_SIGMA)
        elif len(self._poses) == _START_POSES:
            gravity = self._gravity_in_motion(velocity(first, self._poses[1]), v_end)
            if gravity is not None:
                self._start(last, v_end, gravity, resting, _START_SIGMA)

    def _measured(self, a: Pose, b: Pose) -> bool:
        """Whether there are samples all the way from one pose to the other."""
        readings = self._buffer.between(a.stamp_ns, b.stamp_ns, np.zeros(3))
        return readings is not None and not readings.missing.any()

    def _gravity_in_motion(self, v_begin: np.ndarray, v_end: np.ndarray) -> np.ndarray | None:
        """(3,) what explains, with the specific force, the change of velocity over the poses; None without samples.

        Mean velocities hold at the middles of the first and last interval.
        """
        first, second, before, last = self._poses[0], self._poses[1], self._poses[-2], self._poses[-1]
        begin_ns, end_ns = (first.stamp_ns + second.stamp_ns) // 2, (before.stamp_ns + last.stamp_ns) // 2
        readings = self._buffer.between(begin_ns, end_ns, np.zeros(3))
        if readings is None or readings.missing.any():
            return None
        R_odom_imu = attitudes(self._poses, readings.middles_ns(begin_ns)) @ self._known.T_body_imu[:3, :3]
        gained = np.einsum("kij,kj,k->i", R_odom_imu, readings.acc_m_s2, readings.durations_s)
        return (v_end - v_begin - gained) / readings.durations_s.sum()

    def _start(
        self, last: Pose, v_odom: np.ndarray, gravity: np.ndarray, resting: Readings | None, sigmas: tuple[tuple[slice, float], ...],
        *, hidden_m_s2: float = 0.0,
    ) -> None:  # fmt: skip
        length = np.linalg.norm(gravity)
        if not 0.8 < length / STANDARD_GRAVITY_M_S2 < 1.2:
            return
        self._state = NavState(
            T_odom_body=last.T_odom_body,
            v_odom=v_odom,
            gyro_bias=np.zeros(3) if resting is None else resting.gyro_rad_s.mean(0),
            acc_bias=np.zeros(3),
            gravity_odom=gravity * (STANDARD_GRAVITY_M_S2 / length),
            T_body_imu=self._known.T_body_imu,
            time_offset_s=self._known.time_offset_s,
        )
        covariance = np.zeros((DIMENSION, DIMENSION))
        for part, sigma in sigmas:
            covariance[part, part] = sigma**2 * np.eye(part.stop - part.start)
        if sigmas is _REST_SIGMA:
            covariance = felt_at_rest(covariance, self._state, resting, hidden_m_s2)
        self._covariance = joined(covariance, self._known, self._state, gravity_by_imu=sigmas is not _OPEN_SIGMA)


def felt_at_rest(covariance: np.ndarray, state: NavState, resting: Readings, hidden_m_s2: float) -> np.ndarray:
    """(17, 17) at a start at rest, of gravity that was taken from the mean of specific forces.

    It is off by what the accelerometer's bias is, both cancel when the vehicle drives off, by the mean's noise, and by the gain
    of speed that may hide in it. As if gravity and bias were independent, every start would be believed to gain speed by
    as much as the bias may be.
    """
    R_odom_imu = state.T_odom_body[:3, :3] @ state.T_body_imu[:3, :3]
    tilt = -so3.hat(state.gravity_odom) @ gravity_basis(state.gravity_odom)  # d gravity / d its two angles
    mean_2 = resting.acc_m_s2.var(0).mean() / len(resting.acc_m_s2) + hidden_m_s2**2
    covariance = covariance.copy()
    covariance[GRAVITY, GRAVITY] = mean_2 / STANDARD_GRAVITY_M_S2**2 * np.eye(2)
    with_bias = np.eye(DIMENSION)
    with_bias[GRAVITY, ACC_BIAS] = tilt.T @ R_odom_imu / STANDARD_GRAVITY_M_S2**2
    return with_bias @ covariance @ with_bias.T

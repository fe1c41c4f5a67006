"""An IMU mounted otherwise than said, with a clock that lags: found out where turns tell it, and open where nothing does."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from box_world import cast, directions, imu_along

from bev_loc.config import OdometryConfig
from bev_loc.geometry import se3, so3
from bev_loc.odometry.calibration import ImuMotion, Known, in_words, joined
from bev_loc.odometry.imu_buffer import ImuBuffer
from bev_loc.odometry.lio import Lio
from bev_loc.odometry.propagate import ImuNoise, Propagation, propagate
from bev_loc.odometry.state import DIMENSION, GRAVITY, STANDARD_GRAVITY_M_S2, NavState, clock_part, gravity_basis, mounting_part
from bev_loc.records import ImuCalibration, ImuSample, LidarScan, Odometry

QUIET = ImuNoise(gyro=0.0, acc=0.0, gyro_walk=0.0, acc_walk=0.0, turning=0.0, driving=0.0)
ROOM = np.array(
    [
        [[-14, -9, -0.5], [14, 9, 0]], [[-14, -9, 5], [14, 9, 5.5]],
        [[-14, -9, 0], [-13.5, 9, 5]], [[13.5, -9, 0], [14, 9, 5]], [[-14, -9, 0], [14, -8.5, 5]], [[-14, 8.5, 0], [14, 9, 5]],
        [[5, -3, 0], [7, 0, 5]], [[-9, 3, 0], [-6, 5, 2]], [[-4, -8, 0], [-2, -6, 3]],
    ],
    float,
)  # fmt: skip
T_IMU_TRULY = se3.from_parts(so3.exp(np.deg2rad([1.2, -1.2, 1.0])), np.array([0.03, -0.02, 0.03]))
LAG_S = 0.01


def state_and_error(seed: int, dimension: int) -> tuple[NavState, np.ndarray]:
    """A state with a mounting and a lag, and an error of that length."""
    rng = np.random.default_rng(seed)
    state = NavState(
        T_odom_body=se3.exp(rng.normal(size=6)),
        v_odom=rng.normal(0, 5, 3),
        gyro_bias=rng.normal(0, 0.01, 3),
        acc_bias=rng.normal(0, 0.1, 3),
        gravity_odom=so3.exp(rng.normal(0, 0.1, 3)) @ [0.0, 0.0, -STANDARD_GRAVITY_M_S2],
        T_body_imu=se3.exp(rng.normal(0, 0.1, 6)),
        time_offset_s=0.003,
    )
    return state, rng.normal(0, 0.2, dimension)


@pytest.mark.parametrize("dimension", [17, 18, 23, 24])
def test_minus_undoes_plus_with_whatever_is_estimated(dimension: int) -> None:
    state, error = state_and_error(dimension, dimension)
    assert np.allclose(state.plus(error).minus(state, dimension), error, atol=1e-9)
    untouched = state.plus(error)
    assert dimension >= 23 or untouched.T_body_imu is state.T_body_imu
    assert dimension in (18, 24) or untouched.time_offset_s == state.time_offset_s


def signal(stamps_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn rates and specific forces (N, 3) of a lively hand, smooth."""
    t = stamps_ns[:, None] * 1e-9
    return np.sin([3.0, 4.0, 2.5] * t + [0, 1, 2]), [0.0, 0.0, 9.8] + 3.0 * np.cos([2.0, 3.0, 3.5] * t + [2, 0, 1])


@pytest.mark.parametrize(("dimension", "part"), [(23, mounting_part), (24, mounting_part), (18, clock_part), (24, clock_part)])
def test_the_errors_of_mounting_and_clock_are_carried_as_central_differences_say(
    dimension: int, part: Callable[[int], slice]
) -> None:
    buffer, begin_ns, span_ns = ImuBuffer(), 400_000_000, 50_000_000
    for stamp, gyro, acc in zip(stamps := np.arange(0, 10**9, 10**6), *signal(stamps)):
        buffer.add(ImuSample(stamp_ns=int(stamp), gyro_rad_s=gyro, acc_m_s2=acc))

    def motion(at: NavState, stamp_ns: int) -> ImuMotion:
        gyro, acc = signal(np.array([stamp_ns]))
        R_odom_imu = at.T_odom_body[:3, :3] @ at.T_body_imu[:3, :3]
        return ImuMotion(turn_imu=gyro[0] - at.gyro_bias, acc_odom=R_odom_imu @ (acc[0] - at.acc_bias) + at.gravity_odom)

    def after(at: NavState, covariance: np.ndarray, *motions: ImuMotion) -> Propagation:
        """A span later by the lidar's clock."""
        imu_ns = begin_ns - round(at.time_offset_s * 1e9)
        return propagate(at, covariance, buffer.between(imu_ns, imu_ns + span_ns, np.zeros(3)), QUIET, *motions)

    state, _ = state_and_error(3, dimension)
    nominal, at_ns = after(state, np.eye(dimension)).state, begin_ns - round(state.time_offset_s * 1e9)
    motions = motion(state, at_ns), motion(nominal, at_ns + span_ns)
    for axis in range(part(dimension).start, part(dimension).stop):
        unit, step = np.eye(dimension)[axis], 2e-3 if part is clock_part else 1e-6  # s: more than the samples' spacing
        moved = [after(state.plus(sign * step * unit), np.eye(dimension)).state.minus(nominal, dimension) for sign in (1, -1)]
        numeric, analytic = (moved[0] - moved[1]) / (2 * step), after(state, np.outer(unit, unit), *motions).covariance[:, axis]
        assert np.abs(numeric[:9]).max() > 0.02 and np.allclose(analytic, numeric, atol=1e-3), axis


def lively(t_s: float) -> np.ndarray:
    """T_world_lidar of a hand that carries the lidar through the room and turns it about every axis."""
    xy = [3.0 * np.sin(0.7 * t_s), 2.0 * np.sin(0.9 * t_s)]
    turn = [0.25 * np.sin(2.6 * t_s), 0.25 * np.sin(2.1 * t_s + 1.0), 0.8 * np.sin(1.3 * t_s)]
    return se3.from_parts(so3.exp(np.array(turn)), np.array([*xy, 1.6 + 0.2 * np.sin(1.7 * t_s)]))


def straight(t_s: float) -> np.ndarray:
    """T_world_lidar of a trolley that rolls evenly through the room."""
    return se3.from_parts(np.eye(3), np.array([-4.0 + 1.0 * t_s, -0.5, 1.6]))


def said(
    pose_at: Callable[[float], np.ndarray], seconds: float, T_imu: np.ndarray = T_IMU_TRULY, shaken_rad_s: float = 0.0, **asked: bool
) -> list[Odometry]:
    """Poses of a small lidar on the way, with an IMU that is at `T_imu` of the lidar and not with it, and stamped too early.

    shaken_rad_s: deviation of more noise in the gyro.
    """
    rng = np.random.default_rng(1)
    lio = Lio(OdometryConfig(**asked))
    rays, shares = directions(rings=16, columns=150)
    samples = imu_along(lambda t_s: pose_at(t_s) @ T_imu, -0.2, seconds + 0.2, 200.0, np.random.default_rng(4))
    shaken = [replace(one, gyro_rad_s=one.gyro_rad_s + rng.normal(0, shaken_rad_s, 3)) for one in samples]
    waiting, results = [replace(one, stamp_ns=one.stamp_ns - round(LAG_S * 1e9)) for one in shaken], []
    for begin_s in np.arange(0.0, seconds, 0.1):
        poses = np.repeat([pose_at(begin_s + 0.1 * share) for share in np.unique(shares)], 16, axis=0)
        distance = cast(ROOM, poses[:, :3, 3], np.einsum("nij,nj->ni", poses[:, :3, :3], rays)) + rng.normal(0, 0.01, len(rays))
        one = LidarScan(
            stamp_ns=round(begin_s * 1e9),
            points_lidar=(rays * distance[:, None]).astype(np.float32),
            offsets_s=(0.1 * shares).astype(np.float32),
        )
        while waiting and waiting[0].stamp_ns <= one.stamp_ns + 10**8:
            lio.on_imu(waiting.pop(0))
        results.append(lio.on_scan(one))
    return [one for one in results if isinstance(one, Odometry)]


def off(imu: ImuCalibration) -> np.ndarray:
    """(7,) by what an estimate is off the truth: rad, m, s."""
    E = se3.inverse(T_IMU_TRULY) @ imu.T_base_imu
    return np.concatenate([so3.log(np.ascontiguousarray(E[:3, :3])), E[:3, 3], [imu.time_offset_s - LAG_S]])


def deviations(imu: ImuCalibration) -> np.ndarray:
    """(7,) that it says."""
    return np.array([*imu.mounting_sigmas, imu.time_offset_sigma_s])


BOTH = {"estimate_extrinsic": True, "estimate_time_offset": True}


def test_a_mounting_off_by_two_degrees_and_three_centimetres_and_a_lag_are_found_while_turning() -> None:
    imus = [one.health.imu for one in said(lively, 8.0, **BOTH)]
    at_first, at_last = deviations(imus[0]), deviations(imus[-1])
    assert np.rad2deg(np.linalg.norm(off(imus[0])[:3])) > 1.9 and np.abs(off(imus[0])[6]) == LAG_S
    error = np.abs(off(imus[-1]))
    assert np.rad2deg(error[:3]).max() < 0.1 and error[3:6].max() < 0.012 and error[6] < 1e-3
    assert (error < 3.0 * at_last).all()
    assert (at_last[:3] < 0.1 * at_first[:3]).all() and (at_last[3:6] < 0.6 * at_first[3:6]).all() and at_last[6] < 0.1 * at_first[6]


def test_on_a_straight_and_even_way_nothing_tells_them_and_noise_does_not_pass_for_it() -> None:
    imus = [one.health.imu for one in said(straight, 6.0, shaken_rad_s=0.02, **BOTH)]
    at_first, at_last = deviations(imus[0]), deviations(imus[-1])
    # Roll and pitch may be told by gravity, where the ground had levelled the start.
    assert (at_last[:2] > 0.6 * at_first[:2]).all() and (at_last[2:] > 0.95 * at_first[2:]).all()
    assert (np.abs(off(imus[-1])) < 2.0 * at_last).all()


def test_each_is_estimated_alone_and_nothing_unasked() -> None:
    clock = said(lively, 4.0, T_imu=np.eye(4), estimate_time_offset=True)[-1].health.imu
    assert np.array_equal(clock.T_base_imu, np.eye(4)) and clock.mounting_sigmas == ()
    assert abs(clock.time_offset_s - LAG_S) < 0.002 and clock.time_offset_sigma_s < 0.003
    mounting = said(lively, 2.0, estimate_extrinsic=True)[-1].health.imu
    assert mounting.time_offset_s == 0.0 and mounting.time_offset_sigma_s is None and len(mounting.mounting_sigmas) == 6
    assert said(lively, 0.5)[-1].health.imu is None


def test_gravity_by_an_imu_that_is_turned_is_turned_with_it_and_what_is_known_outlasts_the_filter() -> None:
    known, turn = Known.at_first(mounting=True, clock=True), np.array([0.01, -0.02, 0.005])
    state, _ = state_and_error(5, DIMENSION)
    felt = [0.1, 0.2, 9.8]
    state = replace(state, gravity_odom=-state.T_odom_body[:3, :3] @ state.T_body_imu[:3, :3] @ felt)
    turned = -state.T_odom_body[:3, :3] @ state.T_body_imu[:3, :3] @ so3.exp(turn) @ felt
    whole = joined(np.eye(DIMENSION), known, state, gravity_by_imu=True)
    tilt_by_turn = whole[GRAVITY, 17:20] @ np.linalg.inv(whole[17:20, 17:20])
    expected = gravity_basis(state.gravity_odom).T @ so3.log(so3.rotation_between(state.gravity_odom, turned))
    assert np.allclose(tilt_by_turn @ turn, expected, atol=2e-4)
    kept = Known.of(state, whole)
    assert np.array_equal(kept.covariance, known.covariance) and kept.T_body_imu is state.T_body_imu
    assert not joined(np.eye(DIMENSION), known, state, gravity_by_imu=False)[GRAVITY, 17:].any()


def test_what_was_found_is_told_in_words_that_the_configuration_takes() -> None:
    both = ImuCalibration(
        T_base_imu=se3.from_xyz_rpy((0.1, -0.2, 0.3, 0.01, 0.02, -0.03)),
        time_offset_s=0.0103,
        mounting_sigmas=(0.001, 0.002, 0.001, 0.01, 0.02, 0.03),
        time_offset_sigma_s=0.001,
    )
    mounting = "T_base_imu [0.1000, -0.2000, 0.3000, 0.0100, 0.0200, -0.0300], within 0.11 deg and 0.030 m"
    assert in_words(both) == mounting + "; stamps +10.3 ms, within 1.0 ms"
    assert in_words(replace(both, time_offset_sigma_s=None)) == mounting

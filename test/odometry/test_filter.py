"""The filter's algebra against central differences, and its behaviour when the IMU misbehaves."""

from dataclasses import replace

import numpy as np
import pytest
from box_world import drive, errors_m, imu, replay, scan, street

from bev_loc.config import OdometryConfig
from bev_loc.geometry import se3, so3
from bev_loc.odometry.imu_buffer import ImuBuffer
from bev_loc.odometry.inertial_model import felt_at_rest
from bev_loc.odometry.lio import Lio
from bev_loc.odometry.propagate import ImuNoise, Readings, propagate
from bev_loc.odometry.state import ACC_BIAS, DIMENSION, GRAVITY, STANDARD_GRAVITY_M_S2, NavState, gravity_basis
from bev_loc.records import Dropped, ImuSample, LidarScan

QUIET = ImuNoise(gyro=0.0, acc=0.0, gyro_walk=0.0, acc_walk=0.0, turning=0.0, driving=0.0)
COUNT = 60


def some_state(rng: np.random.Generator) -> NavState:
    direction = rng.normal(size=3)
    return NavState(
        T_odom_body=se3.exp(rng.normal(size=6)),
        v_odom=rng.normal(0, 5, 3),
        gyro_bias=rng.normal(0, 0.01, 3),
        acc_bias=rng.normal(0, 0.1, 3),
        gravity_odom=STANDARD_GRAVITY_M_S2 * direction / np.linalg.norm(direction),
    )


@pytest.mark.parametrize("seed", range(10))
def test_minus_undoes_plus(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state, error = some_state(rng), rng.normal(0, 0.3, DIMENSION)
    assert np.allclose(state.plus(error).minus(state), error, atol=1e-9)


def test_gravity_keeps_its_length_and_its_basis_is_across_it() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        state = some_state(rng)
        basis = gravity_basis(state.gravity_odom)
        assert np.allclose(basis.T @ basis, np.eye(2)) and np.allclose(basis.T @ state.gravity_odom, 0)
        turned = state.plus(rng.normal(0, 0.5, DIMENSION)).gravity_odom
        assert np.isclose(np.linalg.norm(turned), STANDARD_GRAVITY_M_S2)


def test_the_axes_of_gravity_hardly_turn_with_it_near_the_plumb_line() -> None:
    """Its covariance is kept in them: axes that leap would make it another one."""
    rng = np.random.default_rng(7)
    down = np.array([0.0, 0.0, -STANDARD_GRAVITY_M_S2])
    for _ in range(50):
        a, b = (gravity_basis(so3.exp(rng.normal(0, 0.1, 3)) @ down) for _ in range(2))
        assert np.abs(a.T @ b - np.eye(2)).max() < 0.1


@pytest.mark.parametrize("missing", [False, True])
def test_the_propagation_of_errors_is_that_of_central_differences(missing: bool) -> None:
    rng = np.random.default_rng(2)
    state = some_state(rng)
    readings = Readings(
        durations_s=np.full(8, 0.01),
        gyro_rad_s=rng.normal(0, 1, (8, 3)),
        acc_m_s2=rng.normal(0, 5, (8, 3)),
        missing=np.array([False, False, missing, missing, False, False, missing, False]),
    )
    nominal = propagate(state, np.zeros((DIMENSION, DIMENSION)), readings, QUIET).state
    step = 1e-6
    jacobian = np.empty((DIMENSION, DIMENSION))
    for axis in range(DIMENSION):
        ends = [
            propagate(state.plus(sign * step * np.eye(DIMENSION)[axis]), np.zeros((DIMENSION, DIMENSION)), readings, QUIET)
            for sign in (1, -1)
        ]
        jacobian[:, axis] = (ends[0].state.minus(nominal) - ends[1].state.minus(nominal)) / (2 * step)
    for axis in range(DIMENSION):  # a covariance of one direction comes out as the outer product of its column
        covariance = np.zeros((DIMENSION, DIMENSION))
        covariance[axis, axis] = 1.0
        carried = propagate(state, covariance, readings, QUIET).covariance
        assert np.allclose(carried, np.outer(jacobian[:, axis], jacobian[:, axis]), atol=3e-4)


def test_ideal_samples_carry_the_pose_along_the_drive() -> None:
    begin_s, end_s = 1.0, 4.0
    buffer = ImuBuffer()
    for sample in imu(begin_s - 0.1, end_s + 0.1):
        buffer.add(sample)
    readings = buffer.between(round(begin_s * 1e9), round(end_s * 1e9), np.zeros(3))
    h = 1e-4
    state = NavState(
        T_odom_body=drive(begin_s),
        v_odom=(drive(begin_s + h)[:3, 3] - drive(begin_s - h)[:3, 3]) / (2 * h),
        gyro_bias=np.zeros(3),
        acc_bias=np.zeros(3),
        gravity_odom=np.array([0, 0, -STANDARD_GRAVITY_M_S2]),
    )
    metres, radians = se3.distance(propagate(state, np.eye(DIMENSION), readings, QUIET).state.T_odom_body, drive(end_s))
    assert metres < 0.01 and radians < 1e-3


def test_noise_makes_the_covariance_grow_and_a_gap_makes_it_grow_faster() -> None:
    noise = ImuNoise(gyro=1e-3, acc=1e-2, gyro_walk=1e-5, acc_walk=1e-4)
    state = some_state(np.random.default_rng(3))
    whole = Readings(
        durations_s=np.full(20, 0.005), gyro_rad_s=np.zeros((20, 3)), acc_m_s2=np.ones((20, 3)), missing=np.zeros(20, bool)
    )
    gap = replace(whole, missing=np.ones(20, bool))
    start = 1e-6 * np.eye(DIMENSION)
    kept, lost = propagate(state, start, whole, noise).covariance, propagate(state, start, gap, noise).covariance
    assert np.trace(start) < np.trace(kept) < np.trace(lost)
    assert np.linalg.eigvalsh(kept).min() > 0


@pytest.fixture(scope="module")
def samples() -> list[ImuSample]:
    return imu(-0.2, 0.1 * COUNT + 0.1, noise=np.random.default_rng(4))


def run(sweeps: list[LidarScan], samples: list[ImuSample]) -> tuple[np.ndarray, list[str], Lio]:
    """Position errors (N,), reasons, and the odometry."""
    lio, reasons = Lio(OdometryConfig()), []
    results = replay(lio, sweeps, samples)
    for result in results:
        reasons += [result.kind] if isinstance(result, Dropped) else result.health.reasons
    return errors_m(results), reasons, lio


def test_the_filter_starts_and_follows_the_drive(sweeps: list[LidarScan], samples: list[ImuSample]) -> None:
    errors, reasons, lio = run(sweeps, samples)
    assert lio._inertial.started and reasons == []
    assert errors.max() < 0.08
    assert np.abs(lio._inertial.state.gyro_bias - [0.004, -0.002, 0.003]).max() < 0.003


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda samples: [s for s in samples if not 2.5 < s.stamp_ns * 1e-9 < 4.1], "no imu samples"),
        (lambda samples: [s for s in samples if s.stamp_ns * 1e-9 < 3.0], "no imu samples"),
        (lambda samples: [replace(s, acc_m_s2=s.acc_m_s2 / STANDARD_GRAVITY_M_S2) for s in samples], None),
        (lambda samples: [s for s in samples for _ in range(2)], None),
        (lambda samples: [replace(s, gyro_rad_s=s.gyro_rad_s * np.nan) if k % 3 else s for k, s in enumerate(samples)], None),
        (lambda samples: [replace(s, acc_m_s2=np.clip(s.acc_m_s2, -9.0, 9.0)) for s in samples], None),
        (
            lambda samples: [
                replace(s, gyro_rad_s=s.gyro_rad_s + 20.0) if 3.0 < s.stamp_ns * 1e-9 < 3.02 else s for s in samples
            ],
            "imu contradicts the scan",
        ),
        (
            lambda samples: [
                replace(s, stamp_ns=s.stamp_ns - 50_000_000) if 3.0 < s.stamp_ns * 1e-9 < 3.05 else s for s in samples
            ],
            None,
        ),
    ],
    ids=["gap of 1.6 s", "stops", "in g", "doubled", "NaN", "saturated", "gyro spike", "stamps back"],
)
def test_an_imu_fault_is_survived_and_said(
    sweeps: list[LidarScan], samples: list[ImuSample], fault: "callable", reason: str | None
) -> None:
    errors, reasons, lio = run(sweeps, fault(samples))
    assert len(errors) == COUNT and errors.max() < 0.15
    assert reason is None or reason in reasons


def test_a_scan_gap_of_a_second_is_bridged(sweeps: list[LidarScan], samples: list[ImuSample]) -> None:
    errors, _, _ = run(sweeps[:25] + sweeps[35:], samples)
    assert errors.max() < 0.15


def test_both_missing_for_half_a_second_in_an_imu_gap_is_bridged(sweeps: list[LidarScan], samples: list[ImuSample]) -> None:
    gap = [s for s in samples if not 2.5 < s.stamp_ns * 1e-9 < 4.1]
    errors, _, _ = run(sweeps[:30] + sweeps[35:], gap)
    assert errors[-10:].max() < 0.15


def test_an_imu_at_rest_starts_the_filter_within_three_scans_without_sliding() -> None:
    rng = np.random.default_rng(6)
    T = drive(0.0)
    still = [scan(street(), lambda t_s: T, 0.1 * k, rng) for k in range(6)]
    up = T[:3, :3].T @ [0.0, 0.0, STANDARD_GRAVITY_M_S2]
    samples = [
        ImuSample(stamp_ns=5_000_000 * k - 200_000_000, gyro_rad_s=rng.normal(0.005, 0.003, 3), acc_m_s2=up + rng.normal(0, 0.04, 3))
        for k in range(170)
    ]
    lio, started, waiting = Lio(OdometryConfig()), [], list(samples)
    for one in still:
        while waiting and waiting[0].stamp_ns <= one.stamp_ns + 10**8:
            lio.on_imu(waiting.pop(0))
        result = lio.on_scan(one)
        started.append(lio._inertial.started)
    assert started[3] and np.linalg.norm(lio._inertial.state.v_odom) < 0.05
    assert np.abs(lio._inertial.state.gyro_bias - 0.005).max() < 0.002
    assert np.linalg.norm(result.T_odom_base[:3, 3]) < 0.02


def test_what_a_start_at_rest_does_not_know_of_gravity_is_what_it_does_not_know_of_the_accelerometer() -> None:
    rng, sigma, count = np.random.default_rng(8), 0.1, 30
    R, covariance, lengths, gains = drive(0.0)[:3, :3] @ so3.exp(np.array([0.02, -0.03, 0.0])), np.eye(DIMENSION), [], []
    covariance[ACC_BIAS, ACC_BIAS] *= sigma**2
    for _ in range(300):
        bias, gravity = rng.normal(0, sigma, 3), np.array([0.0, 0.0, -STANDARD_GRAVITY_M_S2])
        acc = bias - R.T @ gravity + rng.normal(0, 0.2, (count, 3))
        felt = -R @ acc.mean(0)
        felt *= STANDARD_GRAVITY_M_S2 / np.linalg.norm(felt)
        state = NavState(
            T_odom_body=se3.from_parts(R, np.zeros(3)), v_odom=np.zeros(3), gyro_bias=np.zeros(3), acc_bias=np.zeros(3), gravity_odom=felt
        )
        resting = Readings(
            durations_s=np.full(count, 0.01), gyro_rad_s=np.zeros((count, 3)), acc_m_s2=acc, missing=np.zeros(count, bool)
        )
        P = felt_at_rest(covariance, state, resting, hidden_m_s2=0.0)
        error = replace(state, gravity_odom=gravity, acc_bias=bias).minus(state)
        some = np.r_[ACC_BIAS, GRAVITY]
        lengths.append(error[some] @ np.linalg.solve(P[np.ix_(some, some)], error[some]))
        to_gain = np.zeros((3, DIMENSION))  # of speed, by what is off, when it drives off
        to_gain[:, ACC_BIAS], to_gain[:, GRAVITY] = -R, -so3.hat(felt) @ gravity_basis(felt)
        gains.append(np.sqrt(np.diag(to_gain @ P @ to_gain.T))[:2])
    assert np.mean(lengths) == pytest.approx(5.0, abs=0.6)  # five degrees of freedom
    assert np.mean(gains) == pytest.approx(0.2 / np.sqrt(count), rel=0.1)  # the noise alone, not the bias

"""A wrong IMU mounting is found out and said; a right one never is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from box_world import drive, imu

from bev_loc.config import InputConfig, OdometryConfig
from bev_loc.geometry import se3, so3
from bev_loc.odometry.imu_buffer import ImuBuffer
from bev_loc.odometry.lio import Lio
from bev_loc.odometry.mounting import WRONG, MountingCheck, speed_rows, turn_rows
from bev_loc.odometry.poses import Pose
from bev_loc.odometry.state import STANDARD_GRAVITY_M_S2
from bev_loc.records import ImuSample
from bev_loc.sources.open import open_source

GRAVITY = np.array([0.0, 0.0, -STANDARD_GRAVITY_M_S2])


def turned(samples: list[ImuSample], turn: np.ndarray) -> list[ImuSample]:
    """As an IMU would measure whose axes are turned by `turn` against what the odometry was told."""
    R = so3.exp(-turn)
    return [replace(s, gyro_rad_s=R @ s.gyro_rad_s, acc_m_s2=R @ s.acc_m_s2) for s in samples]


def test_the_equations_are_those_of_central_differences() -> None:
    rng = np.random.default_rng(0)
    turn_imu, acc, durations_s = rng.normal(0, 0.1, 3), rng.normal(0, 5, (8, 3)), rng.uniform(0.05, 0.1, 8)
    R_odom_begin = so3.exp(rng.normal(size=3))
    R_begin_t = np.array([so3.exp(rng.normal(0, 0.1, 3)) for _ in range(8)])
    gained = rng.normal(0, 1, 3)

    def predicted(x: np.ndarray) -> np.ndarray:
        """What scans should say of an IMU with these errors."""
        R, total_s = so3.exp(x[:3]), durations_s.sum()
        speed = np.einsum("kij,kj,k->i", R_begin_t, (acc - x[6:9]) @ R.T, durations_s) + total_s * R_odom_begin.T @ x[9:12]
        return np.concatenate([R @ turn_imu - total_s * x[3:6], speed])

    turn = turn_rows(predicted(np.zeros(12))[:3], turn_imu, durations_s.sum())
    speed = speed_rows(gained, R_odom_begin, R_begin_t, acc, durations_s, GRAVITY)
    h = 1e-6
    numeric = np.stack([(predicted(h * e) - predicted(-h * e)) / (2 * h) for e in np.eye(12)], 1)
    assert np.allclose(np.vstack([turn.jacobian, speed.jacobian]), numeric, atol=1e-6)
    assert np.allclose(turn.values, 0.0)
    expected = R_odom_begin.T @ (gained - durations_s.sum() * GRAVITY) - predicted(np.zeros(12))[3:]
    assert np.allclose(speed.values, expected)


def checked(samples: list[ImuSample], missing: Callable[[int], bool] = lambda k: False) -> MountingCheck:
    """After twenty seconds of the drive, its poses known to half a centimetre."""
    rng, buffer, check = np.random.default_rng(1), ImuBuffer(), MountingCheck()
    for sample in samples:
        buffer.add(sample)
    for k in range(200):
        noise = np.concatenate([rng.normal(0, 5e-4, 3), rng.normal(0, 5e-3, 3)])
        if missing(k):
            continue
        check.add(Pose(stamp_ns=k * 10**8, T_odom_body=drive(0.1 * k) @ se3.exp(noise)), buffer, GRAVITY)
    return check


@pytest.mark.parametrize("axis", [0, 1, 2], ids="xyz")
@pytest.mark.parametrize("degrees", [-5.0, 5.0])
def test_five_degrees_about_any_axis_are_found_and_measured(axis: int, degrees: float) -> None:
    turn = np.deg2rad(degrees) * np.eye(3)[axis]
    check = checked(turned(imu(-0.2, 20.2, noise=np.random.default_rng(4)), turn))
    assert check.wrong()
    assert np.rad2deg(np.linalg.norm(check.turn() - turn)) < 2.0


def test_a_right_mounting_and_one_off_by_a_degree_pass() -> None:
    for seed in range(4):
        assert not checked(imu(-0.2, 20.2, noise=np.random.default_rng(seed))).wrong()
    slightly = turned(imu(-0.2, 20.2, noise=np.random.default_rng(4)), np.array([0.0, 0.0, np.deg2rad(1.0)]))
    assert not checked(slightly).wrong()


@pytest.mark.parametrize("end", [45, 60, 80])
def test_holes_in_the_stream_of_scans_are_no_turn_of_the_imu(end: int) -> None:
    """While the vehicle gains speed, the mean velocity over a hole is not that at the pose before it."""
    samples = imu(-0.2, 20.2, noise=np.random.default_rng(4))
    check = checked(samples, missing=lambda k: 9 < k <= 29 or k > end)
    assert not check.wrong() and np.rad2deg(np.linalg.norm(check.turn())) < 2.5


@pytest.mark.parametrize(("fault", "said"), [("", False), (",faults=extrinsic@0:5", True)], ids=["right", "five degrees"])
def test_the_odometry_says_a_wrong_mounting_and_drives_on(fault: str, said: bool) -> None:
    source = open_source(f"sim:town,lidar=vlp16,seconds=16{fault}", InputConfig())
    lio, reasons = Lio(OdometryConfig(), T_base_lidar=source.T_base_lidar, T_base_imu=source.T_base_imu), set()
    for item in source.stream():
        if isinstance(item, ImuSample):
            lio.on_imu(item)
        else:
            result = lio.on_scan(item)
            reasons.update(result.health.reasons)
    truth = source.truth().T_truth_base
    driven_m = np.linalg.norm(truth[-1][:3, 3] - truth[0][:3, 3])
    assert reasons == ({WRONG} if said else set())
    assert abs(np.linalg.norm(result.T_odom_base[:3, 3]) - driven_m) < 0.5

"""The odometry on a street whose truth is known, on bad scans, and on real sweeps."""

from dataclasses import replace

import numpy as np
import pytest
from box_world import drive, errors_m, replay, scan, street

from bev_loc.config import OdometryConfig
from bev_loc.geometry import se3, so3
from bev_loc.odometry.lio import Lio
from bev_loc.odometry.start import WAITING
from bev_loc.records import Dropped, ImuSample, LidarScan, Odometry


def run(scans: list[LidarScan], **settings: object) -> list[Odometry | Dropped]:
    return replay(Lio(OdometryConfig(**settings)), scans, [])


def test_a_drive_with_acceleration_and_bumps_is_followed_within_a_decimetre(sweeps: list[LidarScan]) -> None:
    results = run(sweeps)
    assert not [result for result in results if isinstance(result, Dropped)]
    assert errors_m(results).max() < 0.10
    assert {reason for result in results for reason in result.health.reasons} == set()


def test_without_deskewing_the_same_drive_is_worse(sweeps: list[LidarScan]) -> None:
    undone, left = run(sweeps), run(sweeps, deskew="off")
    at_end = [replace(result, stamp_ns=result.stamp_ns + 10**8) for result in left]
    assert errors_m(undone).max() < 0.5 * errors_m(at_end).max()


def test_the_deskewed_cloud_lies_on_the_world(sweeps: list[LidarScan]) -> None:
    result = run(sweeps)[-1]
    T_world_base = drive(result.stamp_ns * 1e-9)
    ground = se3.apply(T_world_base, result.points_base)[:, 2]
    assert np.abs(ground[np.abs(ground) < 0.4]).mean() < 0.03


def test_the_same_scans_give_the_same_bytes(sweeps: list[LidarScan]) -> None:
    first, second = run(sweeps[:20]), run(sweeps[:20])
    assert b"".join(r.T_odom_base.tobytes() for r in first) == b"".join(r.T_odom_base.tobytes() for r in second)


def test_a_start_at_full_speed_is_caught_by_the_second_scan(sweeps: list[LidarScan]) -> None:
    results = run(sweeps[45:])
    assert errors_m(results).max() < 0.10


def test_a_start_at_motorway_speed_is_caught_by_the_second_scan() -> None:
    rng = np.random.default_rng(4)
    fast = [scan(street(), lambda t_s: se3.from_xyz_rpy((25.0 * t_s, 0, 1.8, 0, 0, 0)), 0.1 * k, rng) for k in range(3)]
    results = run(fast)
    assert abs(np.linalg.norm(results[1].v_odom_base) - 25.0) < 0.5
    assert abs(np.linalg.norm(results[2].T_odom_base[:3, 3]) - 5.0) < 0.1


def test_scans_that_come_less_often_from_now_on_are_missing_only_until_that_is_usual(sweeps: list[LidarScan]) -> None:
    reasons = [result.health.reasons for result in run([*sweeps[:12], *sweeps[12::4]])]
    assert ("scans missing",) in reasons and reasons[-4:] == [()] * 4


def test_a_lidar_mounted_aside_gives_the_motion_of_the_base(sweeps: list[LidarScan]) -> None:
    T_base_lidar = se3.from_xyz_rpy((1.0, 0.3, 0.5, 0.0, 0.0, np.pi / 2))
    lio = Lio(OdometryConfig(), T_base_lidar=T_base_lidar)
    results = [lio.on_scan(one) for one in sweeps[:30]]
    truth = [drive(result.stamp_ns * 1e-9) @ se3.inverse(T_base_lidar) for result in results]
    expected = se3.inverse(truth[0]) @ truth[-1]
    estimate = se3.inverse(results[0].T_odom_base) @ results[-1].T_odom_base
    metres, radians = se3.distance(expected, estimate)
    assert metres < 0.1 and radians < 0.005


def test_the_start_is_levelled_by_the_ground_without_an_imu() -> None:
    rng = np.random.default_rng(1)
    tilted = se3.from_parts(so3.from_rpy(0.05, -0.08, 0.4), np.array([0, 0, 1.8]))
    result = Lio(OdometryConfig()).on_scan(scan(street(), lambda t_s: tilted, 0.0, rng))
    roll, pitch, yaw = so3.to_rpy(result.T_odom_base[:3, :3])
    assert abs(roll - 0.05) < 0.01 and abs(pitch + 0.08) < 0.01 and abs(yaw) < 0.01


def test_an_imu_at_rest_levels_the_start_by_gravity(sweeps: list[LidarScan]) -> None:
    lio = Lio(OdometryConfig())
    R_odom_imu = so3.from_rpy(0.1, -0.06, 0.0)
    for k in range(40):
        up = R_odom_imu.T @ np.array([0.0, 0.0, 9.81])
        lio.on_imu(ImuSample(stamp_ns=k * 5_000_000 - 200_000_000, gyro_rad_s=np.zeros(3), acc_m_s2=up))
    held = lio.on_scan(replace(sweeps[0], stamp_ns=0))
    assert isinstance(held, Dropped) and held.kind == WAITING  # the ground says otherwise, while it may be in motion
    result = lio.on_scan(replace(sweeps[0], stamp_ns=100_000_000))
    assert np.allclose(result.T_odom_base[:3, :3], R_odom_imu, atol=1e-3)
    assert "gravity" in lio.start_note


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (lambda s: replace(s, points_lidar=s.points_lidar[:0], offsets_s=s.offsets_s[:0]), "too few points"),
        (lambda s: replace(s, points_lidar=np.full_like(s.points_lidar, np.nan)), "too few points"),
        (lambda s: replace(s, points_lidar=np.full_like(s.points_lidar, 7.0)), "too few points"),
        (lambda s: replace(s, points_lidar=s.points_lidar * 1e-3), "too few points"),
        (lambda s: replace(s, stamp_ns=s.stamp_ns - 10**9), "stamp went back"),
        (lambda s: replace(s, offsets_s=s.offsets_s * 1e6), "implausible point times"),
    ],
)
def test_a_bad_scan_is_dropped_with_its_reason_and_the_rest_goes_on(
    sweeps: list[LidarScan], fault: "callable", kind: str
) -> None:
    broken = list(sweeps)
    broken[20] = fault(sweeps[20])
    results = run(broken)
    assert isinstance(results[20], Dropped) and results[20].kind == kind
    assert results[20].where == sweeps[20].name
    left = [result for k, result in enumerate(results) if k != 20]
    assert all(isinstance(result, Odometry) for result in left)
    assert errors_m(left).max() < 0.10


def test_nan_and_infinite_points_are_left_out_and_times_stay_aligned(sweeps: list[LidarScan]) -> None:
    rng = np.random.default_rng(5)
    broken = []
    for one in sweeps:
        points = one.points_lidar.copy()
        chosen = rng.random(len(points))
        points[chosen < 0.3] = np.nan
        points[chosen > 0.8] = np.inf
        broken.append(replace(one, points_lidar=points))
    assert errors_m(run(broken)).max() < 0.10


def test_scans_that_fit_nowhere_are_coasted_over_and_then_the_map_starts_again(sweeps: list[LidarScan]) -> None:
    rng = np.random.default_rng(2)
    lio = Lio(OdometryConfig())
    for one in sweeps[:10]:
        lio.on_scan(one)
    reasons = []
    for one in sweeps[10:30]:
        elsewhere = rng.uniform(-40, 40, (400, 3)).astype(np.float32) + np.float32([0, 0, 60])
        result = lio.on_scan(replace(one, points_lidar=elsewhere, offsets_s=None))
        reasons += result.health.reasons
    assert "coasting: too few plane matches" in reasons and "local map restarted" in reasons


def test_real_sweeps_at_a_red_light_stay_in_place(data) -> None:
    from bev_loc.config import InputConfig
    from bev_loc.sources.open import open_source

    lio = Lio(OdometryConfig(min_range_m=5.0))
    positions = []
    for item in open_source(str(data / "hdl64_city"), InputConfig()).stream():
        result = lio.on_scan(item)
        positions.append(result.T_odom_base[:3, 3])
        if len(positions) == 170:
            break
    assert np.linalg.norm(np.array(positions) - positions[0], axis=1).max() < 0.05

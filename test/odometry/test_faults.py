"""The fault table: what a bad scan, a long stop or a bad mounting must and must not change."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from box_world import drive, errors_m, imu, replay, scan, street

from bev_loc.config import OdometryConfig
from bev_loc.odometry.lio import Lio
from bev_loc.odometry.state import STANDARD_GRAVITY_M_S2
from bev_loc.records import Dropped, ImuSample, LidarScan, Odometry

COUNT = 60


def run(scans: list[LidarScan], samples: list[ImuSample]) -> list[Odometry | Dropped]:
    return replay(Lio(OdometryConfig()), scans, samples)


def some_points(one: LidarScan, keep: np.ndarray) -> LidarScan:
    return replace(one, points_lidar=one.points_lidar[keep], offsets_s=one.offsets_s[keep])


def half_nan(one: LidarScan, rng: np.random.Generator) -> LidarScan:
    points = one.points_lidar.copy()
    points[rng.random(len(points)) < 0.5] = np.nan
    return replace(one, points_lidar=points)


@pytest.mark.parametrize(
    ("fault", "limit_m"),
    [
        (half_nan, 0.10),
        (lambda one, rng: some_points(one, np.sort(rng.choice(len(one.points_lidar), 1000, replace=False))), 0.20),
        (
            lambda one, rng: (
                some_points(one, np.sort(rng.choice(len(one.points_lidar), 200, replace=False))) if one.stamp_ns > 3e9 else one
            ),
            0.30,
        ),
    ],
    ids=["half of the points NaN", "1000 points a scan", "200 points a scan after three seconds"],
)
def test_thin_scans_with_an_imu_keep_the_track(
    sweeps: list[LidarScan], fault: Callable[[LidarScan, np.random.Generator], LidarScan], limit_m: float
) -> None:
    rng = np.random.default_rng(1)
    results = run([fault(one, rng) for one in sweeps], imu(-0.2, 0.1 * COUNT + 0.1, noise=np.random.default_rng(4)))
    assert all(isinstance(result, Odometry) for result in results)
    assert errors_m(results).max() < limit_m


def test_two_hundred_points_a_scan_without_an_imu_are_said_when_they_do_not_do(sweeps: list[LidarScan]) -> None:
    rng = np.random.default_rng(2)
    thin = [some_points(one, np.sort(rng.choice(len(one.points_lidar), 200, replace=False))) for one in sweeps]
    results = run(thin, [])
    assert all(isinstance(result, Odometry) for result in results)
    reasons = {reason for result in results for reason in result.health.reasons}
    assert errors_m(results).max() < 0.5 or "coasting: too few plane matches" in reasons


def test_a_scan_that_comes_twice_is_dropped_once_and_changes_nothing(sweeps: list[LidarScan]) -> None:
    samples = imu(-0.2, 0.1 * COUNT + 0.1, noise=np.random.default_rng(4))
    once = run(sweeps[:30], samples)
    twice = run([one for one in sweeps[:30] for _ in range(2)], samples)
    dropped = [result for result in twice if isinstance(result, Dropped)]
    assert len(dropped) == 30 and {one.kind for one in dropped} == {"stamp went back"}
    kept = [result for result in twice if isinstance(result, Odometry)]
    assert all(np.array_equal(a.T_odom_base, b.T_odom_base) for a, b in zip(once, kept, strict=True))


def test_ten_minutes_of_standstill_move_nothing(sweeps: list[LidarScan]) -> None:
    rng = np.random.default_rng(3)
    T = drive(0.0)
    views = [scan(street(), lambda t_s: T, 0.0, rng) for _ in range(5)]
    up = T[:3, :3].T @ [0.0, 0.0, STANDARD_GRAVITY_M_S2]
    lio, positions, at_ns = Lio(OdometryConfig()), [], 0
    for k in range(600):
        while at_ns < k * 10**9 + 10**8:
            noisy = ImuSample(stamp_ns=at_ns, gyro_rad_s=rng.normal(0.004, 0.003, 3), acc_m_s2=up + rng.normal(0, 0.04, 3))
            lio.on_imu(noisy)
            at_ns += 25_000_000
        result = lio.on_scan(replace(views[k % 5], stamp_ns=k * 10**9))
        positions.append(result.T_odom_base[:3, 3])
    assert np.linalg.norm(np.array(positions) - positions[0], axis=1).max() < 0.05
    assert np.linalg.norm(result.v_odom_base) < 0.05


def test_an_imu_gap_at_the_start_while_driving_is_bridged_and_the_filter_starts_after_it(sweeps: list[LidarScan]) -> None:
    late = [s for s in imu(2.5, 0.1 * COUNT + 0.1, noise=np.random.default_rng(4)) if s.stamp_ns * 1e-9 > 2.5 + 1.9]
    results = run(sweeps[25:], late)
    assert errors_m(results).max() < 0.15

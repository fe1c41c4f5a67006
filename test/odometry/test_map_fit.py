"""When the local map is left: a vehicle that was carried away is somewhere else at another speed, and its IMU felt nothing."""

from dataclasses import replace

import numpy as np
from box_world import drive, errors_m, imu, imu_along, replay, scan, street

from bev_loc.config import OdometryConfig
from bev_loc.geometry import se3
from bev_loc.odometry.lio import Lio
from bev_loc.odometry.map_fit import ELSEWHERE, RESTARTED, MapFit
from bev_loc.odometry.update import Registration
from bev_loc.records import LidarScan

CARRIED = 40  # the sweep of the drive that comes at once, at 8 m/s, after two seconds of rest in another street
RESTING = 20


def parked(t_s: float) -> np.ndarray:
    return drive(0.0)


def fit(points: int, matches: int) -> Registration:
    return replace(Registration.given(np.eye(4)), points=points, matches=matches)


def test_a_vehicle_that_is_carried_off_from_rest_into_a_moving_one_finds_its_speed_again(sweeps: list[LidarScan]) -> None:
    rng, boxes, noise = np.random.default_rng(6), street(seed=8), np.random.default_rng(4)
    views = [scan(boxes, parked, 0.0, rng) for _ in range(4)]
    at_rest = [replace(views[k % 4], stamp_ns=k * 10**8) for k in range(CARRIED - RESTING, CARRIED)]
    samples = imu_along(parked, 0.1 * (CARRIED - RESTING) - 0.5, 0.1 * CARRIED - 1e-6, 200.0, noise)
    samples += imu(0.1 * CARRIED, 0.1 * len(sweeps) + 0.1, noise=noise)
    results = replay(Lio(OdometryConfig()), at_rest + sweeps[CARRIED:], samples)
    before, after = results[:RESTING], results[RESTING:]
    assert not any(one.health.reasons for one in before)
    assert after[0].health.reasons == (ELSEWHERE,)  # and the IMU is not blamed for it
    assert [k for k, one in enumerate(after) if RESTARTED in one.health.reasons] == [1]
    assert se3.distance(before[-1].T_odom_base, after[1].T_odom_base)[1] < 0.05  # odom stays level
    assert errors_m(after[2:]).max() < 0.1
    assert abs(np.linalg.norm(after[-1].v_odom_base[:2]) - 8.0) < 0.5
    assert not any(one.health.reasons for one in after[2:])


def test_a_gap_that_the_imu_bridges_keeps_the_map_however_little_of_it_is_seen_again(sweeps: list[LidarScan]) -> None:
    near = [one for one in sweeps if not 3.45 < one.stamp_ns * 1e-9 < 5.25]
    for k, one in enumerate(near):
        seen = np.linalg.norm(one.points_lidar, axis=1) < 12.0
        near[k] = replace(one, points_lidar=one.points_lidar[seen], offsets_s=one.offsets_s[seen])
    results = replay(Lio(OdometryConfig()), near, imu(-0.2, 6.1, noise=np.random.default_rng(4)))
    share = [one.health.matches / one.health.points_used for one in results[1:]]
    assert min(share[34:36]) < 0.5 * share[33]  # the gap is of the kind that is meant
    assert {reason for one in results[2:] for reason in one.health.reasons} == {"scans missing"}
    assert errors_m(results).max() < 0.15


def test_two_scans_in_a_row_of_which_little_fits_are_hopeless_and_one_is_not() -> None:
    is_like = MapFit()
    assert is_like.take(fit(1000, 800)) == ()
    assert is_like.take(fit(1000, 300)) == (ELSEWHERE,) and not is_like.fitted and not is_like.hopeless
    assert is_like.take(fit(1000, 700)) == () and is_like.fitted
    assert is_like.take(fit(1000, 300)) == is_like.take(fit(1000, 300)) == (ELSEWHERE,) and is_like.hopeless
    is_like.forget()
    assert is_like.take(fit(1000, 300)) == () and is_like.fitted


def test_a_covered_lidar_is_not_elsewhere() -> None:
    is_like = MapFit()
    is_like.take(fit(1000, 800))
    assert is_like.take(fit(300, 60)) == () and is_like.fitted

"""Real recordings: what comes out looks like what a car with a spinning lidar saw."""

from itertools import islice, pairwise

import numpy as np

from bev_loc.config import InputConfig
from bev_loc.records import LidarScan, Odometry
from bev_loc.sources.open import open_source


def check_sweep(scan: LidarScan, least_points: int) -> None:
    assert isinstance(scan, LidarScan) and len(scan.points_lidar) > least_points
    ranges_m = np.linalg.norm(scan.points_lidar, axis=1)
    assert ranges_m.max() < 500 and np.median(ranges_m) > 3
    # a street: most returns from below the sensor, the ground about 1.7 m (KITTI's car) below it
    assert -2.5 < np.percentile(scan.points_lidar[:, 2], 20) < -0.8


def test_the_raw_drive_has_forty_sweeps_with_times_from_the_azimuth(data):
    source = open_source(str(data / "kitti_raw"), InputConfig())
    scans = list(source.stream())
    assert len(scans) == source.scan_count == 40
    for k, scan in enumerate(scans):
        check_sweep(scan, 100_000)
        assert scan.stamp_ns == k * 100_000_000
        assert 0 <= scan.offsets_s.min() < 0.001 and 0.099 < scan.offsets_s.max() <= 0.1
    assert any("10 scans per second assumed" in note for note in source.notes)


def test_the_first_range_images_are_sweeps_of_a_tenth_of_a_second(data):
    source = open_source(str(data / "hdl64_city"), InputConfig())
    assert source.scan_count == 501
    scans = list(islice(source.stream(), 5))
    for scan in scans:
        check_sweep(scan, 40_000)
        assert 0.100 < scan.offsets_s.max() - scan.offsets_s.min() < 0.108
    for before, after in pairwise(scans):
        assert 100_000_000 < after.stamp_ns - before.stamp_ns < 108_000_000
    # the same wall from the same place (a red light): the images differ by noise, not by a wrong axis
    assert abs(np.median(scans[0].points_lidar, axis=0) - np.median(scans[1].points_lidar, axis=0)).max() < 0.3


def test_scans_of_the_odometry_set_are_compensated_and_spaced_by_their_numbers(data):
    source = open_source(str(data / "kitti_scans/00"), InputConfig())
    scans = list(source.stream())
    assert [scan.stamp_ns for scan in scans] == [0, 100_000_000, 10_400_000_000, 10_500_000_000]
    for scan in scans:
        check_sweep(scan, 100_000)
        assert scan.offsets_s is None


def test_a_lap_of_keyframes_has_its_poses_and_times(data):
    source = open_source(str(data / "mulran_riverside02/lap1.npz"), InputConfig())
    keyframes = list(source.stream())
    assert len(keyframes) == 281 and all(isinstance(keyframe, Odometry) for keyframe in keyframes)
    steps_m = [np.linalg.norm((b.T_odom_base - a.T_odom_base)[:3, 3]) for a, b in pairwise(keyframes)]
    assert 5 < np.median(steps_m) < 7
    assert all(a.stamp_ns < b.stamp_ns for a, b in pairwise(keyframes))
    assert all(np.isfinite(keyframe.points_base).all() and len(keyframe.points_base) > 2000 for keyframe in keyframes)

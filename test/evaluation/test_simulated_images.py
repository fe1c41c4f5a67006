"""Images along a simulated drive: where they say they were taken, level, and alike for two LiDARs."""

import numpy as np
import pytest

from bev_loc.config import BevConfig
from bev_loc.geometry import so3

pytest.importorskip("open3d", reason="open3d absent: pip install 'bev_loc[sim]'")

from bev_loc.evaluation.simulated_images import SeenPlace, drive_along  # noqa: E402
from bev_loc.geometry.trajectory import path_length_m  # noqa: E402
from bev_loc.sim.options import parse  # noqa: E402
from bev_loc.sim.simulation import simulate  # noqa: E402

DRIVE, SPACING_M = "carpark,seconds=6,imu=0", 4.0


def scans_of(places: list[SeenPlace]) -> tuple[np.ndarray, np.ndarray]:
    """(K,) which scan of the drive each image is of, and (N,) the path driven when each scan began."""
    simulation = simulate(parse(DRIVE))
    period_s = 1.0 / simulation.lidar.rate_hz
    begins_s = simulation.begin_s + period_s * np.arange(simulation.scan_count)
    ends_m = simulation.drive.poses(begins_s + period_s)[:, :3, 3]
    off_m = np.linalg.norm(np.stack([place.T_world_level[:3, 3] for place in places])[:, None] - ends_m, axis=2)
    assert off_m.min(axis=1).max() < 1e-6
    return off_m.argmin(axis=1), path_length_m(simulation.drive.poses(begins_s))


def test_images_are_spaced_level_and_show_the_same_walls_to_two_lidars():
    bev = BevConfig(range_m=25.6)
    dense, sparse = (drive_along(f"{DRIVE},lidar={lidar}", SPACING_M, bev) for lidar in ("os1-128", "os1-64"))
    taken, path_m = scans_of(dense)
    assert len(dense) > 2 and taken[0] == 0
    due_m = SPACING_M * np.arange(1, len(dense))
    assert (path_m[taken[1:]] >= due_m).all() and (path_m[taken[1:] - 1] < due_m).all()  # the first scan after each 4 m
    assert path_m[-1] < SPACING_M * len(dense)
    roll_pitch = np.array([so3.to_rpy(place.T_world_level[:3, :3])[:2] for place in dense])
    np.testing.assert_allclose(roll_pitch, 0.0, atol=1e-6)
    for one, other in zip(dense, sparse, strict=True):
        np.testing.assert_array_equal(one.T_world_level, other.T_world_level)
        tall = other.image.counts >= 3
        assert tall.sum() > 50 and (one.image.counts[tall] > 0).mean() > 0.95


def test_a_sensor_that_looks_ahead_also_shows_what_it_passed():
    bev = BevConfig(range_m=25.6)
    passed, lone = (drive_along(f"{DRIVE},lidar=livox", SPACING_M, bev, lone_scans=lone) for lone in (False, True))
    behind = (slice(70, 110), slice(40, 89))  # rows grow backwards; the sensor is at 64, 64
    np.testing.assert_array_equal(passed[0].image.counts, lone[0].image.counts)
    assert not lone[-1].image.counts[behind].any()
    assert np.count_nonzero(passed[-1].image.counts[behind]) > 50
    assert (passed[-1].image.counts >= lone[-1].image.counts).all()

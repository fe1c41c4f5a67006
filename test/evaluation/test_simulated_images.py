"""Images along a simulated drive: where they say they were taken, level, and alike for two LiDARs."""

import numpy as np
import pytest

from bev_loc.config import BevConfig
from bev_loc.geometry import so3

pytest.importorskip("open3d", reason="open3d absent: pip install 'bev_loc[sim]'")

from bev_loc.evaluation.simulated_images import drive_along  # noqa: E402


def test_images_are_spaced_level_and_show_the_same_walls_to_two_lidars():
    bev = BevConfig(range_m=25.6)
    dense, sparse = (drive_along(f"carpark,seconds=6,imu=0,lidar={lidar}", 4.0, bev) for lidar in ("os1-128", "os1-64"))
    positions_m = np.stack([place.T_world_level[:3, 3] for place in dense])
    np.testing.assert_allclose(np.linalg.norm(np.diff(positions_m, axis=0), axis=1), 4.0, atol=0.8)  # a scan's way more or less
    roll_pitch = np.array([so3.to_rpy(place.T_world_level[:3, :3])[:2] for place in dense])
    np.testing.assert_allclose(roll_pitch, 0.0, atol=1e-6)
    for one, other in zip(dense, sparse, strict=True):
        np.testing.assert_array_equal(one.T_world_level, other.T_world_level)
        tall = other.image.counts >= 3
        assert tall.sum() > 50 and (one.image.counts[tall] > 0).mean() > 0.95

"""How far apart a lidar's rings are, and that what one ring sees of a crown is no plane."""

import numpy as np
import pytest

from bev_loc.odometry.local_map import LayeredMap
from bev_loc.odometry.residuals import PlaneMatches
from bev_loc.odometry.rings import Rays, ring_spacing_rad
from bev_loc.sim.lidar import preset


@pytest.mark.parametrize(
    ("name", "spacing_deg"), [("vlp16", 2.0), ("hdl32", 1.333), ("os1-64", 0.714), ("hdl64", 0.0), ("os1-128", 0.0), ("livox", 0.0)]
)
def test_the_spacing_of_sparse_rings_is_found_and_dense_ones_have_none(name: str, spacing_deg: float) -> None:
    directions = preset(name).directions
    ranges = np.random.default_rng(0).uniform(2.0, 80.0, (len(directions), 1))
    assert np.isclose(np.rad2deg(ring_spacing_rad((ranges * directions).astype(np.float32))), spacing_deg, atol=0.02)


def test_points_that_are_missing_or_few_tell_no_spacing() -> None:
    assert ring_spacing_rad(np.full((5000, 3), np.nan, np.float32)) == 0.0
    assert ring_spacing_rad(np.zeros((0, 3), np.float32)) == 0.0


def crown(rng: np.random.Generator, pitch_rad: float) -> np.ndarray:
    """(N, 3) what the level ring of a lidar sees of a crown 40 m ahead: points at any depth, in the ring's plane."""
    azimuth, range_m = rng.uniform(-0.05, 0.05, 600), rng.uniform(38.0, 42.0, 600)
    flat = np.stack([range_m * np.cos(azimuth), range_m * np.sin(azimuth), -np.sin(pitch_rad) * range_m], -1)
    return (flat + rng.normal(0, 0.005, flat.shape)).astype(np.float32)


def test_what_one_ring_sees_of_a_crown_gives_no_plane_and_a_wall_does() -> None:
    rng = np.random.default_rng(1)
    local_map = LayeredMap(1.0, 100.0)
    local_map.add(crown(rng, 0.0), np.zeros(3))
    wall = np.stack(np.meshgrid([10.0], np.arange(-3, 3, 0.1), np.arange(0, 2, 0.35), indexing="ij"), -1).reshape(-1, 3)
    local_map.add(wall.astype(np.float32), np.zeros(3))

    def planes(points: np.ndarray, spacing_deg: float) -> int:
        matches = PlaneMatches(np.ones(len(points), np.float32), Rays(spacing_rad=np.deg2rad(spacing_deg)))
        matches.search(points, np.eye(4), local_map.layers)
        return int(matches._planes.any(1).sum())

    turned = crown(rng, 5e-4)
    assert planes(turned, 0.0) > 0.5 * len(turned)  # the pull that holds the attitude
    assert planes(turned, 2.0) == 0
    inner = wall[(np.abs(wall[:, 1]) < 2) & (np.abs(wall[:, 2] - 0.9) < 0.5)].astype(np.float32)
    assert planes(inner, 2.0) == len(inner)

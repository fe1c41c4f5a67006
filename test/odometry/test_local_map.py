"""The local map against brute force, and its bounds."""

import numpy as np
from scipy.spatial import cKDTree

from bev_loc.odometry.local_map import POINTS_PER_VOXEL, LocalMap, nearest


def filled(points: np.ndarray, voxel_m: float = 1.0, radius_m: float = 100.0) -> LocalMap:
    local_map = LocalMap(voxel_m, radius_m)
    local_map.add(points, np.zeros(3))
    return local_map


def check_nearest_five(local_map: LocalMap, queries: np.ndarray) -> None:
    """Against a search through all points of the map."""
    tree = cKDTree(local_map.cloud())
    found_points, found_d2, room = np.empty((5, 3)), np.empty(5), np.empty((3, 3))
    for query in queries:
        distances, _ = tree.query(query, 5)
        expected = distances[distances < 1.0]
        found = nearest(
            query, 1.0, 1.0, local_map.table_keys, local_map.table_blocks, local_map.counts, local_map.points,
            found_points, found_d2, room,
        )  # fmt: skip
        assert found == len(expected)
        assert np.allclose(np.sqrt(found_d2[:found]), expected, atol=1e-5)
        assert np.allclose(np.linalg.norm(found_points[:found] - query, axis=1), expected, atol=1e-5)


def test_the_nearest_five_are_those_of_a_search_through_all_points() -> None:
    rng = np.random.default_rng(0)
    local_map = filled(rng.uniform(-12, 12, (20000, 3)).astype(np.float32))
    check_nearest_five(local_map, rng.uniform(-11, 11, (300, 3)))


def test_they_are_still_after_forgetting_what_is_far_and_after_forgetting_everything() -> None:
    rng = np.random.default_rng(4)
    local_map = LocalMap(1.0, 20.0)
    for x in np.arange(0.0, 60.0, 4.0):
        local_map.add((rng.uniform(-15, 15, (4000, 3)) + [x, 0, 0]).astype(np.float32), np.array([x, 0.0, 0.0]))
    check_nearest_five(local_map, rng.uniform(-10, 10, (200, 3)) + [56.0, 0, 0])
    local_map.clear()
    assert len(local_map) == len(local_map.cloud()) == 0
    local_map.add(rng.uniform(-9, 9, (9000, 3)).astype(np.float32), np.zeros(3))
    check_nearest_five(local_map, rng.uniform(-8, 8, (200, 3)))


def test_a_voxel_keeps_few_points_and_they_are_spread() -> None:
    points = np.random.default_rng(1).uniform(0, 1, (5000, 3)).astype(np.float32)
    kept = filled(points).cloud()
    assert 5 < len(kept) <= POINTS_PER_VOXEL
    gaps = np.linalg.norm(kept[:, None] - kept[None], axis=2)[~np.eye(len(kept), dtype=bool)]
    assert gaps.min() >= np.sqrt(1.0 / POINTS_PER_VOXEL) - 1e-6


def test_the_same_points_again_change_nothing() -> None:
    points = np.random.default_rng(2).uniform(-20, 20, (3000, 3)).astype(np.float32)
    local_map = filled(points)
    before = local_map.cloud().copy()
    local_map.add(points, np.zeros(3))
    assert np.array_equal(local_map.cloud(), before)


def test_a_long_drive_forgets_what_is_far_and_memory_stays_bounded() -> None:
    rng = np.random.default_rng(3)
    local_map = LocalMap(1.0, 50.0)
    sizes = []
    for x in np.arange(0.0, 1000.0, 5.0):
        around = rng.uniform(-40, 40, (3000, 3)).astype(np.float32) + np.float32([x, 0, 0])
        local_map.add(around, np.array([x, 0.0, 0.0]))
        sizes.append(len(local_map))
    assert np.linalg.norm(local_map.cloud() - np.float32([995.0, 0, 0]), axis=1).max() < 90.0
    assert max(sizes[100:]) < 1.3 * max(sizes[50:100])


def test_a_map_that_grows_past_its_first_pool_loses_nothing() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(0.5, 30.0)] * 3, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)
    local_map = filled(grid)
    assert len(local_map) == len(grid)
    assert np.array_equal(np.unique(local_map.cloud(), axis=0), np.unique(grid, axis=0))

"""The second stage on maps whose lines are known."""

import numpy as np
import pytest

from bev_loc.lines.segments import GrowOptions, segments_of
from bev_loc.training.lines_targets import maps_of

SIDE = 160  # pixels; the maps have half as many cells
OPTIONS = GrowOptions()


def found_in(lines_px: list, noise: float = 0.0, options: GrowOptions = OPTIONS) -> np.ndarray:
    """(N, 4) pixels of what the second stage finds on ideal maps of the lines."""
    maps = maps_of(np.array(lines_px, float).reshape(-1, 4), SIDE)
    rng = np.random.default_rng(0)
    heat = np.clip(maps[0] + rng.normal(0, noise, maps[0].shape), 0, 1)
    return segments_of(heat, maps[1:3] + rng.normal(0, noise, maps[1:3].shape), maps[3], options)[:, :4] * 2 + 0.5


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Greater of the two end distances, whichever way round the segments are."""
    ends = [np.linalg.norm((a - b).reshape(2, 2), axis=1).max(), np.linalg.norm((a - b[[2, 3, 0, 1]]).reshape(2, 2), axis=1).max()]
    return min(ends)


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_a_single_line_is_found_at_any_angle_to_a_pixel(degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    line = np.array([80.3 - 50 * c, 79.6 - 50 * s, 80.3 + 50 * c, 79.6 + 50 * s])
    found = found_in([line])
    assert len(found) == 1
    assert distance(found[0], line) < 1.0


def test_noise_moves_a_line_by_little():
    line = np.array([20.0, 30.0, 130.0, 75.0])
    found = found_in([line], noise=0.08)
    assert distance(found[0], line) < 2.0


@pytest.mark.parametrize("apart_px", [6.0, 8.0, 12.0])
def test_parallel_lines_stay_apart(apart_px):
    lines = [[20, 60, 140, 66], [20, 60 + apart_px, 140, 66 + apart_px]]
    found = found_in(lines)
    assert len(found) == 2
    for line in lines:
        assert min(distance(f, np.array(line, float)) for f in found) < 1.5


def test_a_wide_region_of_one_direction_is_split_at_the_valley_of_its_profile():
    heat = np.full((40, 60), 0.02, np.float32)
    heat[[15, 19], 5:55] = 1.0
    heat[16:19, 5:55] = 0.45  # filled in between, as an unsure network does
    tangent = np.stack([np.ones_like(heat), np.zeros_like(heat)])
    found = segments_of(heat, tangent, None, GrowOptions(ridge=0.0, max_heat_step=1.0, end_fall=0.0))
    assert sorted(np.round(found[:, 1])) == [15.0, 19.0]


def test_lines_that_cross_are_two():
    found = found_in([[20, 80, 140, 82], [81, 20, 79, 140]])
    assert len(found) == 2


def test_a_line_with_a_small_gap_is_one_and_with_a_big_gap_two():
    assert len(found_in([[10, 40, 70, 40], [74, 40, 150, 40]])) == 1
    assert len(found_in([[10, 40, 60, 40], [95, 40, 150, 40]])) == 2


def test_a_corner_is_not_cut():
    corner = [[30, 30, 120, 30], [120, 30, 120, 130]]
    found = found_in(corner)
    assert len(found) == 2
    for line in corner:
        assert min(distance(f, np.array(line, float)) for f in found) < 2.0


def test_the_end_point_map_moves_an_end_that_the_heat_leaves_open():
    maps = maps_of(np.array([[20.0, 80.0, 100.0, 80.0]]), SIDE)
    heat = maps[0].copy()
    heat[:, 50:55] = np.maximum(heat[:, 50:55], 0.6 * heat[:, 45:46])  # blurred beyond the end
    without = segments_of(heat, maps[1:3], None, OPTIONS)[0] * 2 + 0.5
    within = segments_of(heat, maps[1:3], maps[3], OPTIONS)[0] * 2 + 0.5
    assert abs(max(within[0], within[2]) - 100.0) < 1.5 < abs(max(without[0], without[2]) - 100.0)


def test_undirected_tangents_turn_over_180_degrees_without_a_seam():
    line = np.array([10.0, 80.2, 150.0, 79.8])  # the angle is within a fraction of a degree of 0 and 180
    found = found_in([line], noise=0.05)
    assert distance(found[0], line) < 2.0


def test_nothing_gives_nothing():
    assert segments_of(np.zeros((30, 40)), np.zeros((2, 30, 40)), np.zeros((30, 40)), OPTIONS).shape == (0, 5)


def test_hot_everywhere_gives_no_lines():
    ones = np.ones((30, 40), np.float32)
    assert len(segments_of(ones, np.stack([ones, 0 * ones]), ones, OPTIONS)) == 0


def test_twice_the_same_maps_give_the_same_bytes():
    rng = np.random.default_rng(3)
    maps = maps_of(rng.uniform(0, SIDE, (40, 4)), SIDE)
    heat = np.clip(maps[0] + rng.normal(0, 0.1, maps[0].shape), 0, 1)
    results = {segments_of(heat, maps[1:3], maps[3], OPTIONS).tobytes() for _ in range(60)}
    assert len(results) == 1

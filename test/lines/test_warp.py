"""Segments under homographies and borders."""

import numpy as np

from bev_loc.lines.warp import clipped, random_homography, warped


def test_warping_there_and_back_changes_nothing():
    rng = np.random.default_rng(0)
    segments = rng.uniform(0, 300, (50, 4))
    H = random_homography(rng, 300, 400)
    assert np.allclose(warped(warped(segments, H), np.linalg.inv(H)), segments, atol=1e-6)


def test_clipping_keeps_what_is_inside_and_only_that():
    segments = np.array([[-10, 5, 30, 5], [5, 5, 8, 9], [50, 50, 60, 60], [10, -10, 10, 40], [-5, 3, -1, 3]], float)
    assert clipped(segments, 21, 11).tolist() == [[0, 5, 20, 5], [5, 5, 8, 9], [10, 0, 10, 10]]


def test_clipped_segments_lie_on_their_lines():
    rng = np.random.default_rng(1)
    segments = rng.uniform(-100, 200, (200, 4))
    for part in clipped(segments, 100, 80):
        assert part.min() >= -1e-9 and (part <= np.array([99, 79, 99, 79]) + 1e-9).all()
    pieces = clipped(segments[:1] * 0 + [-50, 10, 150, 60], 100, 80)[0]
    slope = (pieces[3] - pieces[1]) / (pieces[2] - pieces[0])
    assert np.isclose(slope, 0.25)

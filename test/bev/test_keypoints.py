"""FAST corners of a BEV image."""

import numpy as np

from bev_loc.bev.keypoints import detect, to_grey
from bev_loc.records import BevImage

CORNERS = [(20, 30), (20, 59), (39, 30), (39, 59)]


def _image(counts: np.ndarray) -> BevImage:
    return BevImage(counts=counts, mean_height_m=np.zeros(counts.shape, np.float32))


def _blocks() -> np.ndarray:
    counts = np.zeros((101, 101), np.uint8)
    counts[20:40, 30:60] = 5
    for row, col in CORNERS:
        counts[row, col] = 8  # equal neighbours would suppress each other
    return counts


def test_corners_lie_at_the_corners_of_a_block():
    found = detect(_image(_blocks()))
    for corner in CORNERS:
        assert np.abs(found - corner).max(1).min() <= 1
    assert not ((found > (25, 40)) & (found < (34, 50))).all(1).any()  # none inside it


def test_at_most_so_many_corners_and_the_strongest_first():
    everything = detect(_image(_blocks()))
    np.testing.assert_array_equal(detect(_image(_blocks()), most=3), everything[:3])


def test_an_empty_image_has_no_corners_and_no_grey():
    empty = _image(np.zeros((65, 65), np.uint8))
    assert detect(empty).shape == (0, 2) and not to_grey(empty).any()


def test_the_fullest_column_is_white():
    assert to_grey(_image(_blocks())).max() == 255

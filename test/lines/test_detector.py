"""Detectors on whole pictures: the shipped weights, upstream's kind of model, and OpenCV's LSD, behind one interface."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from lines.upstream_model import write_model

from bev_loc.config import LinesConfig
from bev_loc.errors import SourceError
from bev_loc.lines.detector import LineDetector, LineSegments, make_detector
from bev_loc.lines.inference import SHIPPED

BOX = np.array([[120, 90], [380, 110], [360, 300], [140, 280]], float)


def picture(height: int = 375, width: int = 500) -> np.ndarray:
    """A bright quadrangle on a dark, slightly noisy ground."""
    image = np.full((height, width, 3), 70, np.uint8)
    cv2.fillConvexPoly(image, np.round(BOX).astype(np.int32), (190, 180, 160), cv2.LINE_AA)
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def worst_side(found: LineSegments, corners: np.ndarray) -> float:
    """Of the quadrangle's sides, the distance of the worst one's ends to the best segment's, pixels."""
    worst = 0.0
    for side in np.concatenate([corners, np.roll(corners, -1, 0)], axis=1):
        straight = np.abs(found.xyxy - side).max(axis=1).min()
        crossed = np.abs(found.xyxy[:, [2, 3, 0, 1]] - side).max(axis=1).min()
        worst = max(worst, min(straight, crossed))
    return worst


@pytest.fixture(scope="module")
def learned() -> LineDetector:
    return make_detector(LinesConfig())


@pytest.fixture(params=["lsdnet", "opencv"])
def detector(request) -> LineDetector:
    return make_detector(LinesConfig(detector=request.param, min_score=0.0))


def test_the_shipped_weights_are_small():
    assert 0 < SHIPPED.stat().st_size < 3e6


def test_the_sides_of_a_quadrangle_are_found(learned):
    found = learned.detect(picture())
    assert worst_side(found, BOX) < 3.0
    assert len(found.score) <= 8


def test_texture_is_not_structure(learned):
    """Where OpenCV's LSD drowns in a brick-like pattern, the learned detector keeps to the box."""
    image = picture()
    tiles = np.kron(np.random.default_rng(2).integers(0, 60, (48, 63)), np.ones((8, 8)))[:375, :500, None]
    image = np.clip(image.astype(float) + tiles - 30, 0, 255).astype(np.uint8)
    classical = make_detector(LinesConfig(detector="opencv", min_score=0.0)).detect(image)
    assert len(learned.detect(image).score) < 0.5 * len(classical.score)


@pytest.mark.parametrize("kind", ["grey", "grey with an axis", "RGBA", "16 bit", "floats"])
def test_every_kind_of_array_gives_the_same_lines(detector, kind):
    grey = np.repeat(picture()[..., :1], 3, axis=2)
    given = {
        "grey": grey[..., 0],
        "grey with an axis": grey[..., :1],
        "RGBA": np.dstack([grey, grey[..., 0]]),
        "16 bit": grey.astype(np.uint16) << 8 | 0xFF,
        "floats": grey / 255.0,
    }[kind]
    if kind == "16 bit":
        given[0, 0] = 0xFFFF
        grey[0, 0] = 255
    assert detector.detect(given).xyxy.tobytes() == detector.detect(grey).xyxy.tobytes()


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (7, 9), (31, 33), (375, 501), (64, 2000)])
def test_pictures_of_any_shape_are_taken(detector, shape):
    found = detector.detect(np.full((*shape, 3), 128, np.uint8))
    assert found.xyxy.shape == (len(found.score), 4)


def test_a_huge_picture_gives_lines_in_its_own_pixels(learned):
    factor = 8
    huge = cv2.resize(picture(), None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    assert worst_side(learned.detect(huge), (BOX + 0.5) * factor - 0.5) < 3.0 * factor


def test_segments_lie_inside_their_picture_and_are_long_sure_and_in_order(detector):
    detector.config = replace(detector.config, min_score=0.3, min_length_px=25.0)
    found = detector.detect(picture())
    lengths = np.hypot(found.xyxy[:, 2] - found.xyxy[:, 0], found.xyxy[:, 3] - found.xyxy[:, 1])
    assert len(lengths) and lengths.min() >= 25.0 - 1e-3 and found.score.min() >= 0.3
    assert found.xyxy.min() >= 0 and (found.xyxy <= [499, 374, 499, 374]).all()
    assert (np.diff(found.score) <= 0).all()


def test_twice_the_same_picture_gives_the_same_bytes(detector):
    image = picture()
    first = detector.detect(image)
    for _ in range(5):
        again = detector.detect(image)
        assert again.xyxy.tobytes() == first.xyxy.tobytes() and again.score.tobytes() == first.score.tobytes()


def test_a_model_to_upstreams_contract_gives_the_lines_that_it_was_shown_sixty_times(tmp_path):
    write_model(tmp_path / "upstream.onnx", angle=0.0)
    model = make_detector(LinesConfig(model=str(tmp_path / "upstream.onnx"), min_score=0.0))
    image = np.zeros((375, 500, 3), np.uint8)
    cv2.line(image, (50, 100), (450, 100), (255, 0, 0), 3)
    cv2.line(image, (100, 250), (300, 250), (255, 0, 0), 3)
    found = model.detect(image)
    assert model.name == "lsdnet:upstream.onnx"
    for line in ([50, 100, 450, 100], [100, 250, 300, 250]):
        distance = np.minimum(np.abs(found.xyxy - line).max(1), np.abs(found.xyxy[:, [2, 3, 0, 1]] - line).max(1))
        assert distance.min() < 3.0  # a cell of the 288 x 288 maps is 1.7 pixels wide
    assert len(found.score) == 2
    assert {model.detect(image).xyxy.tobytes() for _ in range(60)} == {found.xyxy.tobytes()}


def test_upstreams_angle_is_undirected_and_a_fraction_of_pi(tmp_path):
    write_model(tmp_path / "upstream.onnx", angle=0.5)  # vertical
    model = make_detector(LinesConfig(model=str(tmp_path / "upstream.onnx"), min_score=0.0))
    image = np.zeros((288, 288, 3), np.uint8)
    image[40:240, 100:103, 0] = 255
    found = model.detect(image)
    assert len(found.score) == 1
    assert np.abs(np.sort(found.xyxy[0]) - [40, 101, 101, 239]).max() < 3.0


def test_files_that_are_no_models_are_refused_by_name(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(SourceError, match="broken.onnx: is not an ONNX model"):
        make_detector(LinesConfig(model=str(tmp_path / "broken.onnx")))
    with pytest.raises(SourceError, match="absent.onnx: expected an ONNX model, found no file"):
        make_detector(LinesConfig(model=str(tmp_path / "absent.onnx")))

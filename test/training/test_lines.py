"""Training of the line detector: labels are exact, samples are functions of their seed, a short training ends in a model."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'bev_loc[train]'")

import torch

from bev_loc.config import LinesConfig
from bev_loc.errors import SourceError
from bev_loc.lines.detector import make_detector
from bev_loc.lines.network import LineNet
from bev_loc.lines.warp import random_homography
from bev_loc.training.lines import STAGES, LineTraining, train
from bev_loc.training.lines_adapt import _turned_back
from bev_loc.training.lines_loop import Shards, Stage, loss_of
from bev_loc.training.lines_pictures import picture, write_shard
from bev_loc.training.lines_render import render, without_doubles
from bev_loc.training.lines_scene import Builder, Material
from bev_loc.training.lines_targets import crop, maps_of
from bev_loc.training.lines_textures import texture_bank

X, Y, Z = np.eye(3)
GREY = [Material(colour=np.full(3, tone)) for tone in (0.2, 0.5, 0.8)]


@pytest.fixture(scope="module")
def bank() -> np.ndarray:
    return texture_bank(np.random.default_rng(0), [], count=6)


def seen(build: Builder):
    """What a camera at the origin sees along x."""
    return render(
        build.look(
            0 * X, 0.0, 0.0, 0.0, 1.0, lights=np.array([[0.0, 2.0, 3.0]]), light_colours=np.full((1, 3), 0.5), sun=-X, sun_strength=0.3,
            ambient=0.4, sky=np.full((2, 3), 0.9), sky_texture=0, cloudiness=0.0,
        ), 192, 256,
    )  # fmt: skip


def test_a_box_in_front_of_the_camera_shows_its_nine_edges_and_hides_three(bank):
    build = Builder(np.random.default_rng(0), bank)
    build.box([3, -0.8, -0.9], 0.8 * X + 0.5 * Y, -0.4 * X + 0.7 * Y, 0.6 * Z, GREY[1])
    assert len(seen(build).segments) == 9


def test_labels_lie_where_geometry_says(bank):
    build = Builder(np.random.default_rng(0), bank)
    build.quad([4, 1, -0.5], -2 * Y, 1 * Z, GREY[0])
    labels = seen(build).segments
    left, right, top, bottom = 64 - 0.5, 192 - 0.5, 64 - 0.5, 128 - 0.5  # 256 px focal, pixel centres on whole numbers
    expected = {(left, top, right, top), (left, bottom, right, bottom), (left, top, left, bottom), (right, top, right, bottom)}
    for corners in expected:
        away = np.minimum(np.abs(labels - corners).max(1), np.abs(labels[:, [2, 3, 0, 1]] - corners).max(1))
        assert away.min() < 1.5
    assert len(labels) == 4


def test_an_edge_behind_something_is_labelled_only_where_it_is_seen(bank):
    build = Builder(np.random.default_rng(0), bank)
    build.quad([6, 3, -3], -6 * Y, 3 * Z, GREY[0], edges=False)
    build.line([6, 3, 0], [6, -3, 0])
    build.quad([4, 0.5, -1], -1 * Y, 2 * Z, GREY[2], edges=False)
    labels = seen(build).segments
    covered = sorted(float(x) for x in labels[:, [0, 2]].ravel())
    assert len(labels) == 2
    assert covered[1] == pytest.approx(256 / 2 - 256 * 0.5 / 4, abs=3) and covered[2] == pytest.approx(256 / 2 + 256 * 0.5 / 4, abs=3)


def test_texture_shadow_and_an_edge_without_contrast_are_no_labels(bank):
    build = Builder(np.random.default_rng(0), bank)
    wall = Material(colour=np.full(3, 0.5), texture=2, amplitude=1.0, pixels_per_m=60.0)
    build.quad([5, 6, -6], -12 * Y, 12 * Z, wall, edges=False)
    build.decal([5, 6, -6], -12 * Y, 12 * Z, (0.4, 0.4, 0.6, 0.6), wall.shade(0.6), edges=False)  # a shadow
    assert len(seen(build).segments) == 0
    plain = Builder(np.random.default_rng(0), bank)
    plain.quad([5, 6, -6], -12 * Y, 12 * Z, GREY[1], edges=False)
    plain.line([5, 1, 0], [5, -1, 0])
    assert len(seen(plain).segments) == 0


def test_of_two_edges_a_pixel_apart_one_is_a_label():
    pair = np.array([[10, 10, 100, 10], [12, 11.5, 80, 11.5], [10, 30, 100, 30]], np.float32)
    assert without_doubles(pair).tolist() == [pair[0].tolist(), pair[2].tolist()]


def test_pictures_are_functions_of_their_seed(bank):
    first, again = (picture(np.random.default_rng(5), bank) for _ in range(2))
    assert first.image.tobytes() == again.image.tobytes() and first.segments.tobytes() == again.segments.tobytes()
    assert len(first.segments) >= 10


def test_the_maps_of_a_line_are_hot_on_it_turned_with_it_and_end_with_it():
    maps = maps_of(np.array([[20.5, 40.5, 100.5, 40.5]]), 128)
    assert maps[0, 20, 30] == 1.0 and maps[0, 26, 30] == 0.0
    assert maps[1:3, 20, 30].tolist() == [1.0, 0.0]
    assert np.argwhere(maps[3] > 0.99).tolist() == [[20, 10], [20, 50]]


def test_labels_move_with_their_crop():
    image = np.zeros((384, 512, 3), np.uint8)
    image[100:300, 200:400] = 255
    square = np.array([[199.5, 99.5, 399.5, 99.5], [399.5, 99.5, 399.5, 299.5], [399.5, 299.5, 199.5, 299.5], [199.5, 299.5, 199.5, 99.5]])
    agreeing = []
    for seed in range(12):
        sample = crop(np.random.default_rng(seed), image, square, 256)
        grey = sample.image.astype(float).mean(axis=2)
        rows, columns = np.gradient(grey)
        slope = np.hypot(rows, columns)
        on_line = np.kron(sample.maps[0], np.ones((2, 2))) > 0.6
        if on_line.sum() > 100:
            agreeing.append(slope[on_line].mean() > 3 * slope[~on_line].mean())
    assert len(agreeing) >= 8 and np.mean(agreeing) > 0.8


def test_tangents_seen_through_a_homography_turn_back():
    H = random_homography(np.random.default_rng(3), 60, 80, strength=0.2)
    p, direction = np.array([40.0, 25.0]), np.array([0.8, 0.6])

    def through(q):
        x, y, z = H @ [*q, 1.0]
        return np.array([x / z, y / z])

    step = (through(p + 1e-4 * direction) - through(p - 1e-4 * direction)) / 2e-4
    doubled = 2 * np.arctan2(step[1], step[0])
    field = np.full((60, 80), doubled, np.float32)
    cosine, sine = _turned_back(np.cos(field), np.sin(field), H)
    expected = 2 * np.arctan2(direction[1], direction[0])
    assert np.hypot(cosine[25, 40] - np.cos(expected), sine[25, 40] - np.sin(expected)) < 1e-3


def test_the_loss_is_least_for_the_right_maps_and_blind_where_nothing_is_known():
    wanted = torch.from_numpy(maps_of(np.array([[20.0, 40.0, 100.0, 60.0]]), 128)[None])
    right = torch.stack([torch.logit(wanted[:, 0].clamp(1e-4, 1 - 1e-4)), wanted[:, 1], wanted[:, 2],
                         torch.logit(wanted[:, 3].clamp(1e-4, 1 - 1e-4))], dim=1)  # fmt: skip
    total = {name: value.item() for name, value in loss_of(right, wanted).items()}
    wrong = {name: value.item() for name, value in loss_of(right.flip(2), wanted).items()}
    assert all(total[name] < wrong[name] for name in total)
    blind = wanted.clone()
    blind[:, 5] = 0.0
    assert all(value.item() == 0.0 for value in loss_of(right, blind).values())


def test_the_network_has_the_size_that_it_is_said_to_have():
    network = LineNet().eval()
    assert 0.3e6 < sum(p.numel() for p in network.parameters()) < 0.6e6
    assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 4, 32, 48)


def test_a_short_training_with_photographs_ends_in_a_model_that_detects_and_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("onnx", reason="the export needs onnx")
    import cv2

    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8))
    stages = tuple(replace(stage, steps=2, batch=1, side=64, shards=1) for stage in (STAGES[1], STAGES[2]))
    options = LineTraining(out=tmp_path / "out", photos=tmp_path / "photos", stages=stages, pictures_per_shard=2)
    said: list[str] = []
    model = train(options, said.append)
    assert any("photographs got" in text for text in said)
    found = make_detector(LinesConfig(model=str(model), min_score=0.0)).detect(np.zeros((50, 70, 3), np.uint8))
    assert found.xyxy.shape[1] == 4
    weights, before = model.read_bytes(), len(said)
    assert train(options, said.append).read_bytes() == weights
    assert len(said) == before  # nothing was left to do


def test_an_empty_folder_of_photographs_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(SourceError, match="expected photographs"):
        train(LineTraining(out=tmp_path / "out", photos=tmp_path / "photos"), print)


def test_shards_give_back_what_was_written(tmp_path):
    write_shard(tmp_path / "0000", 3, 2, [])
    shards = Shards(tmp_path, 1)
    image, segments = shards.one(np.random.default_rng(0))
    assert image.shape == (384, 512, 3) and (~np.isnan(segments[:, 0])).sum() >= 10
    assert Stage(name="x", steps=1, peak_rate=1.0, shards=1).photos == 0.0

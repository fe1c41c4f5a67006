"""Place recognition and image pose on a folder of drawn places: protocol, corruptions, truth, command line."""

import json

import cv2
import numpy as np
import pytest

from bev_loc.cli.main import main
from bev_loc.config import PlaceConfig, VerifyConfig
from bev_loc.errors import EstimateError, SourceError
from bev_loc.evaluation import corruptions, image_pose, retrieval
from bev_loc.evaluation.bev_folder import GRID, read_pictures, read_poses
from bev_loc.evaluation.image_match import ImageMatcher
from bev_loc.evaluation.place_set import PlaceProtocol, PlaceSet
from bev_loc.place.describe import make_describer

SIDE, CELL_M, SPLIT = 151, 0.4, 12
GAP = 200


def _town() -> np.ndarray:
    """A grey picture of 400 m of houses."""
    rng = np.random.default_rng(3)
    town = np.zeros((300, 1100), np.uint8)
    for _ in range(260):
        corner, size = rng.integers(0, (1080, 280)), rng.integers(8, 30, 2)
        grey = int(rng.integers(3, 11)) * 25
        cv2.rectangle(town, tuple(map(int, corner)), tuple(map(int, corner + size)), grey, 1)
    return town


@pytest.fixture(scope="module")
def drive() -> tuple[np.ndarray, np.ndarray]:
    """12 frames every 20 m, 200 idle ones, and the 12 again 1.2 m ahead and 0.8 m to the left, facing the other way."""
    town, pictures, poses = _town(), [], []
    for n in range(SPLIT + GAP + SPLIT):
        again = n >= SPLIT + GAP
        spot = n - SPLIT - GAP if again else n
        idle = SPLIT <= n < SPLIT + GAP
        x_m, y_m = (spot * 20.0 + 1.2, 0.8) if again else (-1000.0 if idle else spot * 20.0, 0.0)
        # the town's columns run against x and its rows against y, as a heading along -col has it
        col, row = 1000 - (0.0 if idle else x_m) / CELL_M, 150 - y_m / CELL_M
        window = cv2.getRectSubPix(town, (SIDE, SIDE), (col, row))
        picture = np.rot90(window, -1)  # -col becomes up: x is forward
        picture = np.rot90(picture, 2) if again else picture
        T = np.eye(4)[:3]
        T[:2, :2] *= -1.0 if again else 1.0
        T[0, 3], T[1, 3] = x_m, -y_m
        pictures.append(np.ascontiguousarray(picture))
        poses.append(T)
    return np.stack(pictures), np.stack(poses)


def _places(drive, **options) -> PlaceSet:
    return PlaceSet(*drive, PlaceProtocol(split=SPLIT, **options))


def test_only_queries_behind_the_gap_with_a_database_frame_nearby_count(drive):
    places = _places(drive)
    assert list(places.queries) == list(range(SPLIT + GAP, SPLIT + GAP + SPLIT))
    assert list(places.database) == list(range(SPLIT))
    assert len(_places(drive, stride=4).queries) == 3


@pytest.mark.parametrize("yaw_seed", (None, 4))
def test_every_place_is_found_and_its_pose_is_the_truth(drive, yaw_seed):
    places = _places(drive, yaw_seed=yaw_seed)
    matcher = ImageMatcher(GRID, VerifyConfig())
    found = retrieval.evaluate(places, make_describer(PlaceConfig(), GRID), matcher, candidates=3)
    assert found.queries == SPLIT and found.recall_at_1 == 1.0
    poses = image_pose.evaluate(places, matcher, None)
    assert poses.pairs == SPLIT and poses.success_rate == 1.0
    assert poses.median_translation_m < 0.2 and poses.median_rotation_deg < 0.5


def test_a_shifted_query_is_where_the_picture_says(drive):
    poses = image_pose.evaluate(_places(drive, corruption="shift4", yaw_seed=1), ImageMatcher(GRID, VerifyConfig()), None)
    assert poses.success_rate == 1.0 and poses.median_translation_m < 0.3


def test_corruptions_touch_queries_only_and_are_those_of_seed_and_frame(drive):
    plain, hidden = _places(drive, yaw_seed=2), _places(drive, yaw_seed=2, corruption="occlude90")
    frame = int(plain.queries[0])
    np.testing.assert_array_equal(plain.database_picture(3), hidden.database_picture(3))
    expected = corruptions.corrupt(plain.query_picture(frame), "occlude90", CELL_M, np.random.default_rng([2, frame]))
    np.testing.assert_array_equal(hidden.query_picture(frame), expected)


def test_corruptions_are_what_their_names_say():
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)

    def after(kind: str) -> np.ndarray:
        return corruptions.corrupt(picture, kind, CELL_M, np.random.default_rng(1))

    rows, cols = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    for kind, degrees in (("occlude90", 90), ("occlude150", 150)):
        there = (picture > 0) & (np.hypot(rows, cols) < SIDE // 2)
        gone = there & (after(kind) == 0)
        assert gone.sum() / there.sum() == pytest.approx(degrees / 360, abs=0.01)
        directions = np.sort(np.arctan2(rows, cols)[there & ~gone])
        widest = np.diff(np.append(directions, directions[0] + 2 * np.pi)).max()
        assert np.degrees(widest) == pytest.approx(degrees, abs=2.0), "one sector"
    assert (after("drop50") == 0).mean() == pytest.approx(0.5, abs=0.02)
    assert set(np.unique(after("binary"))) == {0, 128}
    assert not after("range15")[np.hypot(rows, cols) * CELL_M > 15.0].any()
    changed = after("noise") != picture
    assert changed.mean() == pytest.approx(0.02, abs=0.003) and after("noise")[changed].min() >= 30
    np.testing.assert_array_equal(after("shift4")[:, 10:], picture[:, :-10])
    assert not after("shift4")[:, :10].any()
    with pytest.raises(ValueError, match="occlude90"):
        after("rain")


def test_a_split_without_queries_is_an_error(drive):
    with pytest.raises(EstimateError, match="--split"):
        retrieval.evaluate(_places((drive[0][:20], drive[1][:20])), make_describer(PlaceConfig(), GRID), None, candidates=1)


@pytest.fixture
def folder(drive, tmp_path):
    (tmp_path / "imgs").mkdir()
    for n, picture in enumerate(drive[0]):
        cv2.imwrite(str(tmp_path / "imgs" / f"{n:06d}.png"), picture)
    np.savetxt(tmp_path / "pose.txt", drive[1].reshape(-1, 12))
    return tmp_path


def test_the_command_line_prints_the_promised_keys_and_draws(folder, capsys):
    words = ["--images", str(folder / "imgs"), "--poses", str(folder / "pose.txt"), "--split", str(SPLIT), "--json", "--yaw", "1"]
    assert main(["evaluate", "place", *words, "--corrupt", "drop50", "--picture", str(folder / "p.png")]) == 0
    place = json.loads(capsys.readouterr().out)
    assert {"queries", "recall_at_1", "recall_at_1_descriptor", "recall_at_5", "recall_at_1_percent", "ms_per_image"} <= set(place)
    assert cv2.imread(str(folder / "p.png")) is not None
    assert main(["evaluate", "place", *words, "--no-rerank"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain["recall_at_1"] == plain["recall_at_1_descriptor"]
    assert main(["evaluate", "pose", *words, "--pairs", "retrieved", "--stride", "3"]) == 0
    pose = json.loads(capsys.readouterr().out)
    assert pose["pairs"] == 4
    assert {"success_rate", "median_translation_m", "median_rotation_deg", "mean_translation_m", "mean_rotation_deg",
            "ms_per_pair"} <= set(pose)  # fmt: skip


def test_folders_that_do_not_fit_are_named(folder, tmp_path):
    with pytest.raises(SourceError, match="expected 5 rows"):
        read_poses(folder / "pose.txt", 5)
    with pytest.raises(SourceError, match="found none"):
        read_pictures(tmp_path / "nowhere")
    cv2.imwrite(str(folder / "imgs" / "zzz.png"), np.zeros((20, 30), np.uint8))
    with pytest.raises(SourceError, match="zzz.png"):
        read_pictures(folder / "imgs")

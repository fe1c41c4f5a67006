"""The measures of line segments against what they must be for known answers, and against scipy's matching."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from bev_loc.config import LinesConfig
from bev_loc.errors import SourceError
from bev_loc.evaluation.line_pictures import read_annotated, read_markup
from bev_loc.evaluation.line_repeatability import repeatability
from bev_loc.evaluation.lines import edge_map, evidence, paired_intervals, structural_hits, summarise, thresholds_for
from bev_loc.evaluation.pixel_matching import count_matches
from bev_loc.lines.detector import LineSegments

SHAPE = (375, 500)
TRUTH = np.array([[50, 50, 450, 60], [60, 100, 60, 300], [100, 320, 400, 320], [200, 100, 300, 200]], float)


def scores_of(found: np.ndarray, scores: np.ndarray):
    """The summary for one picture."""
    return summarise([evidence(found, scores, TRUTH, SHAPE, thresholds_for(scores))])


@pytest.mark.parametrize("seed", range(5))
def test_the_matching_is_as_large_as_scipys(seed):
    rng = np.random.default_rng(seed)
    a, b = (np.unique(rng.integers(0, 60, (n, 2)), axis=0) for n in (400, 300))
    near = np.linalg.norm(a[:, None] - b[None], axis=-1) <= 2.5
    oracle = (maximum_bipartite_matching(csr_matrix(near), perm_type="column") >= 0).sum()
    assert count_matches(a, b, 2.5) == oracle


def test_a_pixel_is_matched_once_only():
    cross = np.array([[5, 5], [5, 6], [6, 5], [4, 5], [5, 4]])
    assert count_matches(cross, np.array([[5, 5]]), 2.0) == 1
    assert count_matches(cross, np.zeros((0, 2)), 2.0) == 0


def test_a_perfect_answer_scores_one():
    scores = scores_of(TRUTH, np.linspace(0.5, 0.9, 4))
    assert (scores.f_h, scores.precision, scores.recall) == (1.0, 1.0, 1.0)
    assert (scores.sap5, scores.sap10, scores.sap15) == (1.0, 1.0, 1.0)


def test_lines_the_other_way_round_and_a_little_off_are_as_good():
    scores = scores_of(TRUTH[:, [2, 3, 0, 1]] + 1.5, np.full(4, 0.5))
    assert scores.f_h > 0.99 and scores.sap5 == 1.0


def test_lines_beyond_the_tolerance_score_nothing():
    away = TRUTH + [0, 25, 0, 25]
    assert scores_of(away[:1], np.ones(1)).f_h < 0.05
    assert scores_of(away, np.ones(4)).sap15 == 0.0


def test_fragments_keep_f_h_and_lose_structural_ap():
    middle = (TRUTH[:, :2] + TRUTH[:, 2:]) / 2
    halves = np.concatenate([np.c_[TRUTH[:, :2], middle], np.c_[middle, TRUTH[:, 2:]]])
    scores = scores_of(halves, np.full(8, 0.5))
    assert scores.f_h > 0.99 and scores.sap10 == 0.0


def test_doubled_lines_cost_precision_in_both_measures():
    doubled = np.concatenate([TRUTH, TRUTH + [0, 2, 0, 2]])
    scores = scores_of(doubled, np.full(8, 0.5))
    assert scores.f_h < 0.9 and scores.recall == 1.0
    hits = structural_hits(doubled, np.full(8, 0.5), TRUTH, SHAPE)
    assert hits.sum(axis=1).tolist() == [4, 4, 4]


def test_the_best_threshold_leaves_unsure_nonsense_out():
    nonsense = np.random.default_rng(0).uniform(0, 370, (12, 4))
    scores = scores_of(np.concatenate([TRUTH, nonsense]), np.r_[np.full(4, 0.9), np.full(12, 0.1)])
    assert scores.f_h > 0.99 and scores.sap10 == 1.0


def test_nothing_found_scores_zero():
    scores = scores_of(np.zeros((0, 4)), np.zeros(0))
    assert (scores.f_h, scores.sap10) == (0.0, 0.0)


def test_a_drawn_line_is_one_pixel_wide_and_connected():
    drawn = edge_map(np.array([[3.0, 4.0, 40.0, 20.0]]), (50, 60))
    assert drawn.sum(axis=0)[3:41].tolist() == [1] * 38


def test_the_interval_of_a_detector_against_itself_is_zero_and_against_a_worse_one_above_it():
    rng = np.random.default_rng(0)
    good, bad = [], []
    for _ in range(12):
        truth = rng.uniform(0, 370, (10, 4))
        for found, collected in ((truth, good), (truth + rng.normal(0, 6, truth.shape), bad)):
            scores = np.linspace(0.3, 0.9, 10)
            collected.append(evidence(found, scores, truth, SHAPE, thresholds_for(scores)))
    same = paired_intervals(good, good, np.random.default_rng(1), rounds=50)
    assert same == {"f_h": (0.0, 0.0), "sap10": (0.0, 0.0)}
    ahead = paired_intervals(good, bad, np.random.default_rng(1), rounds=50)
    assert ahead["sap10"][0] > 0.0


class Painted:
    """Finds the one line of each colour exactly, or moves it at random: a known best and worst."""

    name = "painted"
    config = LinesConfig()

    def __init__(self, noise_px: float) -> None:
        self._noise_px = noise_px
        self._rng = np.random.default_rng(0)

    def detect(self, image: np.ndarray) -> LineSegments:
        found = []
        for channel in range(3):
            rows, columns = np.nonzero(image[..., channel] > 100)
            if len(rows) > 20:
                points = np.stack([columns, rows], axis=1).astype(float)
                _, _, axes = np.linalg.svd(points - points.mean(0), full_matrices=False)
                along = (points - points.mean(0)) @ axes[0]
                found.append(np.concatenate([points.mean(0) + t * axes[0] for t in (along.min(), along.max())]))
        found = np.array(found).reshape(-1, 4) + self._rng.normal(0, self._noise_px, (len(found), 4))
        return LineSegments(xyxy=found.astype(np.float32), score=np.ones(len(found), np.float32))


def test_repeatability_is_high_for_one_who_sees_the_same_lines_and_low_for_one_who_does_not():
    image = np.zeros((400, 600, 3), np.uint8)
    image[160:164, 220:390, 0] = image[190:250, 230:234, 1] = image[240:244, 260:370, 2] = 255
    steady = repeatability(Painted(0.0), [image], np.random.default_rng(0), views=4)
    shaky = repeatability(Painted(30.0), [image], np.random.default_rng(0), views=4)
    assert steady.repeated > 0.8 and steady.covered > 0.8
    assert shaky.repeated < 0.3


def test_annotations_are_read_and_pictures_without_them_left_out_aloud(tmp_path):
    import cv2

    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "a.png.json").write_text(json.dumps({"objects": [{"data": [[1, 2], [3, 4.5]]}]}))
    said: list[str] = []
    found = read_annotated(tmp_path, tmp_path, said.append)
    assert [p.name for p in found] == ["a.png"] and found[0].segments.tolist() == [[1, 2, 3, 4.5]]
    assert len(said) == 1 and "b.png" in said[0]


@pytest.mark.parametrize("text", ["", "{}", '{"objects": [{"data": [1, 2]}]}', '{"objects": [{"data": [["a", 1], [2, 3]]}]}'])
def test_markup_that_is_something_else_is_refused_by_name(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SourceError, match="x.json: expected"):
        read_markup(tmp_path / "x.json")

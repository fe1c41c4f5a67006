"""Pose from two images: corners and correlation, each against the known motion at any heading."""

import numpy as np
import pytest

from bev_loc.config import BevConfig, VerifyConfig
from bev_loc.geometry import se3
from bev_loc.verify.correlation import Correlator, halved, structure_of
from bev_loc.verify.image_comparison import ImageComparison
from bev_loc.verify.match import describe, mutual
from bev_loc.verify.planar import PlanarMatch
from bev_loc.verify.planar_refine import refine
from bev_loc.verify.ransac import fit_rigid

BEV = BevConfig()
HEADINGS_DEG = [0, 31, 90, 135, 180, -100]


def _close(x_y_yaw: tuple[float, float, float], T_match_query: np.ndarray) -> bool:
    shift_m, turn_rad = se3.distance(se3.from_se2(*x_y_yaw), T_match_query)
    return shift_m < 0.35 and turn_rad < np.radians(1.5)


@pytest.mark.parametrize("degrees", HEADINGS_DEG)
def test_half_the_resolution_shows_the_same_motion(make_keyframe, degrees):
    T_match_query = se3.from_se2(3.0, -2.0, np.radians(degrees))
    coarse = ImageComparison(VerifyConfig(), BEV).coarse
    match, query = (coarse.spectra.of(make_keyframe(n, T)) for n, T in ((1, np.eye(4)), (2, T_match_query)))
    planar = coarse.correlator.align(match, query)
    assert _close((planar.x_m, planar.y_m, planar.yaw_rad), T_match_query) and planar.score > 0.7


@pytest.mark.parametrize("middle", [4, 5])
def test_a_halved_image_keeps_its_middle(middle):
    structure = np.zeros((2 * middle + 1, 2 * middle + 1), np.float32)
    structure[middle, middle] = 1.0
    small = halved(structure)
    assert small.shape == (2 * (middle // 2) + 1,) * 2
    assert np.unravel_index(small.argmax(), small.shape) == (middle // 2, middle // 2)


@pytest.mark.parametrize("degrees", HEADINGS_DEG)
def test_correlation_finds_the_motion_in_both_directions_of_the_street(make_keyframe, degrees):
    T_match_query = se3.from_se2(3.0, -2.0, np.radians(degrees))
    correlator = Correlator(BEV)
    match, query = (correlator.spectra(structure_of(make_keyframe(n, T).image)) for n, T in ((1, np.eye(4)), (2, T_match_query)))
    planar = correlator.align(match, query)
    assert _close((planar.x_m, planar.y_m, planar.yaw_rad), T_match_query)
    assert planar.score > 0.7 > correlator.score(match, query, planar.x_m + 3.0, planar.y_m, planar.yaw_rad)


@pytest.mark.parametrize("degrees", HEADINGS_DEG)
def test_corners_find_the_motion(make_keyframe, degrees):
    T_match_query = se3.from_se2(-2.0, 4.0, np.radians(degrees))
    match, query = (describe(make_keyframe(n, T).image, BEV) for n, T in ((1, np.eye(4)), (2, T_match_query)))
    pairs = mutual(match, query)
    fit = fit_rigid(pairs.match_xy_m, pairs.query_xy_m, 0.6, np.random.default_rng(0))
    assert fit.inliers >= 20 and _close(fit.x_y_yaw, T_match_query)


def test_a_pose_some_centimetres_off_is_brought_nearer_by_the_whole_images(make_keyframe):
    correlator, before, after = Correlator(BEV), [], []
    match = correlator.spectra(structure_of(make_keyframe(1, np.eye(4)).image))
    for n, degrees in enumerate(HEADINGS_DEG):
        T_match_query = se3.from_se2(2.1 + 0.13 * n, -1.7 + 0.07 * n, np.radians(degrees + 0.4))
        query = correlator.spectra(structure_of(make_keyframe(2 + n, T_match_query).image))
        start = PlanarMatch(
            method="keypoints", x_m=2.1 + 0.13 * n + 0.15, y_m=-1.7 + 0.07 * n - 0.12, yaw_rad=np.radians(degrees - 0.2)
        )
        found = refine(correlator, match, query, start)
        for planar, errors in ((start, before), (found, after)):
            errors.append(se3.distance(se3.from_se2(planar.x_m, planar.y_m, planar.yaw_rad), T_match_query))
    assert (np.mean(after, 0) < np.mean(before, 0) / 2.5).all()
    assert np.max(after, 0)[0] < 0.12


def test_a_pose_far_from_the_right_one_stays_as_it_came(make_keyframe):
    correlator = Correlator(BEV)
    match, query = (correlator.spectra(structure_of(make_keyframe(n, np.eye(4)).image)) for n in (1, 2))
    far = PlanarMatch(method="correlation", x_m=9.0, y_m=5.0, yaw_rad=0.7, score=0.3)
    found = refine(correlator, match, query, far)
    assert np.hypot(found.x_m - far.x_m, found.y_m - far.y_m) <= 0.4
    empty = correlator.spectra(np.zeros((201, 201), np.float32))
    assert refine(correlator, match, empty, far) is far and refine(correlator, empty, query, far) is far


def test_an_image_lies_on_itself(make_keyframe):
    correlator = Correlator(BEV)
    spectra = correlator.spectra(structure_of(make_keyframe(1, np.eye(4)).image))
    planar = correlator.align(spectra, spectra)
    np.testing.assert_allclose([planar.x_m, planar.y_m, planar.yaw_rad], 0.0, atol=0.02)
    assert planar.score == pytest.approx(1.0, abs=0.01)


def test_the_chosen_pairs_are_those_of_a_brute_force_search(make_keyframe):
    match, query = (describe(make_keyframe(n, np.eye(4)).image, BEV) for n in (1, 2))
    distances = np.linalg.norm(query.descriptors[:, None] - match.descriptors[None], axis=2)
    expected = [
        (q, m) for q, m in enumerate(distances.argmin(1)) if distances[:, m].argmin() == q
    ]
    pairs = mutual(match, query)
    np.testing.assert_array_equal(pairs.query_xy_m, query.xy_m[[q for q, _ in expected]])
    np.testing.assert_array_equal(pairs.match_xy_m, match.xy_m[[m for _, m in expected]])

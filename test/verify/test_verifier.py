"""The verifier's answers on a town of known truth: accepted poses, and every reason to refuse."""

from dataclasses import replace

import numpy as np
import pytest

from bev_loc.bev.raster import rasterise
from bev_loc.config import BevConfig, VerifyConfig
from bev_loc.geometry import se3, so3
from bev_loc.records import Candidate, Closure, Keyframe
from bev_loc.verify import reasons
from bev_loc.verify.verifier import Verifier

BEV = BevConfig()
NOTHING = np.zeros((0, 3), np.float32)


def _verify(query: Keyframe, match: Keyframe, config: VerifyConfig = VerifyConfig()) -> Closure:  # noqa: B008
    candidate = Candidate(query_id=query.id, match_id=match.id, distance=0.3)
    return Verifier(config, BEV).verify(candidate, query, match, NOTHING)


@pytest.mark.parametrize("degrees", [0, 45, 180, -110])
@pytest.mark.parametrize("height_m", [0.0, 2.5])
def test_the_same_place_is_accepted_with_its_pose(make_keyframe, degrees, height_m):
    T_match_query = se3.from_parts(so3.from_rpy(0.03, -0.02, np.radians(degrees)), np.array([3.0, -2.0, height_m]))
    closure = _verify(make_keyframe(2, T_match_query), make_keyframe(1, np.eye(4)))
    shift_m, turn_rad = se3.distance(closure.T_match_query, T_match_query)
    assert closure.accepted and closure.reason == reasons.ACCEPTED
    assert shift_m < 0.1 and turn_rad < np.radians(0.3)
    assert closure.overlap > 0.4 and closure.rmse_m < 0.3 and closure.descriptor_distance == 0.3
    assert (np.linalg.eigvalsh(closure.information) > 0).all()


def test_a_pose_survives_levelling_that_is_degrees_wrong(make_keyframe):
    T_match_query = se3.from_se2(1.0, 2.0, 0.4)
    query = make_keyframe(2, T_match_query, R_level_kf=so3.from_rpy(0.12, -0.08, 0.0))
    closure = _verify(query, make_keyframe(1, np.eye(4)))
    shift_m, turn_rad = se3.distance(closure.T_match_query, T_match_query)
    assert closure.accepted and shift_m < 0.1 and turn_rad < np.radians(0.3)


def test_a_cloud_seen_twice_is_found_exactly(make_keyframe):
    closure = _verify(replace(make_keyframe(1, np.eye(4)), id=2), make_keyframe(1, np.eye(4)))
    assert closure.accepted and closure.overlap == 1.0
    np.testing.assert_allclose(closure.T_match_query, np.eye(4), atol=1e-3)


def test_another_town_is_refused(make_keyframe):
    for other in (3, 4, 5):
        closure = _verify(make_keyframe(2, np.eye(4), town=other), make_keyframe(1, np.eye(4)))
        assert not closure.accepted and closure.reason == reasons.IMAGES_DISAGREE


def test_another_town_is_refused_by_its_clouds_too_for_ground_on_ground_always_registers(make_keyframe):
    query, match = make_keyframe(2, np.eye(4), town=3), make_keyframe(1, np.eye(4))
    closure = _verify(query, match, VerifyConfig(min_correlation=0.0))
    assert not closure.accepted and closure.reason in (reasons.LOW_OVERLAP, reasons.DIVERGED)
    assert closure.overlap < 0.2


def test_clouds_without_common_structure_are_given_up_after_the_first_approach(make_keyframe):
    config = VerifyConfig(min_inliers=3, min_correlation=0.0)
    closure = _verify(make_keyframe(2, np.eye(4), town=1), make_keyframe(1, np.eye(4)), config)
    assert closure.reason == reasons.LOW_OVERLAP and closure.overlap < 0.3
    assert closure.T_match_query is not None and closure.information is None  # never registered to the end


def test_the_surroundings_are_read_only_where_the_own_cloud_is_not_enough(make_keyframe):
    match, query = make_keyframe(1, np.eye(4)), make_keyframe(2, se3.from_se2(1.0, 0.0, 0.1))
    ahead = replace(match, points_kf=match.points_kf[match.points_kf[:, 0] > -4.0])  # without its neighbours half of it is missing
    asked: list[int] = []

    def submap_kf(id: int) -> np.ndarray:
        asked.append(id)
        return match.points_kf

    for seen, enough in ((match, 0.4), (ahead, 0.75)):
        verifier = Verifier(VerifyConfig(min_overlap=enough), BEV)
        candidate = Candidate(query_id=2, match_id=1, distance=0.3)
        (closure,) = verifier.verify_best([candidate], query, {1: seen}.__getitem__, submap_kf)
        assert closure.accepted and closure.overlap >= enough
    assert asked == [1]


def _bare(keyframe: Keyframe) -> Keyframe:
    """Nothing left but two railings, as on a bridge."""
    x = np.repeat(np.arange(-35, 35, 0.2), 6)
    z = np.tile(np.arange(6) * 0.2 - 1.0, 350)
    points = np.vstack([np.column_stack([x, np.full_like(x, y), z]) for y in (-6.0, 6.0)]).astype(np.float32)
    points = points[np.abs(points[:, 0]) < 20]
    return replace(keyframe, points_kf=points, image=rasterise(points, BEV))


def _sparse(keyframe: Keyframe) -> Keyframe:
    return replace(keyframe, points_kf=keyframe.points_kf[:50])


def _empty(keyframe: Keyframe) -> Keyframe:
    return replace(keyframe, points_kf=NOTHING, image=rasterise(NOTHING, BEV))


def _elsewhere_in_space(keyframe: Keyframe) -> Keyframe:
    """A cloud that lies 2.7 m beside its image: registration finds it, but not where the images said."""
    return replace(keyframe, points_kf=keyframe.points_kf + np.array([2.2, 1.6, 0.0], np.float32))


STRICT_OVERLAP = VerifyConfig(min_overlap=1.0)
STRICT_RESIDUAL = VerifyConfig(max_rmse_m=0.01)
STRICT_IMAGES = VerifyConfig(min_inliers=1000, min_correlation=1.0)


@pytest.mark.parametrize(
    ("reason", "change", "config", "has_pose"),
    [
        (reasons.NO_STRUCTURE, _empty, VerifyConfig(), False),
        (reasons.IMAGES_DISAGREE, lambda keyframe: keyframe, STRICT_IMAGES, False),
        (reasons.TOO_BARE, _bare, VerifyConfig(min_inliers=100), False),
        (reasons.CLOUD_TOO_SMALL, _sparse, VerifyConfig(), False),
        (reasons.DIVERGED, _elsewhere_in_space, VerifyConfig(), True),
        (reasons.LOW_OVERLAP, lambda keyframe: keyframe, STRICT_OVERLAP, True),
        (reasons.LARGE_RESIDUAL, lambda keyframe: keyframe, STRICT_RESIDUAL, True),
    ],
)
def test_every_refusal_has_its_reason(make_keyframe, reason, change, config, has_pose):
    match, query = make_keyframe(1, np.eye(4)), change(make_keyframe(2, se3.from_se2(1.0, 0.0, 0.1)))
    closure = _verify(query, change(match) if change is _bare else match, config)
    assert not closure.accepted and closure.reason == reason
    assert (closure.T_match_query is not None) == has_pose


def test_the_same_question_gives_the_same_bytes_whatever_was_asked_before(make_keyframe):
    match, query = make_keyframe(1, np.eye(4)), make_keyframe(2, se3.from_se2(2, 1, 0.5))
    other = make_keyframe(7, np.eye(4), town=3)
    experienced = Verifier(VerifyConfig(), BEV)
    for asked in (other, query):
        experienced.verify(Candidate(query_id=asked.id, match_id=7, distance=0.0), asked, other, NOTHING)
    one = _verify(query, match)
    two = experienced.verify(Candidate(query_id=2, match_id=1, distance=0.3), query, match, NOTHING)
    assert one.T_match_query.tobytes() == two.T_match_query.tobytes()
    assert one.information.tobytes() == two.information.tobytes() and one.score == two.score


def test_of_several_candidates_the_right_one_is_accepted_and_the_rest_say_why(make_keyframe, no_submap):
    places = {
        1: make_keyframe(1, np.eye(4), town=3),
        2: make_keyframe(2, np.eye(4)),
        3: make_keyframe(3, se3.from_se2(1.5, 0.5, 0.2)),
    }
    query = make_keyframe(9, se3.from_se2(2.0, 1.0, 3.0))
    candidates = [Candidate(query_id=9, match_id=id, distance=0.1 * id) for id in places]
    closures = Verifier(VerifyConfig(), BEV).verify_best(candidates, query, places.__getitem__, no_submap)
    assert [closure.match_id for closure in closures] == [1, 2, 3]
    assert [closure.accepted for closure in closures[1:]].count(True) == 1 and not closures[0].accepted
    assert closures[0].reason == reasons.IMAGES_DISAGREE
    assert sorted(closure.reason for closure in closures[1:]) == sorted([reasons.ACCEPTED, reasons.NOT_NEEDED])

"""The state machine of localization, fed with evidence by hand."""

import numpy as np

from bev_loc.config import LocalizationConfig
from bev_loc.geometry import se3
from bev_loc.records import BevImage, Closure, Keyframe, State
from bev_loc.tracking import Hit, Tracker

T_MAP_ODOM = se3.from_se2(40.0, -7.0, 2.0)


def keyframe(id: int, path_m: float) -> Keyframe:
    blank = BevImage(counts=np.zeros((3, 3), np.uint8), mean_height_m=np.zeros((3, 3), np.float32))
    return Keyframe(
        id=id,
        session=1,
        stamp_ns=id,
        T_odom_kf=se3.from_se2(path_m, 0.0, 0.0),
        R_level_kf=np.eye(3),
        points_kf=np.zeros((0, 3), np.float32),
        image=blank,
        descriptor=np.zeros(4, np.float32),
        path_m=path_m,
    )


def hit(at: Keyframe, T_map_odom: np.ndarray = T_MAP_ODOM, match: int = 0) -> Hit:
    """Evidence that the odometry's origin lies at T_map_odom."""
    closure = Closure(
        query_id=at.id,
        match_id=match,
        accepted=True,
        reason="accepted",
        method="keypoints",
        T_match_query=np.eye(4),
        information=None,
        descriptor_distance=0.1,
    )
    return Hit(closure=closure, T_map_odom=T_map_odom, T_odom_kf=at.T_odom_kf, path_m=at.path_m)


def found_tracker() -> Tracker:
    tracker = Tracker(LocalizationConfig())
    for id in (1, 2):
        at = keyframe(id, 2.0 * id)
        tracker.judge(at, [hit(at)], None)
    assert tracker.state is State.TRACKING
    return tracker


def test_one_hit_is_not_enough_and_a_second_that_agrees_is() -> None:
    tracker = Tracker(LocalizationConfig())
    first, second = keyframe(1, 2.0), keyframe(2, 4.0)
    belief = tracker.judge(first, [hit(first)], None)
    assert tracker.state is State.SEARCHING and belief.T_map_odom is None and not belief.refused[0].accepted
    belief = tracker.judge(second, [hit(second)], None)
    assert tracker.state is State.TRACKING and belief.T_map_odom is not None
    assert [c.query_id for c in belief.closures] == [1, 2]
    np.testing.assert_allclose(belief.T_map_odom, T_MAP_ODOM)


def test_two_hits_of_one_keyframe_are_one_piece_of_evidence() -> None:
    tracker = Tracker(LocalizationConfig())
    at = keyframe(1, 2.0)
    tracker.judge(at, [hit(at, match=3), hit(at, match=4)], None)
    assert tracker.state is State.SEARCHING


def test_hits_that_disagree_by_place_or_heading_do_not_add_up() -> None:
    for wrong in (se3.from_se2(3.0, 0.0, 0.0), se3.from_se2(0.0, 0.0, np.radians(6.0))):
        tracker = Tracker(LocalizationConfig())
        first, second = keyframe(1, 2.0), keyframe(2, 4.0)
        tracker.judge(first, [hit(first)], None)
        tracker.judge(second, [hit(second, T_MAP_ODOM @ second.T_odom_kf @ wrong @ se3.inverse(second.T_odom_kf))], None)
        assert tracker.state is State.SEARCHING


def test_old_hits_confirm_nothing() -> None:
    tracker = Tracker(LocalizationConfig())
    first, second = keyframe(1, 2.0), keyframe(2, 150.0)
    tracker.judge(first, [hit(first)], None)
    tracker.judge(second, [hit(second)], None)
    assert tracker.state is State.SEARCHING


def test_more_hits_may_be_demanded() -> None:
    tracker = Tracker(LocalizationConfig(consistent_hits=3))
    states = []
    for id in (1, 2, 3):
        at = keyframe(id, 2.0 * id)
        tracker.judge(at, [hit(at)], None)
        states.append(tracker.state)
    assert states == [State.SEARCHING, State.SEARCHING, State.TRACKING]


def test_keyframes_that_do_not_fit_are_counted_until_the_place_is_given_up() -> None:
    tracker = found_tracker()
    reasons = []
    for id in range(3, 3 + LocalizationConfig().lost_after):
        at = keyframe(id, 2.0 * id)
        belief = tracker.judge(at, [], T_MAP_ODOM @ at.T_odom_kf, map_near=id % 2 == 0)
        reasons.append(belief.reasons)
    assert belief.lost and tracker.state is State.LOST and reasons[-1][-1] == "lost"
    assert {reason[0] for reason in reasons} == {"does not fit the map", "outside the map"}


def test_a_fit_in_between_starts_the_count_again() -> None:
    tracker = found_tracker()
    for id in range(3, 30):
        at = keyframe(id, 2.0 * id)
        tracker.judge(at, [hit(at)] if id % 5 == 0 else [], T_MAP_ODOM @ at.T_odom_kf)
        assert tracker.state is State.TRACKING


def test_hits_that_agree_on_another_place_end_the_track_and_one_more_finds_it() -> None:
    tracker, elsewhere = found_tracker(), se3.from_se2(200.0, 50.0, -1.0)
    states = []
    for id in (3, 4, 5):
        at = keyframe(id, 2.0 * id)
        T_map_kf = T_MAP_ODOM @ at.T_odom_kf if tracker.state is State.TRACKING else None
        belief = tracker.judge(at, [hit(at, elsewhere)], T_map_kf)
        states.append(tracker.state)
    assert states == [State.TRACKING, State.LOST, State.TRACKING]
    np.testing.assert_allclose(belief.T_map_odom, elsewhere)


def test_a_single_stray_hit_is_refused_and_does_not_end_the_track() -> None:
    tracker = found_tracker()
    at = keyframe(3, 6.0)
    belief = tracker.judge(at, [hit(at, se3.from_se2(200.0, 50.0, -1.0))], T_MAP_ODOM @ at.T_odom_kf)
    assert tracker.state is State.TRACKING and not belief.closures
    assert belief.refused[0].reason == "not where it is tracked"


def test_two_hits_against_the_track_end_it_even_if_they_disagree() -> None:
    tracker = found_tracker()
    for id, slip_m in ((3, 6.0), (4, 13.0)):  # an odometry that drives twice as far as the vehicle
        at = keyframe(id, 2.0 * id)
        belief = tracker.judge(at, [hit(at, T_MAP_ODOM @ se3.from_se2(-slip_m, 0.0, 0.0))], T_MAP_ODOM @ at.T_odom_kf)
    assert belief.lost and tracker.state is State.LOST


def test_a_hint_needs_a_hit_near_it_and_then_one_is_enough() -> None:
    at = keyframe(1, 2.0)
    T_map_kf = T_MAP_ODOM @ at.T_odom_kf
    near, far = T_map_kf @ se3.from_se2(4.0, 3.0, 0.3), T_map_kf @ se3.from_se2(15.0, 0.0, 0.0)
    for hint, hits, state in ((near, [hit(at)], State.TRACKING), (far, [hit(at)], State.SEARCHING), (near, [], State.SEARCHING)):
        tracker = Tracker(LocalizationConfig())
        belief = tracker.judge(at, hits, None, T_map_hint=hint)
        assert tracker.state is state
        assert ("hint not confirmed" in belief.reasons) == (state is State.SEARCHING)


def test_a_wrong_hint_does_not_disturb_a_track_that_fits() -> None:
    tracker = found_tracker()
    at = keyframe(3, 6.0)
    belief = tracker.judge(at, [hit(at)], T_MAP_ODOM @ at.T_odom_kf, T_map_hint=se3.from_se2(-90.0, 0.0, 0.0))
    assert tracker.state is State.TRACKING and belief.T_map_odom is None and len(belief.closures) == 1


def test_forgetting_drops_the_evidence_too() -> None:
    tracker = Tracker(LocalizationConfig())
    first, second = keyframe(1, 2.0), keyframe(2, 4.0)
    tracker.judge(first, [hit(first)], None)
    tracker.forget()
    tracker.judge(second, [hit(second)], None)
    assert tracker.state is State.SEARCHING


def test_a_place_too_bare_to_compare_speaks_neither_for_nor_against_it() -> None:
    tracker = found_tracker()
    for id in range(3, 40):
        belief = tracker.judge(keyframe(id, 2.0 * id), [], T_MAP_ODOM, bare=True)
        assert tracker.state is State.TRACKING and belief.reasons and not belief.lost


def test_limits_change_while_it_runs() -> None:
    tracker = found_tracker()
    tracker.reconfigure(LocalizationConfig(lost_after=2))
    for id in (3, 4):
        tracker.judge(keyframe(id, 2.0 * id), [], T_MAP_ODOM)
    assert tracker.state is State.LOST

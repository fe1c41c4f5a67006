"""Closures enter the graph in agreement with others; look-alikes stay out, however well they were verified."""

import numpy as np
from drifted_square import SIDE, closure, graph_of, square, true_closure

from bev_loc.config import GraphConfig
from bev_loc.geometry import se3
from bev_loc.graph.consistency import BEYOND_DRIFT, INCONSISTENT, UNCONFIRMED, ConsistencyGate
from bev_loc.graph.pose_graph import PoseGraph

LAP = 4 * SIDE


def test_a_second_closure_that_agrees_lets_both_in_and_a_contradiction_stays_out() -> None:
    true, drifted = square(laps=2)
    graph, gate = graph_of(drifted), ConsistencyGate(GraphConfig())
    first, second = true_closure(LAP + 11, 11, true), true_closure(LAP + 12, 12, true)
    offered = gate.offer(first, graph)
    assert not offered.admitted and offered.refused is not None
    assert offered.refused.reason == UNCONFIRMED and not offered.refused.accepted
    assert gate.offer(second, graph).admitted == (first, second)
    contradiction = closure(LAP + 13, 12, se3.from_se2(5.0, 6.0, 0.5))
    refused = gate.offer(contradiction, graph).refused
    assert refused is not None and refused.reason == INCONSISTENT


def test_a_closure_within_the_expected_drift_needs_no_second() -> None:
    true, _ = square(laps=2)
    graph = graph_of(true)
    assert ConsistencyGate(GraphConfig()).offer(true_closure(LAP + 5, 5, true), graph).admitted


def test_where_two_witnesses_are_asked_for_a_pair_waits_for_a_third() -> None:
    true, drifted = square(laps=2)
    graph, gate = graph_of(drifted), ConsistencyGate(GraphConfig(), witnesses=2)
    first, second, third = (true_closure(LAP + n, n, true) for n in (11, 12, 13))
    for waiting in (first, second):
        refused = gate.offer(waiting, graph).refused
        assert refused is not None and refused.reason == UNCONFIRMED
    assert set(closure.match_id for closure in gate.offer(third, graph).admitted) == {11, 12, 13}
    straight = graph_of(true)
    assert ConsistencyGate(GraphConfig(), witnesses=2).offer(true_closure(LAP + 5, 5, true), straight).admitted  # expected there


def test_two_matches_of_one_keyframe_do_not_confirm_each_other() -> None:
    true, drifted = square(laps=2)
    graph, gate = graph_of(drifted), ConsistencyGate(GraphConfig())
    for match in (55, 56):  # a look-alike and its neighbour
        T = se3.inverse(true[match]) @ true[55] @ se3.from_se2(0.0, 0.0, np.pi / 2)
        assert not gate.offer(closure(LAP + 10, match, T), graph).admitted


def test_a_first_look_alike_does_not_keep_the_right_ones_out() -> None:
    true, drifted = square(laps=2)
    graph, gate = graph_of(drifted), ConsistencyGate(GraphConfig())
    wrong = closure(LAP + 10, 12, se3.from_se2(-4.0, 9.0, 0.4))
    gate.offer(wrong, graph)
    admitted = [c for n in (11, 12, 13) for c in gate.offer(true_closure(LAP + n, n, true), graph).admitted]
    assert [c.match_id for c in admitted] == [11, 12, 13]


def test_closures_after_a_slip_of_the_odometry_win_against_those_before_it() -> None:
    true, drifted = square(laps=2)
    slipped = [T if n < LAP + 20 else se3.from_se2(0.0, 0.0, 0.0) @ T for n, T in enumerate(drifted)]
    T_before = slipped[LAP + 19]
    for n in range(LAP + 20, len(slipped)):  # 5 m lost between two keyframes
        slipped[n] = T_before @ se3.from_se2(5.0, 0.0, 0.0) @ se3.inverse(T_before) @ drifted[n]
    graph, gate = graph_of(slipped), ConsistencyGate(GraphConfig())
    before = [gate.offer(true_closure(LAP + n, n, true), graph) for n in range(14, 20)]
    after = [gate.offer(true_closure(LAP + n, n, true), graph) for n in range(20, 26)]
    assert before[-1].admitted
    assert not after[0].admitted and after[-1].admitted
    assert {c.match_id for a in after for c in a.admitted} >= set(range(21, 26))


def test_a_street_that_repeats_itself_is_not_closed_however_often_it_agrees() -> None:
    straight = [se3.from_se2(5.0 * n, 0.0, 0.0) for n in range(60)]
    graph, gate = graph_of(straight), ConsistencyGate(GraphConfig())
    for n in range(30, 60):  # every place looks like the one 100 m before
        refused = gate.offer(closure(n, n - 20, np.eye(4)), graph).refused
        assert refused is not None and refused.reason == BEYOND_DRIFT


def test_closures_of_two_drives_are_compared_by_each_drives_own_odometry() -> None:
    true, _ = square()
    graph: PoseGraph = graph_of(true)
    gate = ConsistencyGate(GraphConfig())
    graph.anchor(1, se3.from_se2(4.0, -2.0, 0.1))  # a first guess that is off
    for n, T in enumerate(true):
        graph.add_keyframe(1000 + n, se3.from_se2(70.0, 0.0, 2.0) @ T, 1)
    assert not gate.offer(closure(1010, 10, np.eye(4)), graph).admitted
    assert len(gate.offer(closure(1011, 11, np.eye(4)), graph).admitted) == 2


def two_drives(ahead_m: float) -> PoseGraph:
    """The same straight road driven twice, 5 m a keyframe; ids of the second drive begin at 1000, and it is put so far ahead."""
    road = [se3.from_se2(5.0 * n, 0.0, 0.0) for n in range(60)]
    graph = graph_of(road)
    graph.anchor(1, se3.from_se2(ahead_m, 0.0, 0.0))
    for n, T in enumerate(road):
        graph.add_keyframe(1000 + n, T, 1)
    return graph


def test_a_repeating_street_is_not_closed_between_drives_that_are_joined() -> None:
    graph, gate = two_drives(ahead_m=0.0), ConsistencyGate(GraphConfig())
    for n in range(4):
        graph.add_closure(closure(1000 + n, n, np.eye(4)))
    for n in range(20, 40):  # every place looks like the one 75 m before
        refused = gate.offer(closure(1000 + n, n - 15, np.eye(4)), graph).refused
        assert refused is not None and refused.reason == BEYOND_DRIFT
    first, second = closure(1045, 45, np.eye(4)), closure(1046, 46, np.eye(4))
    assert not gate.offer(first, graph).admitted and gate.offer(second, graph).admitted == (first, second)


def test_two_look_alikes_that_joined_two_drives_do_not_keep_the_right_closures_out() -> None:
    graph, gate = two_drives(ahead_m=100.0), ConsistencyGate(GraphConfig())
    for n in (3, 4):
        graph.add_closure(closure(1000 + n, n + 20, np.eye(4)))
    right = [closure(1000 + n, n, np.eye(4)) for n in (7, 8, 9)]
    assert [len(gate.offer(c, graph).admitted) for c in right] == [0, 2, 1]

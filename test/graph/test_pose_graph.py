"""The pose graph straightens what drift has bent, and is not fooled by one wrong closure."""

import numpy as np
import pytest
from drifted_square import SIDE, closure, graph_of, square, true_closure

from bev_loc.config import GraphConfig
from bev_loc.errors import EstimateError
from bev_loc.geometry import se3, so3
from bev_loc.graph.pose_graph import PoseGraph, closure_covariance, covariance_since, odometry_covariance
from bev_loc.records import Fit


def optimised(graph: PoseGraph) -> dict[int, np.ndarray]:
    graph.optimise()
    return graph.places()


def worst_m(places: dict[int, np.ndarray], true: list[np.ndarray]) -> float:
    return max(float(np.linalg.norm(T[:3, 3] - true[id][:3, 3])) for id, T in places.items())


def test_without_closures_the_places_are_the_odometrys() -> None:
    _, drifted = square()
    places = optimised(graph_of(drifted))
    assert all(np.allclose(places[id], T, atol=1e-9) for id, T in enumerate(drifted))


def test_one_closure_straightens_a_square_with_drift() -> None:
    true, drifted = square()
    graph = graph_of(drifted)
    assert worst_m(graph.places(), true) > 10.0
    graph.add_closure(true_closure(4 * SIDE, 0, true))
    places = optimised(graph)
    assert worst_m(places, true) < 2.0
    np.testing.assert_allclose(places[4 * SIDE], true[4 * SIDE], atol=0.05)
    np.testing.assert_allclose(places[0], np.eye(4), atol=1e-6)  # the map does not move under its first keyframe


def test_a_wrong_closure_is_outvoted_by_the_kernel() -> None:
    true, drifted = square(laps=2)
    graph = graph_of(drifted)
    for n in range(0, 4 * SIDE, 8):
        graph.add_closure(true_closure(4 * SIDE + n, n, true))
    graph.optimise()
    before_m = worst_m(graph.places(), true)
    graph.add_closure(closure(4 * SIDE + 30, 70, np.eye(4)))
    assert worst_m(optimised(graph), true) < before_m + 0.3


def test_a_wrong_closure_among_the_first_is_outvoted_too() -> None:
    true, drifted = square(laps=2)
    graph = graph_of(drifted)
    graph.add_closure(closure(4 * SIDE + 30, 70, np.eye(4)))
    for n in range(0, 4 * SIDE, 4):
        graph.add_closure(true_closure(4 * SIDE + n, n, true))
    assert worst_m(optimised(graph), true) < 2.5


def test_the_same_input_gives_the_same_bytes() -> None:
    true, drifted = square(laps=2)
    results = []
    for _ in range(2):
        graph = graph_of(drifted)
        for n in range(0, 4 * SIDE, 4):
            graph.add_closure(true_closure(4 * SIDE + n, n, true))
            graph.optimise()
        results.append(np.array(list(graph.places().values())).tobytes())
    assert results[0] == results[1]


def test_a_second_session_waits_until_it_is_anchored_and_then_fits_the_first() -> None:
    true, drifted = square()
    graph = graph_of(true)
    T_odom1_map = se3.from_se2(30.0, -12.0, 1.0)
    for n, T in enumerate(drifted):
        graph.add_keyframe(1000 + n, T_odom1_map @ T, 1)
    for n in (10, 20, 30, 60):
        graph.add_closure(closure(1000 + n, n, np.eye(4)))
    assert 1000 not in optimised(graph)
    graph.anchor(1, se3.inverse(T_odom1_map))
    places = optimised(graph)
    for n in (10, 20, 30, 60):
        np.testing.assert_allclose(places[1000 + n], places[n], atol=0.1)


def test_keyframes_of_a_fixed_map_do_not_move_and_old_ones_freeze() -> None:
    true, drifted = square()
    graph = PoseGraph(GraphConfig(), window=10)
    for id, T in enumerate(true):
        graph.add_map_keyframe(id, T, 0, T, fixed=True)
    graph.anchor(1, np.eye(4))
    for n, T in enumerate(drifted):
        graph.add_keyframe(1000 + n, T, 1)
        if n % 4 == 0:
            graph.add_closure(closure(1000 + n, n, np.eye(4)))
        graph.optimise()
    places = graph.places()
    assert all((places[id] == T).all() for id, T in enumerate(true))
    assert worst_m({n: places[1000 + n] for n in range(len(drifted))}, true) < 0.3


def test_poses_that_are_not_finite_are_refused_and_change_nothing() -> None:
    true, drifted = square()
    graph = graph_of(drifted)
    broken = true[0] * np.nan
    with pytest.raises(EstimateError, match="finite"):
        graph.add_keyframe(999, broken, 0)
    with pytest.raises(EstimateError, match="finite"):
        graph.add_closure(closure(80, 0, broken))
    graph.add_closure(closure(80, 0, se3.inverse(true[0]) @ true[80], information=np.full((6, 6), np.nan)))
    assert worst_m(optimised(graph), true) < 2.0  # without information the floors are the noise


def test_ids_are_unique_and_closures_need_both_keyframes() -> None:
    true, _ = square()
    graph = graph_of(true)
    with pytest.raises(EstimateError, match="unique"):
        graph.add_keyframe(3, np.eye(4), 0)
    with pytest.raises(EstimateError, match="not in the graph"):
        graph.add_closure(closure(5000, 0, np.eye(4)))


def test_evidence_that_is_only_planar_leaves_height_roll_and_pitch_to_the_odometry() -> None:
    planar = np.diag([0.0, 0.0, 1e4, 1e4, 1e4, 0.0])
    covariance = closure_covariance(planar, GraphConfig())
    assert np.all(np.diag(covariance)[[0, 1, 5]] > 1e5) and np.all(np.diag(covariance)[[2, 3, 4]] < 0.02)
    true, _ = square()
    graph = graph_of(true)
    bent = true[0].copy()
    bent[:3, :3] = so3.from_rpy(0.1, 0.1, 0.0)
    bent[2, 3] = 7.0
    graph.add_closure(closure(80, 0, bent, information=planar))
    assert abs(optimised(graph)[80][2, 3]) < 0.1


def test_odometry_noise_grows_with_the_distance_and_is_never_zero() -> None:
    near, far = (odometry_covariance(se3.from_se2(d, 0, 0), GraphConfig()) for d in (0.0, 50.0))
    assert np.all(np.linalg.eigvalsh(near) > 0)
    np.testing.assert_allclose(np.sqrt(np.diag(far)[3:]), 0.02 * 50)


def test_a_place_is_less_sure_the_farther_the_drive_since_the_map_fitted() -> None:
    config, yaw_rad = GraphConfig(), 0.01
    fit = Fit(T_odom_base=se3.from_se2(5.0, 1.0, 2.0), covariance=np.diag([0.0, 0.0, yaw_rad**2, 0.0, 0.0, 0.0]))
    there = covariance_since(fit, fit.T_odom_base @ se3.from_se2(20.0, 0.0, 0.0), config)
    odometry = odometry_covariance(se3.from_se2(20.0, 0.0, 0.0), config)
    np.testing.assert_allclose(np.diag(there - odometry), [0, 0, yaw_rad**2, 0, (20.0 * yaw_rad) ** 2, 0], atol=1e-12)

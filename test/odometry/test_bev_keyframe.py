"""A keyframe from above: derivatives, places found among trees, honest deviations, and when it keeps silent."""

import numpy as np
import pytest

from bev_loc.geometry import se3, so3
from bev_loc.odometry.bev_keyframe import Keyframe, Placed

AHEAD = np.array([1.0, 0.0, 0.0])
SURE, OPEN = np.diag([1e-7] * 3 + [1e-6] * 3), np.diag([1e-6] * 3 + [0.02] * 3)


def trees(rng: np.random.Generator, count: int = 30) -> np.ndarray:
    """(count, 2) where they stand, on either side of a way along x."""
    return np.column_stack([rng.uniform(-40, 40, count), rng.uniform(5, 30, count) * rng.choice([-1, 1], count)])


def seen(stems: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 3) float32 ground, and points of thin stems and wide crowns, drawn anew each time."""
    ground = np.column_stack([rng.uniform(-45, 45, (6000, 2)), rng.normal(0, 0.02, 6000)])
    stem = np.column_stack([np.repeat(stems, 12, axis=0) + rng.normal(0, 0.08, (12 * len(stems), 2)), rng.uniform(0, 3, 12 * len(stems))])
    crown = np.column_stack([np.repeat(stems, 20, axis=0) + rng.normal(0, 0.5, (20 * len(stems), 2)), rng.uniform(3, 5, 20 * len(stems))])
    return np.concatenate([ground, stem, crown]).astype(np.float32)


def true_pose() -> np.ndarray:
    return se3.from_xyz_rpy((4.0, 0.2, 1.5, 0.0, 0.0, 0.05))


def placed(rng: np.random.Generator, off_m: tuple[float, float], covariance: np.ndarray = OPEN) -> Placed | None:
    """A scan 4 m ahead of a keyframe among trees, its pose predicted that far off."""
    stems, true = trees(rng), true_pose()
    predicted = se3.from_parts(true[:3, :3], true[:3, 3] + [*off_m, 0.0])
    keyframe = Keyframe(seen(stems, rng)[6000:], np.eye(4), AHEAD)
    return keyframe.place(se3.apply(predicted @ se3.inverse(true), seen(stems, rng)), predicted, covariance)


@pytest.mark.parametrize("seed", range(5))
def test_the_jacobian_is_that_of_central_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T = se3.from_xyz_rpy((*rng.normal(0, 5, 3), *rng.normal(0, 0.1, 2), rng.uniform(-3, 3)))
    one = Placed(T_odom_body=T, off_m=rng.normal(0, 0.1, 2), covariance_m2=np.diag([1e-4, 4e-4]))
    steps = 1e-6 * np.eye(6)
    numeric = [(one.residual_m(T @ se3.exp(step)) - one.residual_m(T @ se3.exp(-step))) / 2e-6 for step in steps]
    assert np.allclose(one.jacobian(T), np.transpose(numeric), atol=1e-5)
    hessian, gradient = one.linearise(T)
    assert np.allclose(hessian, one.jacobian(T).T @ np.diag([1e4, 2.5e3]) @ one.jacobian(T))
    assert np.allclose(gradient, one.jacobian(T).T @ np.diag([1e4, 2.5e3]) @ one.residual_m(T))


@pytest.mark.parametrize("off_m", [(0.0, 0.0), (0.3, 0.0), (-0.4, 0.1), (0.1, -0.2)])
def test_a_scan_among_trees_is_placed_to_centimetres_from_a_wrong_prediction(off_m: tuple[float, float]) -> None:
    for seed in range(4):
        found = placed(np.random.default_rng(seed), off_m)
        assert found is not None and (np.abs(found.off_m + off_m) < [0.05, 0.08]).all()
        assert np.allclose(found.residual_m(true_pose()), -found.off_m - off_m)


def test_what_the_heading_may_be_off_is_in_the_covariance_of_a_place_among_trees_on_one_side() -> None:
    rng, true, lengths = np.random.default_rng(3), true_pose(), []
    one_sided = np.column_stack([rng.uniform(-10, 10, 40), rng.uniform(25, 40, 40)])
    keyframe = Keyframe(seen(one_sided, rng)[6000:], np.eye(4), AHEAD)
    loose = OPEN + np.diag([0.0, 0.0, 4e-3**2, 0.0, 0.0, 0.0])
    for _ in range(30):
        predicted = se3.from_parts(so3.exp(np.array([0.0, 0.0, rng.normal(0, 4e-3)])) @ true[:3, :3], true[:3, 3])
        found = keyframe.place(se3.apply(predicted @ se3.inverse(true), seen(one_sided, rng)), predicted, loose)
        assert found is not None and 0.1 < np.sqrt(found.covariance_m2[0, 0]) < 0.2  # 4 mrad over some 32 m
        lengths.append(found.off_m @ np.linalg.solve(found.covariance_m2, found.off_m))
    assert 1.0 < np.mean(lengths) < 3.5  # 2 if it were exact
    assert not found.jacobian(predicted)[:, :3].any()  # it does not turn the vehicle


def test_its_covariance_is_that_of_its_errors() -> None:
    lengths = []
    for seed in range(60):
        found = placed(np.random.default_rng(100 + seed), (0.1, 0.05))
        assert found is not None
        error = found.residual_m(true_pose())
        lengths.append(error @ np.linalg.solve(found.covariance_m2, error))
    assert 0.5 < np.mean(lengths) < 4.0  # 2 if it were exact


def test_a_prediction_that_does_not_allow_a_place_gives_way_only_to_much_better_agreement() -> None:
    clear = placed(np.random.default_rng(1), (0.3, 0.0), covariance=SURE)
    assert clear is not None and not clear.is_plausible(SURE) and abs(clear.off_m[0] + 0.3) < 0.05
    rng = np.random.default_rng(2)
    few = trees(rng, 1)
    keyframe, scan = Keyframe(seen(few, rng)[6000:], np.eye(4), AHEAD), seen(few, rng) + np.float32([0.15, 0, 0])
    somewhere = keyframe.place_upright(scan[6000:], true_pose(), SURE)
    assert somewhere is not None and not somewhere.is_plausible(SURE)  # it has a summit, and not a clear one
    assert keyframe.place(scan, true_pose(), SURE) is None


def test_it_says_nothing_where_nothing_stands_or_nothing_was_driven() -> None:
    rng = np.random.default_rng(5)
    stems = trees(rng)
    empty = np.zeros((0, 2))
    assert Keyframe(np.zeros((0, 3), np.float32), np.eye(4), AHEAD).place(seen(stems, rng), true_pose(), OPEN) is None
    assert Keyframe(seen(stems, rng)[6000:], np.eye(4), AHEAD).place(seen(empty, rng), true_pose(), OPEN) is None
    standing = Keyframe(seen(stems, rng)[6000:], true_pose(), AHEAD)
    assert standing.place(seen(stems, rng), true_pose(), OPEN) is None
    assert standing.reaches(true_pose()) and not standing.reaches(se3.from_xyz_rpy((40.0, 0, 0, 0, 0, 0)))

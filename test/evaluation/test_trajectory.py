import copy

import numpy as np
import pytest

from bev_loc.errors import EstimateError
from bev_loc.evaluation.trajectory import compare, compare_pairs, kitti_segment_errors, segment_errors_m
from bev_loc.geometry import se3
from bev_loc.geometry.so3 import to_quat_xyzw

EVERY_TENTH_NS = 100_000_000


def drive(count: int, seed: int) -> np.ndarray:
    """(N, 4, 4) a winding way of about a metre a pose, with bumps."""
    rng = np.random.default_rng(seed)
    poses = [np.eye(4)]
    for i in range(count - 1):
        twist = np.array([0, 0, 0.02 * np.sin(i / 40), 1.0, 0, 0]) + rng.normal(size=6) * 0.003
        poses.append(poses[-1] @ se3.exp(twist))
    return np.array(poses)


def disturbed(poses: np.ndarray, seed: int) -> np.ndarray:
    """(N, 4, 4) the same way seen from another frame with drift and noise."""
    rng = np.random.default_rng(seed)
    T = se3.exp(np.array([0.1, -0.2, 2.0, 30.0, -7.0, 2.0]))
    out = [T @ poses[0]]
    for before, after in zip(poses[:-1], poses[1:]):
        noise = se3.exp(rng.normal(size=6) * [3e-4, 3e-4, 3e-4, 0.01, 0.01, 0.01])
        out.append(out[-1] @ se3.inverse(before) @ after @ noise)
    return np.array(out)


@pytest.fixture(scope="module")
def pair():
    truth = drive(1200, 0)
    return np.arange(1200, dtype=np.int64) * EVERY_TENTH_NS, disturbed(truth, 1), truth


def as_evo(stamps_ns, poses):
    from evo.core.trajectory import PoseTrajectory3D

    q_wxyz = np.roll([to_quat_xyzw(np.ascontiguousarray(T[:3, :3])) for T in poses], 1, axis=1)
    return PoseTrajectory3D(poses[:, :3, 3], q_wxyz, stamps_ns / 1e9)


def test_ate_and_rpe_are_those_of_evo(pair):
    from evo.core import metrics

    stamps, estimate, truth = pair
    reference, aligned = as_evo(stamps, truth), as_evo(stamps, estimate)
    aligned.align(reference)
    ape = metrics.APE(metrics.PoseRelation.translation_part)
    ape.process_data((reference, aligned))
    relative = {}
    for relation in (metrics.PoseRelation.translation_part, metrics.PoseRelation.rotation_angle_deg):
        rpe = metrics.RPE(relation, delta=1, delta_unit=metrics.Unit.frames)
        rpe.process_data((copy.deepcopy(reference), copy.deepcopy(aligned)))
        relative[relation] = rpe.get_statistic(metrics.StatisticsType.rmse)

    errors = compare((stamps, estimate), (stamps, truth))

    assert errors.poses == 1200
    assert errors.ate_rmse_m == pytest.approx(ape.get_statistic(metrics.StatisticsType.rmse), rel=1e-6)
    assert errors.ate_max_m == pytest.approx(ape.get_statistic(metrics.StatisticsType.max), rel=1e-6)
    assert errors.rpe_m == pytest.approx(relative[metrics.PoseRelation.translation_part], rel=1e-6)
    assert errors.rpe_deg == pytest.approx(relative[metrics.PoseRelation.rotation_angle_deg], rel=1e-5)


def kitti_development_kit(estimate, truth):
    """evaluate_odometry.cpp, line by line."""
    along = [0.0]
    for before, after in zip(truth[:-1], truth[1:]):
        along.append(along[-1] + np.linalg.norm(after[:3, 3] - before[:3, 3]))
    rows = []
    for first in range(0, len(truth), 10):
        for length in (100, 200, 300, 400, 500, 600, 700, 800):
            last = next((i for i in range(first, len(along)) if along[i] > along[first] + length), -1)
            if last == -1:
                continue
            moved_truth = np.linalg.inv(truth[first]) @ truth[last]
            moved_estimate = np.linalg.inv(estimate[first]) @ estimate[last]
            error = np.linalg.inv(moved_estimate) @ moved_truth
            angle = np.arccos(np.clip((np.trace(error[:3, :3]) - 1) / 2, -1, 1))
            rows.append((np.linalg.norm(error[:3, 3]) / length, angle / length))
    return np.array(rows)


def test_segment_errors_are_those_of_kittis_development_kit(pair):
    _, estimate, truth = pair
    expected, got = kitti_development_kit(estimate, truth), kitti_segment_errors(estimate, truth)
    assert len(expected) == len(got) > 500
    np.testing.assert_allclose(got.mean(0), expected.mean(0), rtol=1e-6)


def test_a_path_shorter_than_100_m_has_no_segment_errors():
    truth = drive(50, 0)
    errors = compare_pairs(disturbed(truth, 2), truth)
    assert errors.kitti_translation_percent is None and errors.kitti_rotation_deg_per_m is None


def test_a_trajectory_seen_from_another_frame_has_no_error(pair):
    stamps, _, truth = pair
    T = se3.exp(np.array([0.3, 0.1, -2.0, 5.0, 6.0, 7.0]))
    errors = compare((stamps, T @ truth), (stamps, truth))
    assert errors.ate_rmse_m < 1e-9 and errors.rpe_m < 1e-9 and errors.rpe_deg < 1e-6
    np.testing.assert_allclose(errors.T_ref_est, se3.inverse(T), atol=1e-9)


def test_a_reference_at_other_moments_is_interpolated(pair):
    stamps, _, truth = pair
    half = np.array([se3.interpolate(a, b, 0.5) for a, b in zip(truth[:-1], truth[1:])])
    errors = compare((stamps[:-1] + EVERY_TENTH_NS // 2, half), (stamps, truth))
    assert errors.poses == 1199 and errors.ate_rmse_m < 1e-9


def test_poses_in_a_gap_of_the_reference_are_left_out(pair):
    stamps, estimate, truth = pair
    kept = np.r_[0:100, 200:300]
    errors = compare((stamps + 1, estimate), (stamps[kept], truth[kept]))
    assert errors.poses == 198


def test_the_order_of_lines_does_not_matter(pair):
    stamps, estimate, truth = pair
    shuffled = np.random.default_rng(0).permutation(len(stamps))
    assert compare((stamps[shuffled], estimate[shuffled]), (stamps, truth)).ate_rmse_m == pytest.approx(
        compare((stamps, estimate), (stamps, truth)).ate_rmse_m
    )


def test_trajectories_of_different_times_are_refused_with_both_spans(pair):
    stamps, estimate, truth = pair
    with pytest.raises(EstimateError, match=r"1000\.000 to 1119\.900 s.*0\.000 to 119\.900 s"):
        compare((stamps + 10**12, estimate), (stamps, truth))


def test_an_empty_estimate_is_refused(pair):
    stamps, _, truth = pair
    with pytest.raises(EstimateError, match="0 estimated and 1200 reference"):
        compare((stamps[:0], truth[:0]), (stamps, truth))


def test_drift_along_the_way_is_told_from_drift_across_it():
    truth = np.tile(np.eye(4), (400, 1, 1))
    truth[:, 0, 3] = 1.0 * np.arange(400)
    longer, aside = truth.copy(), truth.copy()
    longer[:, 0, 3] *= 1.01
    aside[:, 1, 3] = 0.02 * truth[:, 0, 3]
    np.testing.assert_allclose(segment_errors_m(longer, truth, 100.0), np.tile([1.01, 0.0, 0.0], (30, 1)), atol=1e-9)
    np.testing.assert_allclose(segment_errors_m(aside, truth, 100.0), np.tile([0.0, 2.02, 0.0], (30, 1)), atol=1e-9)

"""The planar fit against known motions, many wrong pairs, and its own covariance."""

import numpy as np
import pytest

from bev_loc.verify.ransac import agreeing, fit_rigid


def _pairs(pose: np.ndarray, right: int, wrong: int, noise_m: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    query = rng.uniform(-40, 40, (right + wrong, 2))
    cosine, sine = np.cos(pose[2]), np.sin(pose[2])
    match = query @ np.array([[cosine, -sine], [sine, cosine]]).T + pose[:2] + rng.normal(0, noise_m, query.shape)
    match[right:] = rng.uniform(-40, 40, (wrong, 2))
    return match, query


@pytest.mark.parametrize("yaw", [0.0, 0.7, np.pi / 2, np.pi - 1e-3, -2.5])
def test_a_motion_is_found_among_twice_as_many_wrong_pairs(yaw):
    pose = np.array([3.0, -5.0, yaw])
    match, query = _pairs(pose, 40, 80, 0.1, seed=1)
    fit = fit_rigid(match, query, 0.5, np.random.default_rng(0))
    np.testing.assert_allclose(fit.x_y_yaw, pose, atol=0.08)
    assert 40 <= fit.inliers <= 46


def test_the_covariance_is_the_scatter_over_many_draws():
    pose = np.array([1.0, 2.0, 0.5])
    fits = [fit_rigid(*_pairs(pose, 60, 0, 0.1, seed), 0.6, np.random.default_rng(0)) for seed in range(200)]
    errors = np.array([fit.x_y_yaw - pose for fit in fits])
    nees = np.mean([error @ np.linalg.solve(fit.covariance, error) for error, fit in zip(errors, fits, strict=True)])
    assert 2.0 < nees < 4.5  # three degrees of freedom; Cauchy weights cost a little


def test_the_same_generator_gives_the_same_bytes():
    match, query = _pairs(np.array([3.0, -5.0, 1.0]), 20, 80, 0.2, seed=2)
    one, two = (fit_rigid(match, query, 0.5, np.random.default_rng(7)) for _ in range(2))
    assert one.x_y_yaw.tobytes() == two.x_y_yaw.tobytes() and one.covariance.tobytes() == two.covariance.tobytes()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_pairs_fix_nothing(count):
    assert fit_rigid(np.zeros((count, 2)), np.zeros((count, 2)), 0.5, np.random.default_rng(0)) is None


def test_pairs_on_one_spot_fix_nothing():
    spot = np.tile([[3.0, 4.0]], (30, 1))
    assert fit_rigid(spot, spot, 0.5, np.random.default_rng(0)) is None


def test_agreement_counts_pairs_within_the_distance():
    match = np.array([[0.0, 0.0], [0.0, 0.4], [0.0, 0.6]])
    assert agreeing(match, np.zeros((3, 2)), np.zeros(3), 0.5) == 2
    assert agreeing(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(3), 0.5) == 0

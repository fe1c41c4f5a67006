"""Laws of the groups, and every analytic Jacobian against central differences."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bev_loc.geometry import se3, so3

ANGLES = (0.0, 1e-9, 1e-6, 1e-4, 0.1, 1.0, 2.5, 3.1, np.pi - 1e-6)


def vectors(seed: int, angles=ANGLES) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(len(angles), 3))
    return [angle * axis / np.linalg.norm(axis) for angle, axis in zip(angles, axes)]


def poses(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [se3.exp(np.concatenate([rng.normal(size=3), rng.normal(size=3) * 20])) for _ in range(count)]


@pytest.mark.parametrize("w", vectors(1))
def test_log_undoes_exp_from_zero_to_half_a_turn(w):
    np.testing.assert_allclose(so3.log(so3.exp(w)), w, atol=1e-9)


@pytest.mark.parametrize("w", vectors(2))
def test_exp_is_scipys_rotation_vector(w):
    np.testing.assert_allclose(so3.exp(w), Rotation.from_rotvec(w).as_matrix(), atol=1e-14)


@pytest.mark.parametrize("axis", [np.eye(3)[0], np.eye(3)[1], np.eye(3)[2], np.ones(3) / np.sqrt(3)])
def test_log_of_exactly_half_a_turn_has_length_pi(axis):
    w = so3.log(so3.exp(np.pi * axis))
    np.testing.assert_allclose(np.abs(w @ axis), np.pi, atol=1e-7)


@pytest.mark.parametrize("w", vectors(3, (1e-8, 1e-6, 1e-4, 0.3, 1.5, 3.0)))
def test_the_right_jacobian_is_the_derivative_of_exp(w):
    step = 1e-6
    numeric = np.empty((3, 3))
    for i, d in enumerate(step * np.eye(3)):
        numeric[:, i] = (so3.log(so3.exp(w).T @ so3.exp(w + d)) - so3.log(so3.exp(w).T @ so3.exp(w - d))) / (2 * step)
    np.testing.assert_allclose(so3.right_jacobian(w), numeric, atol=1e-8)


@pytest.mark.parametrize("w", vectors(4, (0.0, 1e-6, 0.9e-5, 1.1e-5, 1e-3, 0.3, 1.5, 3.1)))
def test_the_inverse_of_the_right_jacobian_is_its_inverse(w):
    np.testing.assert_allclose(so3.right_jacobian_inverse(w) @ so3.right_jacobian(w), np.eye(3), atol=1e-7)


def test_the_inverse_of_the_right_jacobian_is_finite_at_half_a_turn():
    assert np.isfinite(so3.right_jacobian_inverse(np.array([np.pi, 0.0, 0.0]))).all()


@pytest.mark.parametrize("w", vectors(5))
def test_quaternions_are_scipys_and_come_back(w):
    R = so3.exp(w)
    q = so3.to_quat_xyzw(R)
    reference = Rotation.from_matrix(R).as_quat()
    np.testing.assert_allclose(abs(q @ reference), 1.0, atol=1e-12)
    assert q[3] >= 0
    np.testing.assert_allclose(so3.from_quat_xyzw(3.0 * q), R, atol=1e-12)


def test_many_quaternions_become_many_rotations():
    q = np.random.default_rng(6).normal(size=(4, 5, 4))
    np.testing.assert_allclose(so3.from_quat_xyzw(q)[2, 3], Rotation.from_quat(q[2, 3]).as_matrix(), atol=1e-12)


@pytest.mark.parametrize("rpy", [(0.1, -0.2, 3.0), (-3.0, 1.5, -1.0), (0.0, 0.0, 0.0)])
def test_roll_pitch_yaw_are_scipys_extrinsic_xyz_and_come_back(rpy):
    R = so3.from_rpy(*rpy)
    np.testing.assert_allclose(R, Rotation.from_euler("xyz", rpy).as_matrix(), atol=1e-14)
    np.testing.assert_allclose(so3.to_rpy(R), rpy, atol=1e-12)


def test_levelling_leaves_only_the_yaw():
    R_odom_base = so3.from_rpy(0.1, -0.3, 2.0)
    np.testing.assert_allclose(R_odom_base @ so3.level(R_odom_base).T, so3.from_rpy(0, 0, 2.0), atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_rotation_between_two_vectors_takes_one_onto_the_other_the_short_way(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 3))
    R = so3.rotation_between(a, b)
    np.testing.assert_allclose(R @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-12)
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    np.testing.assert_allclose(np.linalg.norm(so3.log(R)), angle, atol=1e-9)


def test_opposite_vectors_are_half_a_turn_apart():
    a = np.array([0.3, -1.0, 2.0])
    np.testing.assert_allclose(so3.rotation_between(a, -2 * a) @ a, -a, atol=1e-9)


@pytest.mark.parametrize("T", poses(7, 5))
def test_a_pose_times_its_inverse_is_the_identity(T):
    np.testing.assert_allclose(T @ se3.inverse(T), np.eye(4), atol=1e-12)


@pytest.mark.parametrize("w", vectors(8, (0.0, 1e-8, 1e-6, 1e-4, 0.1, 1.0, 3.0)))
def test_log_undoes_exp_of_a_twist(w):
    xi = np.concatenate([w, [1.0, -2.0, 30.0]])
    np.testing.assert_allclose(se3.log(se3.exp(xi)), xi, atol=1e-7)


def test_exp_of_a_twist_is_the_limit_of_many_small_steps():
    xi, steps = np.array([0.3, -0.7, 1.1, 2.0, 1.0, -3.0]), 20_000
    small = np.eye(4)
    small[:3, :3] += so3.hat(xi[:3]) / steps
    small[:3, 3] = xi[3:] / steps
    np.testing.assert_allclose(np.linalg.matrix_power(small, steps), se3.exp(xi), atol=1e-3)


@pytest.mark.parametrize("T", poses(9, 5))
def test_the_adjoint_carries_a_twist_to_the_other_side(T):
    xi = np.array([0.1, -0.2, 0.3, 1.0, 2.0, -0.5])
    np.testing.assert_allclose(T @ se3.exp(xi) @ se3.inverse(T), se3.exp(se3.adjoint(T) @ xi), atol=1e-9)


def test_interpolation_starts_and_ends_at_the_poses_and_halves_the_twist():
    T_a_b, T_a_c = poses(10, 2)
    np.testing.assert_allclose(se3.interpolate(T_a_b, T_a_c, 0.0), T_a_b, atol=1e-9)
    np.testing.assert_allclose(se3.interpolate(T_a_b, T_a_c, 1.0), T_a_c, atol=1e-9)
    T_a_m = se3.interpolate(T_a_b, T_a_c, 0.5)
    np.testing.assert_allclose(se3.inverse(T_a_b) @ T_a_m, se3.inverse(T_a_m) @ T_a_c, atol=1e-9)


def test_applying_a_pose_keeps_the_points_type_and_cancels_with_its_inverse():
    T = poses(11, 1)[0]
    points = np.random.default_rng(12).normal(size=(50, 3)).astype(np.float32)
    moved = se3.apply(T, points)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(se3.apply(se3.inverse(T), moved), points, atol=1e-4)


def test_the_distance_between_poses_is_metres_and_radians():
    T_a_b = poses(13, 1)[0]
    T_a_c = T_a_b @ se3.from_xyz_rpy((3.0, 0.0, 4.0, 0.0, 0.0, -0.5))
    np.testing.assert_allclose(se3.distance(T_a_b, T_a_c), (5.0, 0.5), atol=1e-9)


def test_a_planar_motion_turns_left_for_positive_yaw():
    T = se3.from_se2(1.0, 2.0, np.pi / 2)
    np.testing.assert_allclose(se3.apply(T, np.array([[1.0, 0.0, 5.0]])), [[1.0, 3.0, 5.0]], atol=1e-12)

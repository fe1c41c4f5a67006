import numpy as np
import pytest

from bev_loc.errors import EstimateError, SourceError
from bev_loc.geometry import se3
from bev_loc.geometry.trajectory import align, path_length_m, read_tum, write_tum


def random_poses(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([se3.exp(rng.normal(size=6) * [1, 1, 1, 50, 50, 5]) for _ in range(count)])


def test_alignment_recovers_the_motion_between_two_sets_of_points():
    T_a_b, points_b = random_poses(1)[0], np.random.default_rng(1).normal(size=(20, 3))
    np.testing.assert_allclose(align(se3.apply(T_a_b, points_b), points_b), T_a_b, atol=1e-9)


def test_alignment_of_a_mirrored_set_is_still_a_rotation():
    points = np.random.default_rng(2).normal(size=(20, 3))
    assert np.linalg.det(align(points * [1, 1, -1], points)[:3, :3]) == pytest.approx(1.0)


def test_alignment_of_a_flat_set_is_still_a_rotation():
    points = np.random.default_rng(3).normal(size=(20, 3)) * [1, 1, 0]
    T_a_b = align(points, points)
    np.testing.assert_allclose(T_a_b, np.eye(4), atol=1e-9)


def test_alignment_of_two_points_is_refused():
    with pytest.raises(EstimateError, match="at least 3"):
        align(np.zeros((2, 3)), np.zeros((2, 3)))


def test_path_length_grows_by_the_steps():
    poses = np.tile(np.eye(4), (4, 1, 1))
    poses[:, 0, 3] = [0, 3, 3, 1]
    np.testing.assert_allclose(path_length_m(poses), [0, 3, 3, 5])


def test_tum_files_keep_nanoseconds_and_poses(tmp_path):
    stamps = np.array([0, 1, 1_317_046_500_123_456_789, 1_317_046_501_000_000_000])
    poses = random_poses(4)
    write_tum(tmp_path / "t.tum", stamps, poses)
    read_stamps, read_poses = read_tum(tmp_path / "t.tum")
    np.testing.assert_array_equal(read_stamps, stamps)
    np.testing.assert_allclose(read_poses, poses, atol=1e-7)


def test_an_empty_trajectory_makes_an_empty_file_that_is_read_as_one(tmp_path):
    write_tum(tmp_path / "t.tum", np.zeros(0, np.int64), np.zeros((0, 4, 4)))
    stamps, poses = read_tum(tmp_path / "t.tum")
    assert len(stamps) == 0 and poses.shape == (0, 4, 4)


@pytest.mark.parametrize("line", ["1.0 2 3", "1.0 a 0 0 0 0 0 1", "1.0 0 0 0 0 0 0 0", "1.0 nan 0 0 0 0 0 1"])
def test_a_line_that_is_no_pose_is_named(tmp_path, line):
    (tmp_path / "t.tum").write_text("# comment\n0.5 0 0 0 0 0 0 1\n" + line + "\n")
    with pytest.raises(SourceError, match=r"t\.tum:3"):
        read_tum(tmp_path / "t.tum")


def test_stamps_in_exponents_are_read(tmp_path):
    (tmp_path / "t.tum").write_text("1.5e+00 0 0 0 0 0 0 1\n")
    assert read_tum(tmp_path / "t.tum")[0][0] == 1_500_000_000

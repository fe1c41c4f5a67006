"""Loop closure on images: drift is what was asked for, and two laps of one street are straightened by what is seen."""

from pathlib import Path

import numpy as np
import pytest

from bev_loc.config import Config
from bev_loc.errors import EstimateError, SourceError
from bev_loc.evaluation.bev_folder import CELL_M
from bev_loc.evaluation.closure import evaluate, is_right, oracle_closures, planar_closure, planar_error
from bev_loc.evaluation.closure_drive import ClosureDrive, ClosureProtocol, drifted, make_drive, read_odometry
from bev_loc.geometry import se3

SIDE_PX = 151
PROTOCOL = ClosureProtocol(query_stride=4, gap_scans=30, drift_yaw_deg_per_m=0.05)


def two_laps(count: int = 120) -> np.ndarray:
    """(N, 4, 4) on a circle of 25 m radius, twice around less a bit, heading along it; hilly."""
    angles = np.linspace(0.0, 3.4 * np.pi, count)
    return np.array(
        [se3.from_xyz_rpy((25 * np.sin(a), 25 - 25 * np.cos(a), 0.5 * np.sin(a), 0.02, 0.01, a)) for a in angles]
    )


def pictures_of(poses: np.ndarray) -> np.ndarray:
    """What a sensor at each pose sees of walls in a plane."""
    rng = np.random.default_rng(3)
    starts, angles = rng.uniform(-45, 70, (300, 2)), rng.uniform(0, 2 * np.pi, 300)
    along = np.arange(0, 9, 0.15)
    walls = (starts[:, None] + along[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)[:, None]).reshape(-1, 2)
    pictures = np.zeros((len(poses), SIDE_PX, SIDE_PX), np.uint8)
    for picture, T in zip(pictures, poses):
        yaw = np.arctan2(T[1, 0], T[0, 0])
        xy = (walls - T[:2, 3]) @ np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        xy = xy[np.linalg.norm(xy, axis=1) < 14.0]  # what is farther away is hidden
        pixels = np.rint(SIDE_PX // 2 - xy / CELL_M).astype(int)
        inside = ((pixels >= 0) & (pixels < SIDE_PX)).all(1)
        picture[tuple(pixels[inside].T)] = 200
    return pictures


@pytest.fixture(scope="module")
def drive() -> ClosureDrive:
    poses = two_laps()
    return make_drive(pictures_of(poses), poses, poses, PROTOCOL)


def test_drift_turns_every_motion_by_its_length() -> None:
    poses = np.array([se3.from_se2(0.7 * n, 0.0, 0.0) for n in range(200)])
    end = drifted(poses, 0.01)[-1]
    assert np.isclose(np.degrees(np.arctan2(end[1, 0], end[0, 0])), 0.01 * 0.7 * 199)
    np.testing.assert_array_equal(drifted(poses, 0.0), poses)


def test_only_what_lies_far_enough_back_may_answer(drive: ClosureDrive) -> None:
    assert ((drive.queries - drive.reach) >= PROTOCOL.gap_scans).all()
    assert drive.revisits[-5:].all() and not drive.revisits[0]


def test_two_laps_are_straightened_and_every_closure_is_right(drive: ClosureDrive) -> None:
    figures = evaluate(drive, Config())
    assert figures.precision == 1.0 and figures.recall_at_100_precision >= 0.9
    assert figures.ate_before_m > 1.0
    assert figures.ate_after_m < 1.2 * figures.ate_oracle_m < 1.2  # the first lap has nothing to be compared with
    assert sum(figures.candidates_by_reason.values()) == figures.queries


def test_a_planar_closure_keeps_the_planes_motion_and_the_odometrys_height(drive: ClosureDrive) -> None:
    query, match = int(drive.queries[-1]), 3
    true = drive.true_motion(query, match)
    closure = planar_closure(drive, query, match, np.array([true[0, 3], true[1, 3], np.arctan2(true[1, 0], true[0, 0])]))
    assert planar_error(drive, closure)[0] < 1e-9 and is_right(drive, closure)
    assert closure.information[5, 5] == 0.0 and closure.information[0, 0] == 0.0
    wrong = planar_closure(drive, query, match, np.array([true[0, 3] + 2.1, true[1, 3], 0.0]))
    assert not is_right(drive, wrong)


def test_the_oracle_closes_every_revisit_once_and_the_same_seed_gives_the_same(drive: ClosureDrive) -> None:
    first, again = (oracle_closures(drive, np.random.default_rng(5)) for _ in range(2))
    assert [c.query_id for c in first] == drive.queries[drive.revisits].tolist()
    assert all((a.T_match_query == b.T_match_query).all() for a, b in zip(first, again, strict=True))
    assert 0.05 < np.median([planar_error(drive, c)[0] for c in first]) < 0.25


def test_a_drive_without_a_loop_is_said_to_have_none() -> None:
    poses = np.array([se3.from_se2(2.0 * n, 0.0, 0.0) for n in range(60)])
    with pytest.raises(EstimateError, match="no loop to close"):
        evaluate(make_drive(np.zeros((60, SIDE_PX, SIDE_PX), np.uint8), poses, poses, PROTOCOL), Config())


def test_odometry_of_another_drive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "odometry.txt"
    file.write_text("0 0 0 0 0 0 0 1\n")
    with pytest.raises(SourceError, match="expected 3 rows"):
        read_odometry(file, 3)

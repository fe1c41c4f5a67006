"""Poses move with their keyframes, stay when these are settled, and do not fill the memory."""

import numpy as np
import pytest
from houses_on_a_plain import CONFIG, BoxWorld, drive, square_drive

from bev_loc.geometry import se3
from bev_loc.history import History
from bev_loc.localizer import Localizer
from bev_loc.maps.contents import MapBundle
from bev_loc.records import BevImage, Keyframe, Odometry, OdometryHealth

HEALTH = OdometryHealth(points_in=0, points_used=0, matches=0, rmse_m=0.0, iterations=0)


def pose(n: int) -> Odometry:
    T = se3.from_se2(float(n), 0.0, 0.0)
    return Odometry(stamp_ns=n, T_odom_base=T, covariance=np.eye(6), points_base=np.zeros((0, 3), np.float32), health=HEALTH)


def keyframe(n: int) -> Keyframe:
    blank = BevImage(counts=np.zeros((3, 3), np.uint8), mean_height_m=np.zeros((3, 3), np.float32))
    return Keyframe(
        id=n, session=0, stamp_ns=n, T_odom_kf=se3.from_se2(float(n), 0.0, 0.0), R_level_kf=np.eye(3),
        points_kf=np.zeros((0, 3), np.float32), image=blank, descriptor=np.zeros(4, np.float32), path_m=float(n),
    )  # fmt: skip


def filled(history: History, count: int) -> History:
    for n in range(count):
        history.add(pose(n), keyframe(n) if n % 5 == 0 else None)
    return history


def shifted(y_m: float):
    return lambda id: se3.from_se2(float(id), y_m, 0.0)


def test_settled_poses_stay_and_the_others_move_on() -> None:
    history = filled(History(), 20)
    history.settle({0: se3.from_se2(0.0, 7.0, 0.0), 5: None})
    stamps_ns, poses = history.resolve(shifted(9.0))
    assert stamps_ns.tolist() == [*range(5), *range(10, 20)]
    np.testing.assert_allclose(poses[:, 0, 3], stamps_ns, atol=1e-12)
    assert poses[:5, 1, 3].tolist() == [7.0] * 5 and poses[5:, 1, 3].tolist() == [9.0] * 10


def test_poses_before_the_first_keyframe_hang_on_it() -> None:
    history = History()
    history.add(pose(0), None)
    history.add(pose(1), keyframe(1))
    stamps_ns, poses = history.resolve(shifted(1.0))
    assert stamps_ns.tolist() == [0, 1] and poses[0, 0, 3] == 0.0


def test_a_bound_keeps_the_newest_poses() -> None:
    history = filled(History(8), 100)
    history.settle({n: se3.from_se2(float(n), 0.0, 0.0) for n in range(0, 90, 5)})
    assert history.resolve(shifted(0.0))[0].tolist() == list(range(92, 100))
    assert len(history._settled_ns) <= 16 and len(history._settled_poses) == 16 * len(history._settled_ns)


def test_a_bound_holds_while_nothing_settles() -> None:
    history = filled(History(8), 100)  # as while mapping
    stamps_ns, poses = history.resolve(shifted(0.0))
    assert stamps_ns.tolist() == list(range(92, 100))
    np.testing.assert_allclose(poses[:, 0, 3], stamps_ns, atol=1e-12)
    assert sum(len(held.T_kf_base) for held in history._held.values()) == 8


def test_a_bound_holds_on_one_keyframe() -> None:
    history = History(8)
    for n in range(100):  # parked
        history.add(pose(n), keyframe(0) if n == 0 else None)
    assert history.resolve(shifted(0.0))[0].tolist() == list(range(92, 100))
    history.settle({0: np.eye(4)})
    assert history.resolve(shifted(0.0))[0].tolist() == list(range(92, 100)) and not history._held


@pytest.fixture(scope="module")
def known_map() -> MapBundle:
    localizer = Localizer(CONFIG)
    for odometry in drive(BoxWorld(seed=1), square_drive(250.0, step_m=4.0), seed=2):
        localizer.on_odometry(odometry)
    return localizer.bundle()


def test_localizing_for_long_keeps_the_graph_small_and_the_trajectory_whole(known_map: MapBundle) -> None:
    localizer, poses = Localizer(CONFIG, known_map=known_map), square_drive(440.0, step_m=4.0)
    steps = [localizer.on_odometry(odometry) for odometry in drive(BoxWorld(seed=1), poses, seed=3)]
    keyframes = sum(step.keyframe is not None for step in steps)
    assert keyframes > 80
    graph = localizer._back_end.graph
    assert len(graph.places()) <= len(known_map.entries) + 60 and len(graph.closures) <= 120
    stamps_ns, T_map_base = localizer.trajectory()
    assert len(stamps_ns) == len(poses) and (np.diff(stamps_ns) > 0).all()
    errors = [se3.distance(se3.inverse(poses[0]) @ T, found)[0] for T, found in zip(poses, T_map_base)]
    assert max(errors) < 1.0

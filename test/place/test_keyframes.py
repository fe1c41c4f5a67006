"""When a keyframe is due."""

import numpy as np
import pytest

from bev_loc.config import BevConfig, KeyframeConfig, PlaceConfig
from bev_loc.geometry import se3
from bev_loc.place.describe import make_describer
from bev_loc.place.keyframes import MIN_POINTS, KeyframeStore
from bev_loc.records import Odometry, OdometryHealth


def odometry(x_m: float, yaw_rad: float = 0.0, points: int = 500, is_keyframe: bool = False) -> Odometry:
    cloud = np.random.default_rng(0).uniform(-20, 20, (points, 3)).astype(np.float32)
    return Odometry(
        stamp_ns=int(x_m * 1e9) + 1,
        T_odom_base=se3.from_se2(x_m, 0.0, yaw_rad),
        covariance=np.eye(6),
        points_base=cloud,
        health=OdometryHealth(points_in=points, points_used=points, matches=0, rmse_m=0.0, iterations=0),
        is_keyframe=is_keyframe,
    )


@pytest.fixture
def store() -> KeyframeStore:
    describer = make_describer(PlaceConfig(), BevConfig())
    store = KeyframeStore(KeyframeConfig(distance_m=2.0, angle_deg=15.0), BevConfig(), describer, submap_keyframes=2)
    store.add(store.make(odometry(0.0), id=0, session=0))
    return store


@pytest.mark.parametrize(
    ("result", "due"),
    [
        (odometry(1.9), False),
        (odometry(2.1), True),
        (odometry(0.5, yaw_rad=0.2), False),
        (odometry(0.5, yaw_rad=0.3), True),
        (odometry(0.1, is_keyframe=True), True),
        (odometry(5.0, points=MIN_POINTS - 1), False),
    ],
)
def test_a_keyframe_is_due_after_a_way_a_turn_or_when_the_source_has_chosen_it(
    store: KeyframeStore, result: Odometry, due: bool
) -> None:
    assert store.is_due(result) == due


def test_a_keyframe_can_be_demanded_at_once(store: KeyframeStore) -> None:
    assert store.is_due(odometry(0.1), now=True)

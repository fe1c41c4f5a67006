"""What a sensor that looks one way shows of a place: all that it saw on the way; one that sees around, what it sees."""

import numpy as np
import pytest

from bev_loc.config import BevConfig, KeyframeConfig, PlaceConfig
from bev_loc.geometry import se3
from bev_loc.place.describe import make_describer
from bev_loc.place.keyframes import KeyframeStore
from bev_loc.place.surroundings import REACH_M, Surroundings
from bev_loc.records import Keyframe, Odometry, OdometryHealth

STREET = np.random.default_rng(0).uniform((-60.0, -15.0, 0.0), (160.0, 15.0, 6.0), (60_000, 3)).astype(np.float32)
HALF_RAD = np.radians(35.0)
TURNED_RAD = 0.4  # of the street in the odometry's frame: nothing may hang on its axes


def scan(x_m: float, *, narrow: bool, yaw_rad: float = 0.0) -> Odometry:
    """A look at the street from `x_m` along it: all around, or ahead only."""
    T_street_base = se3.from_se2(x_m, 0.0, yaw_rad)
    points = se3.apply(se3.inverse(T_street_base), STREET)
    ahead = np.abs(np.arctan2(points[:, 1], points[:, 0])) < HALF_RAD
    points = points[(np.linalg.norm(points, axis=1) < 45.0) & (ahead | (not narrow))]
    return Odometry(
        stamp_ns=int(x_m * 1e9) + 1,
        T_odom_base=se3.from_se2(0.0, 0.0, TURNED_RAD) @ T_street_base,
        covariance=np.eye(6),
        points_base=points,
        health=OdometryHealth(points_in=len(points), points_used=len(points), matches=0, rmse_m=0.0, iterations=0),
        is_keyframe=False,
    )


def keyframes(scans: list[Odometry], sessions: list[int] | None = None) -> list[Keyframe]:
    store = KeyframeStore(KeyframeConfig(), BevConfig(), make_describer(PlaceConfig(), BevConfig()), submap_keyframes=0)
    return [store.make(scan, id=n, session=sessions[n] if sessions else 0) for n, scan in enumerate(scans)]


def test_a_sensor_that_looks_ahead_shows_what_lies_beside_and_behind_after_some_metres():
    narrow = keyframes([scan(x, narrow=True) for x in np.arange(0.0, 60.0, 2.0)])
    around = keyframes([scan(58.0, narrow=False)])[0]
    first, last = narrow[0].descriptor @ around.descriptor, narrow[-1].descriptor @ around.descriptor
    middle = len(around.image.counts) // 2
    behind = (slice(middle + 5, middle + 40), slice(middle - 20, middle + 21))
    assert not (narrow[0].image.counts[behind] > 0).any()
    seen = around.image.counts[behind] > 0
    assert (narrow[-1].image.counts[behind][seen] > 0).mean() > 0.95
    assert last > first + 0.2
    assert len(narrow[-1].points_kf) < 0.5 * len(around.points_kf)  # the cloud stays that of the scan


def test_images_of_a_sensor_that_sees_around_are_of_one_scan():
    alone = keyframes([scan(20.0, narrow=False)])[0]
    after = keyframes([scan(x, narrow=False) for x in (0.0, 10.0, 20.0)])[-1]
    np.testing.assert_array_equal(alone.image.counts, after.image.counts)


@pytest.mark.parametrize("sessions", [[0, 0, 1], [0, 0, 0]], ids=["another session", "too long ago"])
def test_what_lies_nobody_knows_where_is_left_out(sessions: list[int]):
    way_m = (0.0, 2.0, 4.0) if sessions[-1] else (0.0, 2.0, 3.0 + REACH_M)
    last = keyframes([scan(x, narrow=True) for x in way_m], sessions)[-1]
    alone = keyframes([scan(way_m[-1], narrow=True)])[0]
    np.testing.assert_array_equal(last.image.counts, alone.image.counts)


def test_turning_on_the_spot_is_remembered_and_standing_is_not():
    surroundings = Surroundings()
    for yaw_rad in (0.0, 0.0, 0.0, 0.5, 0.5, 1.0):
        turned = scan(10.0, narrow=True, yaw_rad=yaw_rad)
        earlier = surroundings.earlier(turned.points_base, turned.T_odom_base)
    counts = [len(scan(10.0, narrow=True, yaw_rad=yaw_rad).points_base) for yaw_rad in (0.0, 0.5)]
    assert surroundings.narrow and len(earlier) == sum(counts)

"""A place that repeats itself is refused, and what tells its bays apart makes it acceptable."""

import numpy as np
import pytest

from bev_loc.bev.raster import rasterise
from bev_loc.clouds.voxels import downsample
from bev_loc.config import BevConfig, VerifyConfig
from bev_loc.geometry import se3
from bev_loc.records import Candidate, Closure, Keyframe
from bev_loc.verify import reasons
from bev_loc.verify.verifier import Verifier

BEV = BevConfig()
BAY_M = 8.0
RANGE_M = 45.0


def _box(x_m: float, y_m: float, side_m: float, top_m: float, rng: np.random.Generator) -> np.ndarray:
    """(N, 3) the four faces of a pillar."""
    along, face = rng.uniform(0, side_m, 700), rng.integers(0, 4, 700)
    x = np.select([face == 0, face == 1, face == 2], [along, along, np.zeros(700)], side_m)
    y = np.select([face == 2, face == 3, face == 0], [along, along, np.zeros(700)], side_m)
    return np.column_stack([x_m + x, y_m + y, rng.uniform(-1.7, top_m, 700)])


def _arcade(unlike: bool) -> np.ndarray:
    """(N, 3) two rows of equal pillars in front of walls; `unlike`: boxes of all sizes among them."""
    rng = np.random.default_rng(5)
    ground = np.column_stack([rng.uniform(-120, 120, 40000), rng.uniform(-14, 14, 40000), rng.normal(-1.7, 0.02, 40000)])
    parts = [ground]
    for side in (-1.0, 1.0):
        x = rng.uniform(-120, 120, 40000)
        parts.append(np.column_stack([x, np.full(len(x), 13.0 * side), rng.uniform(-1.7, 5.0, len(x))]))
        parts += [_box(BAY_M * n, 8.0 * side, 1.2, 4.0, rng) for n in range(-14, 15)]
    if unlike:
        parts += [_box(rng.uniform(-60, 60), rng.uniform(-11, 9), rng.uniform(1.5, 5.0), 4.0, rng) for _ in range(40)]
    return np.vstack(parts)


def _seen(id: int, points: np.ndarray, x_m: float) -> Keyframe:
    rng = np.random.default_rng(id)
    here = (points - [x_m, 0.0, 0.0] + rng.normal(0, 0.02, points.shape))[rng.random(len(points)) < 0.7].astype(np.float32)
    here = here[np.abs(here[:, 0]) < RANGE_M]
    return Keyframe(
        id=id, session=0, stamp_ns=id, T_odom_kf=np.eye(4), R_level_kf=np.eye(3), points_kf=downsample(here, 0.4),
        image=rasterise(here, BEV), descriptor=np.zeros(4, np.float32), path_m=0.0,
    )  # fmt: skip


def _verify(unlike: bool, x_m: float) -> Closure:
    points = _arcade(unlike)
    candidate = Candidate(query_id=2, match_id=1, distance=0.1)
    return Verifier(VerifyConfig(), BEV).verify(candidate, _seen(2, points, x_m), _seen(1, points, 0.0), np.zeros((0, 3), np.float32))


@pytest.mark.parametrize("x_m", [0.0, 3.0, BAY_M])
def test_equal_bays_are_refused_wherever_the_vehicle_stands_among_them(x_m: float) -> None:
    closure = _verify(False, x_m)
    assert not closure.accepted and closure.reason == reasons.AMBIGUOUS


@pytest.mark.parametrize("x_m", [0.0, 3.0])
def test_what_differs_between_the_bays_makes_the_place_known(x_m: float) -> None:
    closure = _verify(True, x_m)
    assert closure.accepted
    assert se3.distance(closure.T_match_query, se3.from_se2(x_m, 0.0, 0.0))[0] < 0.3

"""Pictures show things where they are: what is drawn is checked by its numbers."""

import numpy as np
import pytest

from bev_loc.bev.raster import rasterise
from bev_loc.config import BevConfig
from bev_loc.geometry import se3, so3
from bev_loc.maps.contents import MapBundle, entry
from bev_loc.records import Closure, Keyframe
from bev_loc.viz.bev_view import draw_closures, draw_samples, moved_counts
from bev_loc.viz.curves import draw_height, draw_states, draw_timing
from bev_loc.viz.map_view import draw_map, height_image

BEV = BevConfig()
PNG = b"\x89PNG"


def keyframe(id: int, points_kf: np.ndarray, R_level_kf: np.ndarray = np.eye(3)) -> Keyframe:
    points = points_kf.astype(np.float32)
    image = rasterise((points @ R_level_kf.T).astype(np.float32), BEV)
    return Keyframe(id=id, session=0, stamp_ns=id, T_odom_kf=np.eye(4), R_level_kf=R_level_kf, points_kf=points,
                    image=image, descriptor=np.ones(4, np.float32) / 2, path_m=float(id))  # fmt: skip


def walls() -> np.ndarray:
    rng = np.random.default_rng(0)
    z = rng.uniform(0, 4, 8000)
    along = rng.uniform(-25, 25, 8000)
    return np.concatenate([np.stack([along, np.full(8000, 7.0), z], 1), np.stack([np.full(8000, 12.0), along / 3, z], 1)])


def closure(T_match_query: np.ndarray) -> Closure:
    return Closure(query_id=1, match_id=0, accepted=True, reason="accepted", method="keypoints", T_match_query=T_match_query,
                   information=None, descriptor_distance=0.1, overlap=0.8)  # fmt: skip


@pytest.mark.parametrize("yaw", [0.0, 0.4, np.pi / 2, 3.0])
def test_a_closures_query_is_drawn_onto_its_match(yaw):
    T_match_query = se3.from_xyz_rpy((3.0, -2.0, 0.1, 0.0, 0.0, yaw))
    tilt = so3.from_rpy(0.05, -0.08, 0.0)
    points_match = walls()
    T_match_query_tilted = T_match_query @ se3.from_parts(tilt, np.zeros(3))
    points_query = se3.apply(se3.inverse(T_match_query_tilted), points_match)
    match, query = keyframe(0, points_match), keyframe(1, points_query, R_level_kf=tilt)

    moved = moved_counts(query, match, closure(T_match_query_tilted), BEV)

    drawn, wanted = moved > 0, match.image.counts > 0
    near = np.zeros_like(wanted)
    for rows in (-1, 0, 1):
        for columns in (-1, 0, 1):
            near |= np.roll(wanted, (rows, columns), (0, 1))
    assert (drawn & near).sum() > 0.95 * drawn.sum() > 100
    assert draw_closures([(closure(T_match_query_tilted), query)], {0: match}, BEV).startswith(PNG)


def test_heights_lie_where_the_points_are():
    points = np.array([[5.0, 0.0, 1.0], [5.0, 0.0, 3.0], [-4.0, 2.0, -1.0]])
    T_map_kf = se3.from_xyz_rpy((10.0, 20.0, 100.0, 0, 0, np.pi / 2))
    low, high = np.array([0.0, 0.0]), np.array([30.0, 40.0])
    heights = height_image({0: keyframe(0, points)}, {0: T_map_kf}, low, high)
    pixel_m = 0.2
    assert np.isfinite(heights).sum() == 2
    row, column = int(25.0 / pixel_m), int(10.0 / pixel_m)  # (5, 0) turned left is (0, 5)
    around = heights[row - 1 : row + 2, column - 1 : column + 2]
    assert np.nanmax(around) == pytest.approx(3.0, abs=1e-4), "the highest, over the keyframe's own height"


def bundle(keyframes: list[Keyframe]) -> MapBundle:
    entries = tuple(entry(k, se3.from_se2(10.0 * k.id, 0.0, 0.0)) for k in keyframes)
    return MapBundle(entries=entries, keyframes={k.id: k for k in keyframes}, closures=(), bev=BEV, describer="none")


@pytest.mark.parametrize("keyframes", [0, 3])
@pytest.mark.parametrize("poses", [0, 1, 20])
@pytest.mark.parametrize("own_session", [None, 0])
def test_a_map_is_drawn_however_little_there_is(keyframes, poses, own_session):
    made = bundle([keyframe(id, walls()) for id in range(keyframes)])
    path = np.array([se3.from_se2(float(i), 0.0, 0.0) for i in range(poses)]).reshape(-1, 4, 4)
    trajectory = path.copy()
    trajectory[: poses // 2] = np.nan
    shown = draw_map(made, trajectory=trajectory, odometry=path, truth=None, closures=[closure(np.eye(4))],
                     own_session=own_session, places=made.T_map_kf)  # fmt: skip
    assert shown.startswith(PNG)


def test_curves_are_drawn_with_gaps_and_without_stages():
    height = np.array([0.0, np.nan, 1.0])
    assert draw_height(np.arange(3.0), np.zeros(3), height, np.abs(height)).startswith(PNG)
    assert draw_timing([0.01], {}).startswith(PNG)
    assert draw_timing([0.01, 0.02], {"odometry": [0.01, 0.01], "verify": [0.1]}).startswith(PNG)
    assert draw_states([0.0, 2.0, 3.0], ["searching", "tracking", "lost"], 9.0).startswith(PNG)
    assert draw_samples([keyframe(0, walls())], BEV).startswith(PNG)

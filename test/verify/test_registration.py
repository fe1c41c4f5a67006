"""Registration in space, the lift that starts it, and the overlap that judges it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bev_loc.config import BevConfig
from bev_loc.geometry import se3, so3
from bev_loc.verify.lift import lift
from bev_loc.verify.overlap import occupied, overlap
from bev_loc.verify.planar import PlanarMatch
from bev_loc.verify.registration import Registration, approach, register, sketch, surface

BEV = BevConfig()


def _tilted(x: float, y: float, z: float, degrees: tuple[float, float, float]) -> np.ndarray:
    yaw, pitch, roll = degrees
    return se3.from_parts(Rotation.from_euler("ZYX", [yaw, pitch, roll], degrees=True).as_matrix(), np.array([x, y, z]))


def _registered(target: np.ndarray, source: np.ndarray, guess: np.ndarray) -> Registration:
    there, here = surface(target), surface(source)
    return register(there, here, guess, approach(there, sketch(source), guess))


def test_registration_recovers_a_known_motion_from_a_rough_guess(make_keyframe):
    T_match_query = _tilted(2.0, -1.5, 0.3, (20, 2, -3))
    match, query = make_keyframe(1, np.eye(4)), make_keyframe(2, T_match_query)
    guess = T_match_query @ se3.exp(np.array([0.02, -0.02, 0.04, 0.6, -0.5, 0.3]))
    fit = _registered(match.points_kf, query.points_kf, guess)
    shift_m, turn_rad = se3.distance(fit.T_target_source, T_match_query)
    assert fit.converged and shift_m < 0.06 and turn_rad < np.radians(0.2)
    assert fit.inlier_ratio > 0.8 and fit.rmse_m < 0.25


def test_information_is_symmetric_positive_and_blind_along_a_corridor_in_the_source_frame():
    rng = np.random.default_rng(0)
    wall = np.column_stack([rng.uniform(-30, 30, 6000), rng.choice([-4.0, 4.0], 6000), rng.uniform(-1, 3, 6000)])
    floor = np.column_stack([rng.uniform(-30, 30, 4000), rng.uniform(-4, 4, 4000), np.full(4000, -1.0)])
    corridor = np.vstack([wall, floor]) + rng.normal(0, 0.01, (10000, 3))
    T_target_source = se3.from_se2(0.0, 0.0, np.pi / 2)  # the source's y axis runs along the corridor
    source = se3.apply(se3.inverse(T_target_source), corridor)
    fit = _registered(corridor.astype(np.float32), source.astype(np.float32), T_target_source)
    np.testing.assert_allclose(fit.information, fit.information.T)
    assert (np.linalg.eigvalsh(fit.information) > 0).all()
    along, across, up = fit.information[4, 4], fit.information[3, 3], fit.information[5, 5]
    assert along < 0.2 * across and along < 0.2 * up


def test_what_is_found_far_from_the_guess_does_not_count(make_keyframe):
    match, query = make_keyframe(1, np.eye(4)), make_keyframe(2, np.eye(4))
    fit = _registered(match.points_kf, query.points_kf, se3.from_se2(2.2, 1.6, 0.0))
    assert fit.converged is False


def test_a_cloud_of_few_points_has_no_surface():
    few = np.zeros((500, 3), np.float32)
    assert surface(few) is None and sketch(few) is None


@pytest.mark.parametrize("height_m", [-4.0, 0.0, 3.0])
@pytest.mark.parametrize("tilt_deg", [(0.0, 0.0), (6.0, -4.0)])
def test_the_lift_finds_height_and_the_tilt_that_levelling_left(make_keyframe, height_m, tilt_deg):
    T_match_query = _tilted(2.0, 1.0, height_m, (25, 0, 0))
    roll, pitch = np.radians(tilt_deg)
    match = make_keyframe(1, np.eye(4))
    query = make_keyframe(2, T_match_query, R_level_kf=so3.from_rpy(roll, pitch, 0.0))
    planar = PlanarMatch(method="correlation", x_m=2.0, y_m=1.0, yaw_rad=np.radians(25))
    shift_m, turn_rad = se3.distance(lift(planar, query, match, BEV), T_match_query)
    assert shift_m < 0.6 and turn_rad < np.radians(2.0)


def _plain_overlap(query: np.ndarray, match: np.ndarray) -> float:
    """The definition, with sets of voxels."""
    def voxels(points: np.ndarray) -> set[tuple[int, ...]]:
        inside = (np.abs(np.rint(points[:, :2] / np.float32(0.5))) <= 80).all(1)
        columns = np.rint(points[inside, :2] / np.float32(0.5))
        return set(map(tuple, np.column_stack([columns, np.floor((points[inside, 2]) / np.float32(0.5))]).astype(int)))

    there, lowest = voxels(match), {}
    for x, y, z in voxels(query):
        lowest[x, y] = min(z, lowest.get((x, y), z))
    here = [(x, y, z) for x, y, z in voxels(query) if z > lowest[x, y]]
    return sum(voxel in there for voxel in here) / len(here)


def test_overlap_equals_its_definition_with_sets(make_keyframe):
    query, match = make_keyframe(1, np.eye(4)).points_kf, make_keyframe(2, se3.from_se2(0.2, 0.1, 0.02)).points_kf
    assert overlap(occupied(query, 40.0), occupied(match, 40.0)) == pytest.approx(_plain_overlap(query, match), abs=2e-3)


def test_bare_ground_on_bare_ground_is_no_overlap():
    ground = occupied((np.random.default_rng(0).uniform(-30, 30, (5000, 3)) * [1, 1, 0]).astype(np.float32), 40.0)
    assert overlap(ground, ground) == 0.0

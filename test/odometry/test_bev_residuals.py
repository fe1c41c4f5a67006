"""BEV residuals: Jacobians against central differences, pixels found where they are, and help where planes have none."""

import numpy as np
import pytest

from bev_loc.config import BevConfig
from bev_loc.geometry import se3, so3
from bev_loc.odometry.bev_matching import MapImage
from bev_loc.odometry.bev_residuals import SIGMA_M, BevMatches
from bev_loc.odometry.local_map import LayeredMap
from bev_loc.odometry.sweep import ConstantTwist, sweep_of
from bev_loc.odometry.update import BevHelp, Prediction, register


def some_matches(rng: np.random.Generator, T: np.ndarray, count: int = 40) -> BevMatches:
    R_level_body = T[:3, :3] @ so3.exp(rng.normal(0, 0.02, 3))
    points_odom = rng.uniform(-30, 30, (count, 3)) * [1, 1, 0.1] + T[:3, 3]
    exact = ((points_odom - T[:3, 3]) @ T[:3, :3] @ R_level_body.T)[:, :2]
    return BevMatches(points_odom=points_odom, seen_xy=exact + rng.normal(0, 0.3, (count, 2)), R_level_body=R_level_body)


@pytest.mark.parametrize("seed", range(5))
def test_the_jacobian_is_that_of_central_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T = se3.exp(rng.normal(0, 1, 6))
    matches = some_matches(rng, T)
    _, jacobians = matches.residuals(T)
    for axis in range(6):
        step = 1e-6 * np.eye(6)[axis]
        T_plus, T_minus = (T @ se3.from_parts(so3.exp(s * step[:3]), s * step[3:]) for s in (1, -1))
        numeric = (matches.residuals(T_plus)[0] - matches.residuals(T_minus)[0]) / 2e-6
        assert np.allclose(jacobians[:, :, axis], numeric, atol=1e-6)


def test_the_gradient_is_that_of_the_robust_cost() -> None:
    rng = np.random.default_rng(7)
    T = se3.exp(rng.normal(0, 1, 6))
    matches = some_matches(rng, T, 10)

    def cost(T: np.ndarray) -> float:
        squared = (matches.residuals(T)[0] ** 2).sum(1)
        return float(np.sum(0.5 * 0.25 * np.log1p(squared / 0.25)) / SIGMA_M**2)

    _, gradient = matches.linearise(T)
    numeric = [
        (cost(T @ se3.from_parts(so3.exp(d[:3]), d[3:])) - cost(T @ se3.from_parts(so3.exp(-d[:3]), -d[3:]))) / 2e-6
        for d in 1e-6 * np.eye(6)
    ]
    assert np.allclose(gradient, numeric, rtol=1e-4, atol=1e-4 * np.abs(gradient).max())


def test_the_information_is_capped_at_twenty_matches() -> None:
    rng = np.random.default_rng(1)
    T = np.eye(4)
    information = [some_matches(rng, T, count).linearise(T)[0][3, 3] for count in (500, 5000)]
    assert max(information) <= 20.0 / SIGMA_M**2 and np.isclose(*information, rtol=0.1)


def test_the_gate_refuses_what_the_prediction_makes_implausible() -> None:
    T = np.eye(4)
    matches = BevMatches(points_odom=np.array([[5.0, 0, 0], [0, 8.0, 0]]), seen_xy=np.array([[5.2, 0], [0, 11.0]]), R_level_body=np.eye(3))
    kept = matches.gated(T, 1e-4 * np.eye(6))
    assert len(kept.seen_xy) == 1 and kept.seen_xy[0, 0] == 5.2
    assert len(matches.gated(T, 4.0 * np.eye(6)).seen_xy) == 2


def shifted(shifts: np.ndarray) -> BevMatches:
    """Matches at the origin that each tell another shift (N, 2)."""
    points = np.random.default_rng(5).uniform(-20, 20, (len(shifts), 3))
    return BevMatches(points_odom=points, seen_xy=points[:, :2] + shifts, R_level_body=np.eye(3))


def test_only_matches_that_tell_the_same_shift_are_believed() -> None:
    rng = np.random.default_rng(6)
    same, anyhow = np.array([0.6, -0.2]) + rng.normal(0, 0.1, (12, 2)), rng.uniform(-2, 2, (12, 2))
    assert len(shifted(same).agreeing(np.eye(4)).seen_xy) == 12
    assert len(shifted(same[:5]).agreeing(np.eye(4)).seen_xy) == 0  # few
    assert len(shifted(anyhow).agreeing(np.eye(4)).seen_xy) == 0  # each elsewhere
    believed = shifted(np.concatenate([same, anyhow[:5]])).agreeing(np.eye(4))
    assert 12 <= len(believed.seen_xy) <= 14
    assert len(shifted(np.zeros((0, 2))).agreeing(np.eye(4)).seen_xy) == 0


def poles(rng: np.random.Generator) -> np.ndarray:
    """(N, 3) bales and poles strewn over flat ground, from -60 to 100 m in x."""
    spots = np.column_stack([rng.uniform(-60, 100, 160), rng.uniform(-35, 35, 160)])
    clouds = []
    for spot in spots:
        radius, height = rng.uniform(0.3, 1.2), rng.uniform(1.5, 5.0)
        a, z = rng.uniform(0, 2 * np.pi, 300), rng.uniform(0, height, 300)
        clouds.append(np.column_stack([spot[0] + radius * np.cos(a), spot[1] + radius * np.sin(a), z]))
    ground = np.column_stack([rng.uniform(-60, 100, 60000), rng.uniform(-40, 40, 60000), rng.normal(0, 0.01, 60000)])
    return np.concatenate([*clouds, ground]).astype(np.float32)


def scene() -> tuple[LayeredMap, np.ndarray]:
    cloud = poles(np.random.default_rng(2))
    local_map = LayeredMap(1.0, 100.0)
    local_map.add(cloud, np.zeros(3))
    return local_map, cloud


def seen(cloud: np.ndarray, T_odom_body: np.ndarray) -> np.ndarray:
    """The cloud within 45 m as the body sees it."""
    points = se3.apply(se3.inverse(T_odom_body), cloud)
    return points[np.linalg.norm(points, axis=1) < 45.0]


def test_pixels_are_found_where_a_wrong_prediction_does_not_expect_them() -> None:
    local_map, cloud = scene()
    image = MapImage(BevConfig())
    start = se3.from_xyz_rpy((0, 0, 0, 0.0, 0.0, 0.3))
    assert not len(image.match(seen(cloud, start), start, local_map.layers[0]).seen_xy)  # nothing to tell patterns from yet
    true = se3.from_xyz_rpy((3.0, 1.0, 0, 0.01, 0.02, 0.4))
    predicted = se3.from_xyz_rpy((3.5, 0.6, 0, 0.01, 0.02, 0.4))
    matches = image.match(seen(cloud, true), predicted, local_map.layers[0])
    residuals, _ = matches.residuals(true)
    assert len(matches.seen_xy) > 15
    assert np.median(np.abs(residuals)) < 0.25 and np.median(np.abs(matches.residuals(predicted)[0])) > 0.3


def test_what_moves_along_with_the_vehicle_is_not_taken_for_the_world() -> None:
    rng = np.random.default_rng(3)
    pattern = poles(rng)
    pattern = pattern[np.linalg.norm(pattern[:, :2], axis=1) < 38.0]
    image, local_map = MapImage(BevConfig()), LayeredMap(1.0, 100.0)
    found = 0
    for x in np.arange(0.0, 6.0, 1.5):
        T = se3.from_xyz_rpy((x, 0, 0, 0, 0, 0))
        local_map.add(se3.apply(T, pattern), T[:3, 3])
        found += len(image.match(pattern, T, local_map.layers[0]).seen_xy)
    assert found == 0


def test_bev_matches_move_the_pose_only_along_what_the_planes_leave_open() -> None:
    local_map, cloud = scene()
    wall = np.stack(np.meshgrid(np.arange(-40, 60, 0.25), [12.0], np.arange(0, 6, 0.25), indexing="ij"), -1).reshape(-1, 3)
    local_map.add(wall.astype(np.float32), np.zeros(3))
    image = MapImage(BevConfig())
    image.match(seen(cloud, np.eye(4)), np.eye(4), local_map.layers[0])
    true, predicted = se3.from_xyz_rpy((2.5, 0, 0, 0, 0, 0)), se3.from_xyz_rpy((3.0, 0.1, 0, 0, 0, 0))
    flat = np.concatenate([wall[::7], cloud[-3000:]]).astype(np.float32)  # a wall and the ground: nothing along x
    points = seen(flat, true)
    sweep = sweep_of(points, np.empty(0, np.float32), 0.0, 0.1)
    prior = Prediction(
        T_odom_body=predicted,
        covariance=np.diag([1e-4] * 3 + [0.25] * 3),
        course=ConstantTwist(T_odom_last=np.eye(4), motion=np.zeros(6)),
        interval_s=0.1,
    )
    off = register(sweep, local_map, prior, 20)
    help_ = BevHelp(match=lambda: image.match(seen(cloud, true), predicted, local_map.layers[0]), always=False)
    auto = register(sweep, local_map, prior, 20, help_)
    assert auto.bev_matches > 10 and off.degenerate_directions >= 1
    assert abs(auto.T_odom_body[0, 3] - 2.5) < 0.5 * abs(off.T_odom_body[0, 3] - 2.5)
    assert abs(auto.T_odom_body[1, 3] - off.T_odom_body[1, 3]) < 0.02

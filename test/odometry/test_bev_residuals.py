"""BEV residuals: Jacobians against central differences, surfaces found where they are, and help where planes have none."""

from dataclasses import replace

import numpy as np
import pytest

from bev_loc.geometry import se3, so3
from bev_loc.odometry.bev_matching import MapImage
from bev_loc.odometry.bev_residuals import SIGMA_M, BevMatches
from bev_loc.odometry.local_map import LayeredMap
from bev_loc.odometry.residuals import PlaneMatches
from bev_loc.odometry.sweep import ConstantTwist, sweep_of
from bev_loc.odometry.update import BevHelp, Prediction, Registration, register


def some_matches(rng: np.random.Generator, T: np.ndarray, count: int = 40) -> BevMatches:
    R_level_body = T[:3, :3] @ so3.exp(rng.normal(0, 0.02, 3))
    points_odom = rng.uniform(-30, 30, (count, 3)) * [1, 1, 0.1] + T[:3, 3]
    exact = ((points_odom - T[:3, 3]) @ T[:3, :3] @ R_level_body.T)[:, :2]
    normals = rng.normal(0, 1, (count, 2))
    return BevMatches(
        points_odom=points_odom, seen_xy=exact + rng.normal(0, 0.1, (count, 2)), R_level_body=R_level_body,
        normals_xy=normals / np.linalg.norm(normals, axis=1, keepdims=True), sigmas_m=rng.uniform(0.005, 0.03, count),
    )  # fmt: skip


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
        assert np.allclose(jacobians[:, axis], numeric, atol=1e-6)


def test_the_gradient_is_that_of_the_robust_cost() -> None:
    rng = np.random.default_rng(7)
    T = se3.exp(rng.normal(0, 1, 6))
    matches = some_matches(rng, T, 10)

    def cost(T: np.ndarray) -> float:
        squared = matches.residuals(T)[0] ** 2
        return float(np.sum(0.5 * 0.01 * np.log1p(squared / 0.01) / (SIGMA_M**2 + matches.sigmas_m**2)))

    _, gradient = matches.linearise(T)
    numeric = [
        (cost(T @ se3.from_parts(so3.exp(d[:3]), d[3:])) - cost(T @ se3.from_parts(so3.exp(-d[:3]), -d[3:]))) / 2e-6
        for d in 1e-6 * np.eye(6)
    ]
    assert np.allclose(gradient, numeric, rtol=1e-4, atol=1e-4 * np.abs(gradient).max())


def test_the_information_is_capped_at_forty_matches() -> None:
    rng = np.random.default_rng(1)
    T = np.eye(4)
    most = [np.linalg.eigvalsh(some_matches(rng, T, count).linearise(T)[0][3:, 3:])[-1] for count in (500, 5000)]
    assert np.allclose(most, 40.0 / SIGMA_M**2, rtol=0.1)


def facing_x(distances_m: list[float]) -> BevMatches:
    """Surfaces that face along x, seen that much too far."""
    count = len(distances_m)
    seen = np.tile([5.0, 1.0], (count, 1)) + np.outer(distances_m, [1.0, 0.0])
    return BevMatches(
        points_odom=np.tile([5.0, 1.0, 0.0], (count, 1)), seen_xy=seen, normals_xy=np.tile([1.0, 0.0], (count, 1)),
        sigmas_m=np.full(count, 0.01), R_level_body=np.eye(3),
    )  # fmt: skip


def test_the_gate_refuses_what_the_prediction_makes_implausible() -> None:
    matches = facing_x([SIGMA_M, 0.1])
    kept = matches.gated(np.eye(4), 1e-4 * np.eye(6))
    assert len(kept.seen_xy) == 1 and kept.seen_xy[0, 0] == 5.0 + SIGMA_M
    assert len(matches.gated(np.eye(4), np.eye(6)).seen_xy) == 2


def test_only_surfaces_that_face_along_a_direction_tell_of_it() -> None:
    matches = facing_x([0.0, 0.0])
    assert len(matches.facing(np.array([[1.0], [0.0], [0.0]]), 0.5).seen_xy) == 2
    assert len(matches.facing(np.array([[0.0], [1.0], [0.0]]), 0.5).seen_xy) == 0
    assert len(matches.facing(np.eye(3), 0.5).seen_xy) == 2


@pytest.mark.parametrize(("degrees", "kept"), [(10, True), (40, True), (55, False), (65, False)])
def test_a_piece_of_wall_that_few_points_tilt_tells_nothing_of_the_way_along_it(degrees: float, kept: bool) -> None:
    one = replace(facing_x([0.0]), normals_xy=np.array([[np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]]))
    prediction = Prediction(
        T_odom_body=np.eye(4), covariance=0.01 * np.eye(6), course=ConstantTwist(T_odom_last=np.eye(4), motion=np.zeros(6)), interval_s=0.1
    )
    found = BevHelp(match=lambda: one, always=False).matches(prediction, np.array([[1.0], [0.0], [0.0]]))
    assert len(found.seen_xy) == kept


def surface(rng: np.random.Generator, a: tuple[float, float], b: tuple[float, float], high_m: float, per_m2: float) -> np.ndarray:
    """(N, 3) points of an upright surface from a to b (x, y)."""
    a, b = np.array(a), np.array(b)
    count = int(np.linalg.norm(b - a) * high_m * per_m2)
    noise = rng.normal(0, 0.01, (count, 3))
    return np.column_stack([a + rng.random((count, 1)) * (b - a), rng.uniform(0, high_m, count)]) + noise


def seen_at(x_m: float) -> np.ndarray:
    """(N, 3) float32 points in odom of a tunnel that ends 30 m behind, and has a niche 25 m ahead; another draw each time."""
    rng = np.random.default_rng(round(x_m * 1000) + 10_000)
    walls = [surface(rng, (x_m - 40, y), (x_m + 40, y), 4.0, 20.0) for y in (-5.0, 5.0)]
    ground = np.column_stack([rng.uniform(-40, 40, 6000) + x_m, rng.uniform(-5, 5, 6000), rng.normal(0, 0.01, 6000)])
    faces = [surface(rng, (-30, -5), (-30, 5), 4.0, 40.0), surface(rng, (25, 3.8), (25, 5), 3.0, 100.0)]
    return np.concatenate([*walls, ground, *faces]).astype(np.float32)


def driven(metres: float = 10.0) -> MapImage:
    image = MapImage()
    for x in np.arange(0.0, metres, 0.5):
        image.add(seen_at(x), np.array([x, 0.0, 1.5]))
    return image


def test_surfaces_are_found_to_the_centimetre_from_a_wrong_prediction() -> None:
    true, predicted = se3.from_xyz_rpy((10.5, 0, 1.5, 0.01, 0.02, 0.3)), se3.from_xyz_rpy((10.4, 0, 1.5, 0.01, 0.02, 0.3))
    as_predicted = se3.apply(predicted @ se3.inverse(true), seen_at(10.5))
    matches = driven().match(as_predicted, predicted).facing(true[:3, :3].T[:, :1], 0.5)
    residuals, _ = matches.residuals(true)
    off, _ = matches.residuals(predicted)
    assert len(residuals) > 20
    assert np.median(np.abs(residuals)) < 0.01 and abs(np.median(np.abs(off)) - 0.1) < 0.02


def test_a_surface_tells_nothing_before_it_was_seen_from_two_places() -> None:
    standing = MapImage()
    for _ in range(40):
        standing.add(seen_at(0.0), np.array([0.0, 0.0, 1.5]))
    T = se3.from_xyz_rpy((0, 0, 1.5, 0, 0, 0))
    assert len(standing.match(seen_at(0.0), T).seen_xy) == 0
    assert len(driven(0.5).match(seen_at(0.5), T).seen_xy) == 0
    assert len(driven(1.0).match(seen_at(1.0), T).seen_xy) > 0
    image = driven()
    assert len(image.match(seen_at(10.0), T).seen_xy) > 0
    image.forget()
    assert len(image.match(seen_at(10.0), T).seen_xy) == 0


@pytest.mark.parametrize("views", [2, 3, 5, 8, 30])
@pytest.mark.parametrize("apart_m", [0.5, 0.8])
def test_columns_that_fall_on_the_same_spots_of_a_wall_are_not_taken_for_the_world(apart_m: float, views: int) -> None:
    rng, image, along = np.random.default_rng(3), MapImage(), np.arange(-40.0, 40.0, apart_m)
    columns = np.column_stack([np.repeat(along, 40), np.full(40 * len(along), 5.03), np.tile(np.linspace(0, 4, 40), len(along))])

    def cloud() -> np.ndarray:
        return (columns + rng.normal(0, 0.01, columns.shape)).astype(np.float32)

    for step in range(views):
        image.add(cloud(), np.array([step * apart_m, 0.0, 1.5]))
    matches = image.match(cloud(), se3.from_xyz_rpy((views * apart_m, 0, 1.5, 0, 0, 0)))
    assert len(matches.facing(np.array([[1.0], [0.0], [0.0]]), 0.5).seen_xy) == 0


def test_a_niche_whose_wall_is_seen_from_ever_nearer_stays_known() -> None:
    """A lidar of few rings: its front is left with a point of each of its views, some of the wall's come after that."""
    rng, image = np.random.default_rng(4), MapImage()
    for step in range(40):
        front = [(20.12, 3.1 + 0.1 * rng.random(), rng.uniform(1.0, 2.0))]
        wall = [(rng.uniform(20.6, 21.1), 3.2, rng.uniform(1.0, 2.0))] if step > 20 and step % 4 == 0 else []
        image.add(np.array(front + wall, np.float32), np.array([0.5 * step, 0.0, 1.5]))

    def seen_from(x_m: float) -> int:
        matches = image.match(np.array(front, np.float32), se3.from_xyz_rpy((x_m, 0, 1.5, 0, 0, 0)))
        return len(matches.facing(np.array([[1.0], [0.0], [0.0]]), 0.5).seen_xy)

    assert seen_from(10.0) == seen_from(14.0) == 1
    assert seen_from(19.5) == 0  # from beside it shows something else than what was learnt


def registered(help_: BevHelp | None) -> Registration:
    """Of a scan of the tunnel's walls and ground 10.5 m from the start, expected 15 cm too far and 3 cm aside."""
    local_map = LayeredMap(1.0, 100.0)
    for x in (0.0, 5.0, 10.0):
        points = seen_at(x)
        local_map.add(points[np.abs(points[:, 0] + 30) > 1.0], np.array([x, 0, 1.5]))
    true, predicted = se3.from_xyz_rpy((10.5, 0, 1.5, 0, 0, 0)), se3.from_xyz_rpy((10.65, 0.03, 1.5, 0, 0, 0))
    points = seen_at(10.5)[::5]
    points = points[(np.abs(points[:, 0] + 30) > 1.0) & (np.abs(points[:, 0] - 25) > 0.5)]
    sweep = sweep_of(se3.apply(se3.inverse(true), points).astype(np.float32), np.empty(0, np.float32), 0.0, 0.1)
    prior = Prediction(
        T_odom_body=predicted,
        covariance=np.diag([1e-4] * 3 + [0.01] * 3),
        course=ConstantTwist(T_odom_last=np.eye(4), motion=np.zeros(6)),
        interval_s=0.1,
    )
    return register(sweep, local_map, prior, 20, help_)


@pytest.mark.parametrize("always", [False, True])
def test_bev_matches_tell_where_the_scan_is_along_a_tunnel(always: bool) -> None:
    true, predicted = se3.from_xyz_rpy((10.5, 0, 1.5, 0, 0, 0)), se3.from_xyz_rpy((10.65, 0.03, 1.5, 0, 0, 0))
    scan_expected = se3.apply(predicted @ se3.inverse(true), seen_at(10.5))
    off = registered(None)
    helped = registered(BevHelp(match=lambda: driven().match(scan_expected, predicted), always=always))
    assert off.degenerate_directions >= 1 and off.bev_matches == 0
    assert abs(off.T_odom_body[0, 3] - 10.5) > 0.05
    assert helped.bev_matches > 10 and abs(helped.T_odom_body[0, 3] - 10.5) < 0.015
    assert abs(helped.T_odom_body[1, 3]) < 0.01 and abs(off.T_odom_body[1, 3]) < 0.01


def test_straightened_planes_keep_their_residuals_and_tell_nothing_of_the_open_direction() -> None:
    rng = np.random.default_rng(4)
    local_map = LayeredMap(1.0, 100.0)
    local_map.add(seen_at(0.0), np.zeros(3))
    T = se3.from_xyz_rpy((0.1, 0.02, 1.5, 0.01, 0.0, 0.3))
    points = se3.apply(se3.inverse(T), seen_at(0.0)[::5] + rng.normal(0, 0.01, 3)).astype(np.float32)
    in_odom = se3.apply(T, points)
    points = points[(np.abs(in_odom[:, 0]) < 20.0) & (in_odom[:, 2] > 0.6)]  # walls, nothing else
    open_body = T[:3, :3].T[:, :1]
    planes = PlaneMatches(np.ones(len(points), np.float32))
    planes.search(points, T, local_map.layers)
    before = planes.linearise(points, T, 0.1, 0.1)
    planes.straighten(points, T, open_body)
    after = planes.linearise(points, T, 0.1, 0.1)
    told = [float(open_body[:, 0] @ system.hessian[3:, 3:] @ open_body[:, 0]) for system in (before, after)]
    assert before.matches == after.matches and np.isclose(before.rmse_m, after.rmse_m)
    assert told[0] > 50.0 and told[1] < 0.1 * told[0]

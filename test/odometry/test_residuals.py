"""Plane residuals: derivatives against central differences, planes against an eigenvalue solver."""

import numpy as np
import pytest

from bev_loc.geometry import se3
from bev_loc.odometry.local_map import LayeredMap, LocalMap
from bev_loc.odometry.planes import bow, fit_plane, spans, spare
from bev_loc.odometry.residuals import PlaneMatches


def cost(points: np.ndarray, T: np.ndarray, planes: np.ndarray, sigma_m: float, kernel_m: float) -> float:
    """Sum of Cauchy losses of signed plane distances, the function whose gradient `linearise` gives."""
    distance = se3.apply(T, points.astype(float)) @ planes[:3] + planes[3]
    return float(np.sum(0.5 * (kernel_m / sigma_m) ** 2 * np.log1p((distance / kernel_m) ** 2)))


def test_the_gradient_is_that_of_central_differences() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-8, 8, (2, 20000))
    floor = np.stack([x, y, 0.1 * x - 0.05 * y], -1).astype(np.float32)
    local_map = LocalMap(1.0, 50.0)
    local_map.add(floor, np.zeros(3))
    T = se3.exp(np.array([0.02, -0.01, 0.3, 0.2, 0.1, 0.08]))
    points = se3.apply(se3.inverse(T), floor[::97]) + np.float32([0, 0, 0.07])
    matches = PlaneMatches(np.ones(len(points), np.float32))
    matches.search(points, T, (local_map,))
    system = matches.linearise(points, T, 0.1, 0.2)
    normal = np.array([-0.1, 0.05, 1.0]) / np.linalg.norm([-0.1, 0.05, 1.0])
    matched = matches._planes[:, :3].any(1)
    gradient = np.empty(6)
    for axis in range(6):
        step = 1e-5 * np.eye(6)[axis]
        plane = np.append(normal, 0.0)
        gradient[axis] = (
            cost(points[matched], T @ se3.exp(step), plane, 0.1, 0.2) - cost(points[matched], T @ se3.exp(-step), plane, 0.1, 0.2)
        ) / 2e-5
    assert system.matches == matched.sum() > 100
    assert np.allclose(system.gradient, gradient, rtol=2e-2, atol=1e-2 * np.abs(gradient).max())


def test_a_share_scales_the_jacobian() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(-5, 5, (50, 3)).astype(np.float32)
    planes = np.tile([0.0, 0.0, 1.0, 0.01], (50, 1))
    full, half = PlaneMatches(np.ones(50, np.float32)), PlaneMatches(np.full(50, 0.5, np.float32))
    flat = points * np.float32([1, 1, 0])
    for matches in (full, half):
        matches._planes[:] = planes
    whole, part = full.linearise(flat, np.eye(4), 0.1, 0.2), half.linearise(flat, np.eye(4), 0.1, 0.2)
    assert np.allclose(part.hessian, 0.25 * whole.hessian) and np.allclose(part.gradient, 0.5 * whole.gradient)


@pytest.mark.parametrize("seed", range(20))
def test_the_plane_of_five_points_is_that_of_the_smallest_eigenvector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    points = rng.uniform(-0.5, 0.5, (5, 3)) * [1, 1, 0.05] @ basis.T + rng.uniform(-50, 50, 3)
    plane = np.zeros(4)
    assert fit_plane(points, plane)
    centred = points - points.mean(0)
    expected = np.linalg.eigh(centred.T @ centred)[1][:, 0]
    assert abs(abs(expected @ plane[:3]) - 1.0) < 1e-6
    assert abs(plane[:3] @ points.mean(0) + plane[3]) < 1e-9


def test_points_on_a_line_or_off_a_plane_give_no_plane() -> None:
    line = np.linspace(0, 1, 5)[:, None] * np.array([1.0, 2.0, 3.0])
    ball = np.array([[0.4, 0, 0], [-0.4, 0, 0], [0, 0.4, 0], [0, 0, 0.4], [0, -0.1, -0.4]])
    assert not fit_plane(line, np.zeros(4))
    assert not fit_plane(ball, np.zeros(4))


def test_rings_on_the_ground_give_no_plane_in_the_fine_layer_and_the_ground_in_the_coarse_one() -> None:
    rng = np.random.default_rng(3)
    azimuth = np.linspace(0, 2 * np.pi, 2000)
    rings = [np.stack([r * np.cos(azimuth), r * np.sin(azimuth), np.zeros(2000)], -1) for r in (6.7, 7.8, 9.2, 11.2, 14.6)]
    ground = (np.concatenate(rings) + [0, 0, 1] * rng.normal(0, 0.015, (10000, 1))).astype(np.float32)
    layered = LayeredMap(1.0, 100.0)
    layered.add(ground, np.zeros(3))
    points = ground[::50] + np.float32([0.3, 0, 0])  # as the next sweep would see them, if it had moved
    fine, both = (PlaneMatches(np.ones(len(points), np.float32)) for _ in range(2))
    fine.search(points, np.eye(4), layered.layers[:1])
    both.search(points, np.eye(4), layered.layers)
    assert fine._planes.any(1).mean() < 0.05
    found = both._planes[both._planes.any(1)]
    assert len(found) > 0.2 * len(points)
    assert np.abs(found[:, :2]).max() < 0.1  # the pull along the ground is what a normal's tilt makes of it


def test_a_point_beside_the_neighbours_of_a_plane_is_not_held_by_it() -> None:
    patch = np.stack(np.meshgrid([0.0, 0.2, 0.4], [0.0, 0.2], [0.0], indexing="ij"), -1).reshape(-1, 3)
    plane = np.array([0.0, 0.0, 1.0, 0.0])
    assert spans(patch, plane, np.array([0.2, 0.1, 0.1]), 0.07)
    assert not spans(patch, plane, np.array([0.8, 0.1, 0.1]), 0.07)
    assert not spans(patch * [1, 0.1, 1], plane, np.array([0.2, 0.01, 0.1]), 0.07)


def test_a_plane_that_hangs_on_one_point_has_nothing_to_check_it_and_a_spread_one_has() -> None:
    rng = np.random.default_rng(0)
    plane = np.array([0.0, 0.0, 1.0, 0.0])
    ring = np.stack([np.linspace(-0.4, 0.4, 4), rng.normal(0, 0.01, 4), np.zeros(4)], -1)
    spread = np.append(rng.uniform(-0.5, 0.5, (10, 2)), np.zeros((10, 1)), axis=1)
    design = np.column_stack([np.ones(10), spread[:, :2]])
    leverages = np.diag(design @ np.linalg.pinv(design))
    assert spare(np.append(ring, [[0.1, 0.4, 0.0]], axis=0), plane) < 0.01
    assert np.isclose(spare(spread, plane), 1.0 - leverages.max())


def test_a_vault_is_found_above_the_plane_of_its_points_and_flat_ground_on_it() -> None:
    rng = np.random.default_rng(3)

    def gaps_m(radius_m: float) -> tuple[np.ndarray, np.ndarray]:
        """How far the surface lies from the planes of ten noisy points around, and from their bows."""
        found = []
        for _ in range(300):
            x, y = rng.uniform(-1.0, 1.0, (2, 10))
            z = np.zeros(10) if np.isinf(radius_m) else np.sqrt(radius_m**2 - y**2) - radius_m
            around = np.stack([x, y, z + rng.normal(0, 0.02, 10)], 1)
            plane, query = np.zeros(4), np.zeros(3)
            if fit_plane(around[np.argsort((around**2).sum(1))], plane):
                plane *= np.sign(plane[2])
                gap = plane[:3] @ query + plane[3]
                found.append((gap, gap - bow(around, plane, query)))
        return tuple(np.array(found).T)

    plain, bowed = gaps_m(5.0)
    assert plain.mean() > 0.02  # a point in the middle looks as if it were outside
    assert abs(bowed.mean()) < 0.5 * plain.mean()
    flat, flat_bowed = gaps_m(np.inf)
    assert abs(flat_bowed.mean()) < 0.002
    assert flat_bowed.std() < 1.4 * flat.std()


def test_one_point_of_a_guard_rail_above_a_ring_weighs_little_for_a_wary_search_and_three_weigh() -> None:
    y = 0.4 * np.arange(-15, 16)

    def pull(others: list[list[float]], wary: bool) -> float:
        """Information along x."""
        ring = np.stack([20.0 - 0.02 * y**2, y, np.full(len(y), -1.7)], 1)
        layered = LayeredMap(1.0, 100.0)
        layered.add(np.concatenate([ring, np.array(others)]).astype(np.float32), np.zeros(3))
        points = ring[np.abs(y) < 0.2].astype(np.float32)
        matches = PlaneMatches(np.ones(len(points), np.float32), wary=wary)
        matches.search(points, np.eye(4), layered.layers[:1])
        return float(matches.linearise(points, np.eye(4), 0.1, 0.1).hessian[3, 3])

    one, three = [[20.1, 0.3, -1.25]], [[20.1, 0.3, -1.25], [20.1, -0.3, -1.25], [20.1, 0.0, -1.25]]
    assert pull(one, wary=False) > 10.0
    assert pull(one, wary=True) < 0.1 * pull(one, wary=False)
    assert pull(three, wary=True) > 0.3 * pull(three, wary=False) > 0.0

"""Every world can be built, driven and scanned; the drives stay on their ground and keep clear of what stands there."""

import numpy as np
import pytest

pytest.importorskip("open3d")

from bev_loc.sim.options import parse  # noqa: E402
from bev_loc.sim.polyline import curvature, offset, resampled, rounded, smoothed  # noqa: E402
from bev_loc.sim.simulation import simulate  # noqa: E402
from bev_loc.sim.track import refuse_off_ground  # noqa: E402
from bev_loc.sim.worlds import WORLDS  # noqa: E402


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_both_drives_of_a_world_stay_on_its_ground_and_touch_nothing(name: str) -> None:
    for which in ("map", "other"):
        simulation = simulate(parse(f"{name},blocks=3,lidar=vlp16,pass={which}"))
        refuse_off_ground(simulation.drive, simulation.world)
        scanner = simulation.scanner()
        for index in np.linspace(5, simulation.scan_count - 1, 6).astype(int):
            points = scanner.sweep(int(index)).points_lidar
            half_m = 0.5 if name == "corridor" else 0.9
            body = (np.abs(points[:, 1]) < half_m) & (points[:, 0] > -2.5) & (points[:, 0] < 1.5) & (points[:, 2] > -1.2)
            assert len(points) > 5000
            assert not body.any(), f"something stands in the car at scan {index}"


def test_driving_is_smooth_enough_for_passengers() -> None:
    drive = simulate(parse("town,blocks=3")).drive
    m = drive.motion(np.arange(0, drive.duration_s, 0.05))
    sideways = np.einsum("nj,nj->n", m.a_world, m.R_world_base[:, :, 1])
    assert np.abs(m.a_world[:, :2]).max() < 6.0
    assert np.percentile(np.abs(sideways), 99) < 3.5
    assert np.abs(m.w_body[:, 2]).max() < 1.0 and np.linalg.norm(m.v_world, axis=1).max() < 10.0
    assert np.linalg.norm(m.v_world[:15], axis=1).max() < 0.2  # it starts from standstill


def test_the_town_drive_comes_back_in_the_same_and_in_the_opposite_direction() -> None:
    poses = simulate(parse("town")).truth()[1][::50]
    heading = poses[:, :3, 0]
    near = np.linalg.norm(poses[:, None, :2, 3] - poses[None, :, :2, 3], axis=2) < 6.0
    later = np.triu(np.ones_like(near), 60)
    cosine = heading @ heading.T
    assert (near * later * (cosine > 0.9)).any(1).sum() > 40
    assert (near * later * (cosine < -0.9)).any(1).sum() > 20


def test_worlds_of_different_seeds_differ_and_several_blocks_make_a_larger_town() -> None:
    one, two, large = (simulate(parse(f"town,{options}")) for options in ("blocks=2", "blocks=2,seed=2", "blocks=4"))
    assert len(one.world.mesh.vertices) != len(two.world.mesh.vertices)
    assert np.prod(large.world.high - large.world.low) > 1.8 * np.prod(one.world.high - one.world.low)


def test_an_offset_line_keeps_its_distance_and_rounding_keeps_the_ends() -> None:
    corners = np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 40.0]])
    line = smoothed(rounded(corners, 12.0), 2.0)
    np.testing.assert_allclose(line[[0, -1]], corners[[0, -1]], atol=1e-6)
    assert np.abs(curvature(line, 0.5)).max() < 1 / 5.0
    left = offset(line, 1.75)
    np.testing.assert_allclose(np.linalg.norm(left - line, axis=1), 1.75)
    assert len(resampled(line, 5.0)) < len(line)

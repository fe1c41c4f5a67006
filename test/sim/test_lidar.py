"""Lidar presets, and what ray casting makes of a known scene."""

import numpy as np
import pytest

from bev_loc.errors import SourceError
from bev_loc.geometry import se3
from bev_loc.sim.lidar import PRESETS, preset, unit
from bev_loc.sim.meshes import Material, box, quads

pytest.importorskip("open3d")

from bev_loc.sim.caster import Caster, Moving  # noqa: E402


def held(T: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda t: np.tile(T, (len(t), 1, 1))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_has_unit_rays_in_order_of_time_within_one_period(name: str) -> None:
    model = preset(name)
    np.testing.assert_allclose(np.linalg.norm(model.directions, axis=1), 1.0, atol=1e-6)
    assert (np.diff(model.offsets_s) >= 0).all() and model.offsets_s[-1] < 1 / model.rate_hz
    assert model.firing.max() == len(model.firing_s) - 1
    np.testing.assert_allclose(model.firing_s[model.firing], model.offsets_s, atol=1e-3)


def test_the_hdl64_has_115200_rays_and_spinning_heads_turn_clockwise_from_behind() -> None:
    model = preset("hdl64")
    assert len(model.directions) == 115_200
    azimuth = np.degrees(np.arctan2(model.directions[:, 1], model.directions[:, 0]))
    fraction = (180 - azimuth) / 360
    np.testing.assert_allclose(fraction % 1, model.offsets_s / 0.1, atol=1e-3)


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(SourceError, match="hdl64.*vlp16"):
        preset("vlp17")


def room() -> Caster:
    walls = box((-10, -8, -3), (10, 8, 5), Material.WALL)
    return Caster(walls, preset("vlp16"))


def test_points_lie_on_the_walls_of_a_room_within_the_range_noise() -> None:
    sweep = room().scan(held(np.eye(4)), 0.0, 0, 1, 0)
    away = np.abs(sweep.points_lidar - np.clip(sweep.points_lidar, [-10, -8, -3], [10, 8, 5])).max(1)
    inside = np.min([10 - np.abs(sweep.points_lidar[:, 0]), 8 - np.abs(sweep.points_lidar[:, 1]), sweep.points_lidar[:, 2] + 3], axis=0)
    assert len(sweep.points_lidar) > 25_000
    assert max(away.max(), inside.max()) < 3.6 * 0.015 + 3 * 0.006 + 3 * 3e-4 * 12


def test_a_moving_sensor_distorts_the_scan_and_the_point_times_undo_it() -> None:
    def poses(t: np.ndarray) -> np.ndarray:
        T = np.tile(np.eye(4), (len(t), 1, 1))
        T[:, 0, 3] = 15.0 * t
        return T

    sweep = room().scan(poses, 0.0, 0, 1, 0)
    fixed = sweep.points_lidar.astype(float)
    raw_x = fixed[fixed[:, 0] > 7, 0]
    fixed[:, 0] += 15.0 * sweep.offsets_s
    front = (fixed[:, 0] > 9) & (np.abs(fixed[:, 1]) < 7.5) & (fixed[:, 2] > -2.5)
    assert raw_x.max() < 9.6
    assert np.abs(fixed[front, 0] - 10.0).max() < 0.06


def test_things_that_move_are_where_they_are_at_each_rays_own_time() -> None:
    empty = quads(np.array([[(-90, -90, -2), (90, -90, -2), (90, 90, -2), (-90, 90, -2)]], float), Material.CONCRETE)
    caster = Caster(empty, preset("vlp16"), (box((-2, -1, -1.5), (2, 1, 1), Material.SIGN),))
    speed = np.array([0.0, 20.0, 0.0])
    thing = Moving(kind=0, xyz=np.array([12.0, -1.0, 0.0]), yaw_rad=0.0, v_m_s=speed)
    sweep = caster.scan(held(np.eye(4)), 0.0, 0, 1, 0, (thing,))
    hit = sweep.points_lidar[:, 2] > -1.4
    own = sweep.points_lidar[hit] - thing.xyz - sweep.offsets_s[hit, None] * speed
    assert hit.sum() > 200
    assert np.abs(own[:, 0] + 2).min() < 0.05
    assert np.abs(own[:, 0]).max() < 2.06 and np.abs(own[:, 1]).max() < 1.06


def test_each_beam_of_a_unit_errs_a_little_and_always_the_same() -> None:
    model = preset("hdl64")
    first, again = unit(model), unit(model)
    np.testing.assert_array_equal(first.directions, again.directions)
    angle = np.arccos(np.clip(np.sum(first.directions.astype(float) * model.directions, 1), -1, 1))
    assert 1e-4 < np.median(angle) < 2e-3
    per_beam = [np.ptp(first.range_error_m[model.rings == ring]) for ring in range(64)]
    assert max(per_beam) == 0 and 0.008 < np.std(first.range_error_m) < 0.016


def test_far_and_grazing_surfaces_are_lost_more_often() -> None:
    flat = quads(np.array([[(-200, -200, -1.7), (200, -200, -1.7), (200, 200, -1.7), (-200, 200, -1.7)]], float), Material.ASPHALT)
    sweep = Caster(flat, preset("vlp16")).scan(held(np.eye(4)), 0.0, 0, 1, 0)
    per_ring = np.bincount(sweep.rings, minlength=16)
    assert per_ring[0] > 1750 and per_ring[7] < 0.3 * per_ring[0]  # -15 degrees: 6.6 m; -1 degree: 97 m
    assert per_ring[8:].sum() == 0


def test_the_livox_pattern_never_repeats_and_fills_its_cone() -> None:
    wall = box((-30, -30, -30), (20, 30, 30), Material.WALL)
    caster = Caster(wall, preset("livox"))
    first, second = (caster.scan(held(se3.from_se2(0, 0, 0)), 0.0, k, 1, 0).points_lidar for k in (0, 1))

    def cells(points: np.ndarray) -> set:
        way = points / np.linalg.norm(points, axis=1, keepdims=True)
        return set(map(tuple, np.round(way[:, 1:] * 50).astype(int)))

    assert len(cells(first) | cells(second)) > 1.15 * len(cells(first))

"""Given trajectories: the smoother against a known motion, refusals with place and time, worlds laid out around real tracks."""

from pathlib import Path

import numpy as np
import pytest
from real_data import RealData

from bev_loc.errors import SourceError
from bev_loc.geometry import se3
from bev_loc.geometry.trajectory import align, write_tum
from bev_loc.sim.given import RecordedImu, read_poses
from bev_loc.sim.imu import ImuModel, felt, measured, sample_times
from bev_loc.sim.options import SimOptions, parse
from bev_loc.sim.simulation import simulate
from bev_loc.sim.smooth import level_revisits, smooth_ins
from bev_loc.sim.spline_fit import Observed, fit, rough


def tum(path: Path, t_s: np.ndarray, poses: np.ndarray) -> Path:
    write_tum(path, np.round(t_s * 1e9).astype(np.int64), poses)
    return path


@pytest.fixture(scope="module")
def town_drive():  # type: ignore[no-untyped-def]
    return simulate(SimOptions(world="town", blocks=2)).drive


def test_a_spline_fitted_to_values_and_derivatives_is_the_curve_they_came_from() -> None:
    t = np.linspace(0, 10, 400)
    curve = np.stack([np.sin(t), np.cos(0.7 * t)], 1)
    slope = np.stack([np.cos(t), -0.7 * np.sin(0.7 * t)], 1)
    bend = np.stack([-np.sin(t), -0.49 * np.cos(0.7 * t)], 1)
    noisy = curve + np.random.default_rng(0).normal(0, 0.05, curve.shape)
    seen = [
        Observed(t_s=t, order=0, values=noisy, sigma=0.05),
        Observed(t_s=t, order=1, values=slope, sigma=0.01),
        Observed(t_s=t, order=2, values=bend, sigma=0.01),
    ]
    spline = fit(10.0, 0.2, seen, rough(10.0, 0.1, 3, 2, 10.0))
    assert np.abs(spline(t) - curve).max() < 0.02
    assert np.abs(spline.derivative(2)(t[5:-5]) - bend[5:-5]).max() < 0.02


def test_smoothing_a_gps_ins_with_gaps_and_stamps_that_go_back_finds_the_motion_behind_it(town_drive) -> None:  # type: ignore[no-untyped-def]
    t = sample_times(60.0, 100.0)
    rng = np.random.default_rng(4)
    clean = felt(town_drive, t, np.eye(4))
    imu = measured(clean, ImuModel(rate_hz=100.0), rng)
    m = town_drive.motion(t)
    from bev_loc.geometry import so3

    rpy = np.array([so3.to_rpy(R) for R in m.R_world_base])
    wander = np.cumsum(rng.normal(0, 0.01, (len(t), 3)), axis=0) * 0.1
    stamps = t.copy()
    stamps[3000:3005] -= 0.05
    keep = (t < 20.0) | (t > 21.5)
    recorded = RecordedImu(
        time_s=stamps[keep], gyro_rad_s=imu.gyro_rad_s[keep], acc_m_s2=imu.acc_m_s2[keep],
        rpy_rad=(rpy + rng.normal(0, 0.002, rpy.shape))[keep],
        position_m=(m.t_world_base + wander)[keep], velocity_m_s=(m.v_world + rng.normal(0, 0.03, wander.shape))[keep],
    )  # fmt: skip
    drive, residual = smooth_ins(recorded)
    found = drive.poses(t)
    off = np.linalg.norm(found[:, :3, 3] - m.t_world_base, axis=1)
    turned = np.einsum("nji,njk->nik", found[:, :3, :3], m.R_world_base)
    wrong_deg = np.degrees(np.arccos(np.clip((np.trace(turned, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert off[keep].max() < 0.4 and wrong_deg[keep].max() < 0.8
    assert off[~keep].max() < 1.0  # bridged
    assert residual.acc_m_s2 < 0.2 and residual.gyro_rad_s < 0.02 and residual.drift_10s_m < 2.0


def test_heights_of_two_passes_over_one_street_are_made_to_agree_smoothly() -> None:
    turn = np.linspace(0, 4 * np.pi, 2000)
    track = np.stack([60 * np.cos(turn), 60 * np.sin(turn), 0.002 * 60 * turn], 1)  # climbs 0.75 m a lap
    t = np.arange(2000) * 0.05
    change = level_revisits(t, track)
    z = track[:, 2] + change
    assert np.abs(z[:1000] - z[1000:]).max() < 0.25 * 0.75
    assert np.abs(np.diff(change)).max() < 0.01


def test_a_drive_along_the_poses_of_a_file_follows_them(tmp_path: Path, town_drive) -> None:  # type: ignore[no-untyped-def]
    t = np.arange(0.0, 40.0, 0.1)
    poses = town_drive.poses(t)
    path = tum(tmp_path / "drive.tum", t + 100.0, poses)
    simulation = simulate(parse(f"town,blocks=2,trajectory={path}"))
    off = simulation.drive.poses(t)[:, :3, 3] - poses[:, :3, 3]
    assert np.linalg.norm(off, axis=1).max() < 0.15
    assert simulation.scan_count == 399


def test_a_trajectory_that_leaves_the_ground_is_refused_with_place_and_time(tmp_path: Path, town_drive) -> None:  # type: ignore[no-untyped-def]
    t = np.arange(0.0, 40.0, 0.1)
    poses = town_drive.poses(t)
    poses[200:, 2, 3] += np.linspace(0, 5, 200)
    path = tum(tmp_path / "flight.tum", t, poses)
    with pytest.raises(SourceError, match=r"leaves the ground of world 'town': at 2\d\.\d s, x -?\d.*y.*z.*\+0\.\d m off"):
        simulate(parse(f"town,blocks=2,trajectory={path}"))
    poses[:, 0, 3] += 5000
    with pytest.raises(SourceError, match="outside the world"):
        simulate(parse(f"town,blocks=2,trajectory={tum(path, t, poses)}"))


def test_a_trajectory_that_jumps_is_refused_with_place_and_time(tmp_path: Path, town_drive) -> None:  # type: ignore[no-untyped-def]
    t = np.arange(0.0, 20.0, 0.1)
    poses = town_drive.poses(t)
    poses[120:, 0, 3] += 30.0
    path = tum(tmp_path / "jump.tum", t, poses)
    with pytest.raises(SourceError, match=r"jumps by (29|30|31)\.\d m within 0\.10 s at 11\.90 s, at x"):
        simulate(parse(f"around,trajectory={path}"))
    t[50] = t[49] - 1
    with pytest.raises(SourceError, match="time must increase"):
        simulate(parse(f"around,trajectory={tum(path, t, town_drive.poses(t))}"))


@pytest.mark.parametrize(("name", "text"), [("nothing.tum", None), ("words.tum", "these are words\n"), ("few.tum", "0 0 0 0 0 0 0 1\n")])
def test_files_that_hold_no_trajectory_are_refused_by_name(tmp_path: Path, name: str, text: str | None) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=name):
        read_poses(tmp_path / name)


def test_an_imu_file_without_its_arrays_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "imu.npz", time_s=np.arange(3.0))
    with pytest.raises(SourceError, match="gyro_rad_s.*is missing"):
        simulate(parse(f"around,imu_file={tmp_path / 'imu.npz'}"))


def test_kitti_poses_become_level_lidar_poses_with_their_own_times(data: RealData) -> None:
    given = read_poses(data / "kitti_poses/05.txt")
    assert len(given.t_s) == 2761 and given.t_s[-1] == pytest.approx(287.5, abs=1.0)
    forward = np.einsum("nj,nj->n", np.diff(given.T_world_base[:, :3, 3], axis=0), given.T_world_base[:-1, :3, 0])
    assert (forward[::10] > -0.05).mean() > 0.99
    assert np.abs(given.T_world_base[:, :3, 2].mean(0)[:2]).max() < 1e-6


def test_a_real_imu_is_replayed_as_recorded_along_its_smoothed_track(data: RealData) -> None:
    path = data / "kitti_imu/07.npz"
    simulation = simulate(parse(f"around,imu_file={path},lidar=vlp16"))
    with np.load(path) as file:
        inside = file["time_s"] >= 0  # the recording begins 0.6 s before its first scan
        np.testing.assert_array_equal(simulation.imu.gyro_rad_s, file["gyro_rad_s"][inside])
        np.testing.assert_allclose(simulation.imu.t_s, file["time_s"][inside], atol=1e-9)
        assert (np.diff(simulation.imu.t_s) < 0).sum() == 1
        imu = simulation.drive.poses(simulation.imu.t_s) @ simulation.T_base_imu
        assert np.linalg.norm(imu[:, :3, 3] - file["position_m"][inside], axis=1).max() < 1.0
    assert "drift over 10 s" in simulation.notes[1]


def test_the_recording_that_begins_in_motion_without_imu_does_so_in_simulation(data: RealData) -> None:
    simulation = simulate(parse(f"around,imu_file={data / 'kitti_imu/00.npz'},seconds=5,lidar=vlp16"))
    assert 1.2 < simulation.imu.t_s[0] < 1.5
    assert np.linalg.norm(simulation.drive.motion(np.array([0.0, 1.0])).v_world, axis=1).min() > 3.0


def test_poses_and_imu_of_one_drive_are_joined_and_of_two_refused(data: RealData) -> None:
    both = simulate(parse(f"around,trajectory={data / 'kitti_poses/07.txt'},imu_file={data / 'kitti_imu/07.npz'},lidar=vlp16"))
    given = read_poses(data / "kitti_poses/07.txt")
    inside = (given.t_s > 2.0) & (given.t_s < both.drive.duration_s - 2.0)
    track = both.drive.poses(given.t_s[inside])[:, :3, 3]
    poses = given.T_world_base[inside, :3, 3]
    off = np.linalg.norm(track - se3.apply(align(track, poses), poses), axis=1)
    assert np.sqrt(np.mean(off**2)) < 0.9  # the clocks differ by up to 0.1 s, about a metre of driving
    with pytest.raises(SourceError, match="not of one drive"):
        simulate(parse(f"around,trajectory={data / 'kitti_poses/05.txt'},imu_file={data / 'kitti_imu/07.npz'}"))

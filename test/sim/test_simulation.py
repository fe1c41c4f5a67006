"""The simulated stream as a whole: the same bytes twice, one order, faults as asked, clear refusals."""

import hashlib
from functools import cache

import numpy as np
import pytest

pytest.importorskip("open3d")

from bev_loc.config import InputConfig  # noqa: E402
from bev_loc.errors import SourceError  # noqa: E402
from bev_loc.records import ImuSample, LidarScan  # noqa: E402
from bev_loc.sim.options import parse  # noqa: E402
from bev_loc.sim.simulation import BEGIN_NS, simulate  # noqa: E402
from bev_loc.sim.worlds import build_world  # noqa: E402
from bev_loc.sources.base import scan_end_ns  # noqa: E402
from bev_loc.sources.simulated import open_simulated  # noqa: E402

SHORT = "town,seconds=2,start=20,lidar=vlp16,blocks=2"


def items(text: str) -> list[ImuSample | LidarScan]:
    return list(open_simulated(text, InputConfig()).stream())


@cache
def simulated(text: str) -> tuple[ImuSample | LidarScan, ...]:
    """A drive that several tests look at."""
    return tuple(items(text))


def scans(text: str) -> list[LidarScan]:
    return [item for item in simulated(text) if isinstance(item, LidarScan)]


def samples(text: str) -> list[ImuSample]:
    return [item for item in simulated(text) if isinstance(item, ImuSample)]


def digest(text: str) -> str:
    build_world.cache_clear()
    out = hashlib.sha256()
    for item in items(text):
        arrays = (item.points_lidar, item.offsets_s) if isinstance(item, LidarScan) else (item.gyro_rad_s, item.acc_m_s2)
        out.update(item.stamp_ns.to_bytes(8, "little") + b"".join(array.tobytes() for array in arrays))
    return out.hexdigest()


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_threads() -> None:
    import numba

    first = digest(SHORT + ",moving=4")
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    second = digest(SHORT + ",moving=4")
    numba.set_num_threads(threads)
    assert first == second
    assert digest(SHORT + ",moving=4,seed=2") != first
    assert digest(SHORT + ",moving=4,run=1") != first


def test_a_scan_comes_after_the_imu_samples_up_to_its_last_return() -> None:
    source = open_simulated(SHORT, InputConfig())
    latest, count = 0, 0
    for item in source.stream():
        if isinstance(item, ImuSample):
            latest = item.stamp_ns
        else:
            assert latest >= scan_end_ns(item) > item.stamp_ns
            count += 1
    assert count == source.scan_count == 20


def test_points_moved_by_the_truth_fall_on_the_same_walls_scan_after_scan() -> None:
    source = open_simulated("town,seconds=3,start=20,lidar=vlp16,blocks=2", InputConfig())
    clouds = []
    for scan in (item for item in source.stream() if isinstance(item, LidarScan)):
        T = source.simulation.drive.poses(source.simulation.begin_s + (scan.stamp_ns - BEGIN_NS) * 1e-9 + scan.offsets_s)
        clouds.append(np.einsum("nij,nj->ni", T[:, :3, :3], scan.points_lidar) + T[:, :3, 3])
    from scipy.spatial import cKDTree

    away, _ = cKDTree(clouds[0]).query(clouds[5][::20])
    still, _ = cKDTree(clouds[0]).query(clouds[1][::20])
    assert np.median(still) < 0.15 and np.median(away) < 0.35


def test_the_other_pass_sees_the_same_houses_and_other_cars() -> None:
    first, other = (simulate(parse(f"town,blocks=2,pass={which}")) for which in ("map", "other"))
    walls = [s.world.mesh.vertices[s.world.mesh.triangles[s.world.mesh.materials == 2, 0]] for s in (first, other)]
    metal = [s.world.mesh.vertices[s.world.mesh.triangles[s.world.mesh.materials == 4, 0]] for s in (first, other)]
    np.testing.assert_array_equal(*walls)
    assert len(metal[0]) != len(metal[1]) or not np.array_equal(*metal)


def test_a_drive_keeps_aside_of_its_lane_and_swings_as_asked() -> None:
    lane, aside, swinging = (
        simulate(parse(f"tunnel,speed=0.3,wander={wander},aside={left}")).drive for wander, left in ((0, 0), (0, 1.5), (1, 1.5))
    )
    left_m = _left_of(aside.poses(np.arange(10.0, 60.0)), lane.poses(np.arange(5.0, 65.0, 0.05)))
    np.testing.assert_allclose(left_m, 1.5, atol=0.05)
    left_m = _left_of(swinging.poses(np.arange(10.0, 60.0)), lane.poses(np.arange(5.0, 65.0, 0.05)))
    assert left_m.std() > 0.3 and (np.abs(left_m - 1.5) < 4.0).all()
    with pytest.raises(SourceError, match="wander must be -1 or between 0 and 10 m, got 11"):
        parse("town,wander=11")
    for move in ("aside=1", "wander=0", "speed=2"):
        with pytest.raises(SourceError, match="leave them out beside a given one"):
            parse(f"town,trajectory=poses.tum,{move}")


def _left_of(T_world_base: np.ndarray, T_world_lane: np.ndarray) -> np.ndarray:
    """(N,) metres to the left of the nearest pose of the lane."""
    off_m = T_world_base[:, None, :2, 3] - T_world_lane[None, :, :2, 3]
    nearest = np.linalg.norm(off_m, axis=2).argmin(1)
    return np.einsum("nj,nj->n", off_m[np.arange(len(off_m)), nearest], T_world_lane[nearest, :2, 1])


def test_winter_has_fewer_leaves_on_the_same_trunks() -> None:
    summer, winter = (simulate(parse(f"town,blocks=2,cars=0,season={k}")).world.mesh for k in (0, 1))
    trunks = [mesh.vertices[mesh.triangles[mesh.materials == 6, 0]] for mesh in (summer, winter)]
    np.testing.assert_array_equal(*trunks)
    assert (winter.materials == 5).sum() < 0.4 * (summer.materials == 5).sum()


def test_an_imu_gap_takes_only_the_samples_inside_it() -> None:
    clean, gap = samples(SHORT), samples(SHORT + ",faults=imu_gap@0.5:1")
    missing = {s.stamp_ns for s in clean} - {s.stamp_ns for s in gap}
    assert {(stamp - BEGIN_NS) * 1e-9 >= 0.5 - 1e-6 and (stamp - BEGIN_NS) * 1e-9 < 1.5 for stamp in missing} == {True}
    assert len(missing) == 200


def test_faults_of_scans_and_clocks_do_what_they_say() -> None:
    clean = scans(SHORT)
    assert len(scans(SHORT + ",faults=lidar_gap@0.5:1")) == len(clean) - 10
    spoiled = scans(SHORT + ",faults=nan@1:0.5")
    assert not np.isnan(spoiled[5].points_lidar).any()
    assert np.isnan(spoiled[15].points_lidar).any(1).mean() == pytest.approx(0.5, abs=0.02)
    assert [len(scan.points_lidar) == 0 for scan in scans(SHORT + ",faults=empty@1:2")][9:13] == [False, True, True, False]
    shifted = scans(SHORT + ",faults=clock_offset@1:0.03")
    assert [s.stamp_ns - c.stamp_ns for s, c in zip(shifted, clean)] == [0] * 10 + [30_000_000] * 10
    back = samples(SHORT + ",faults=stamps_back@1:0.05")
    assert (np.diff([s.stamp_ns for s in back]) < 0).sum() == 1


def test_a_gyro_spike_hits_one_sample_and_a_wrong_extrinsic_only_the_report() -> None:
    clean, spiked = samples(SHORT), samples(SHORT + ",faults=gyro_spike@1:20")
    hit = [k for k, (a, b) in enumerate(zip(clean, spiked)) if not np.array_equal(a.gyro_rad_s, b.gyro_rad_s)]
    assert hit == [200]
    right, wrong = (open_simulated(SHORT + tail, InputConfig()) for tail in ("", ",faults=extrinsic@0:5"))
    turn = right.T_base_imu[:3, :3].T @ wrong.T_base_imu[:3, :3]
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(5.0)
    np.testing.assert_array_equal(right.simulation.imu.acc_m_s2, wrong.simulation.imu.acc_m_s2)


def test_kidnapping_moves_the_truth_in_an_instant_and_the_imu_stays_quiet() -> None:
    source = open_simulated("town,seconds=30,faults=kidnap@10:30,blocks=2", InputConfig())
    truth = source.truth()
    jump = np.linalg.norm(np.diff(truth.T_truth_base[:, :3, 3], axis=0), axis=1)
    assert jump.argmax() == 999 and jump.max() > 10 and np.sort(jump)[-2] < 0.2
    assert np.abs(source.simulation.imu.acc_m_s2).max() < 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("twon", "town"),
        ("town,lidar=hdl65", "hdl64"),
        ("town,colour=red", "seconds"),
        ("town,seconds=long", "number"),
        ("town,seed=1.5", "whole number"),
        ("town,pass=third", "map, other"),
        ("town,faults=meteor@3", "imu_gap"),
        ("town,faults=imu_gap@x", "KIND@SECOND"),
        ("town,imu=3", "10 and 1000"),
        ("town,speed=-1", "0.1 and 5"),
    ],
)
def test_bad_options_are_refused_in_one_sentence_that_names_what_is_known(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        open_simulated(text, InputConfig())


def test_the_way_back_is_the_drive_against_its_direction_in_the_oncoming_lane() -> None:
    there, back = (simulate(parse(f"town,blocks=2,imu=0,pass={drive}")) for drive in ("map", "back"))
    t_there, t_back = np.arange(0.0, there.drive.duration_s, 0.1), np.arange(5.0, back.drive.duration_s - 5.0, 2.0)
    T_there, T_back = there.drive.poses(t_there), back.drive.poses(t_back)
    gaps_m = np.linalg.norm(T_back[:, None, :2, 3] - T_there[None, :, :2, 3], axis=2)
    assert 2.5 < np.median(gaps_m.min(1)) < 4.5
    ahead = np.einsum("ni,ni->n", T_back[:, :2, 0], T_there[gaps_m.argmin(1), :2, 0])
    assert np.median(ahead) < -0.95

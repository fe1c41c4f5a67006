"""The system on a world of boxes: it maps and closes loops, finds itself, notices when it is lost, and never guesses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from houses_on_a_plain import CONFIG, BoxWorld, drive, square_drive

from bev_loc.config import BevConfig, Config
from bev_loc.errors import BevLocError, ConfigError, MapError
from bev_loc.geometry import se3
from bev_loc.localizer import Localizer
from bev_loc.maps.bundle import MapBundle, load_map, save_map
from bev_loc.records import LidarScan, Odometry, OdometryHealth, State, Step

LAP = square_drive(300.0)  # once around and a quarter
DRIFT_DEG_PER_M = 0.03


@pytest.fixture(scope="module")
def world() -> BoxWorld:
    return BoxWorld(seed=1)


@pytest.fixture(scope="module")
def mapped(world: BoxWorld) -> Localizer:
    """A finished mapping drive."""
    localizer = Localizer(CONFIG)
    for odometry in drive(world, LAP, seed=2, drift_deg_per_m=DRIFT_DEG_PER_M):
        localizer.on_odometry(odometry)
    return localizer


@pytest.fixture(scope="module")
def known_map(mapped: Localizer, tmp_path_factory: pytest.TempPathFactory) -> MapBundle:
    """The map of that drive, written and read again."""
    path = tmp_path_factory.mktemp("maps") / "boxes"
    save_map(path, mapped.bundle())
    return load_map(path)


def run(localizer: Localizer, world: BoxWorld, poses: list[np.ndarray], **how: float) -> list[Step]:
    return [localizer.on_odometry(odometry) for odometry in drive(world, poses, seed=3, **how)]  # type: ignore[arg-type]


def place_error(step: Step, T_world_base: np.ndarray) -> tuple[float, float]:
    """Metres and radians; the map's frame is where its drive began."""
    assert step.T_map_odom is not None and step.odometry is not None
    return se3.distance(se3.inverse(LAP[0]) @ T_world_base, step.T_map_odom @ step.odometry.T_odom_base)


def worst_m(poses: np.ndarray, T_world_base: list[np.ndarray]) -> float:
    true = [se3.inverse(T_world_base[0]) @ T for T in T_world_base]
    return max(float(np.linalg.norm(a[:3, 3] - b[:3, 3])) for a, b in zip(poses, true, strict=True))


def test_mapping_closes_the_loop_and_straightens_the_drive(world: BoxWorld, mapped: Localizer) -> None:
    odometry = np.array([o.T_odom_base for o in drive(world, LAP, seed=2, drift_deg_per_m=DRIFT_DEG_PER_M)])
    stamps_ns, poses = mapped.trajectory()
    assert len(poses) == len(LAP) and (np.diff(stamps_ns) > 0).all()
    assert mapped.state is State.TRACKING and mapped.bundle().closures
    assert worst_m(odometry, LAP) > 5.0
    assert worst_m(poses, LAP) < 1.0


def test_every_accepted_closure_of_the_mapping_drive_is_right(world: BoxWorld, mapped: Localizer) -> None:
    bundle = mapped.bundle()
    true = {e.id: LAP[round((e.stamp_ns - 10**9) / 10**8)] for e in bundle.entries}
    for closure in bundle.closures:
        T_match_query = se3.inverse(true[closure.match_id]) @ true[closure.query_id]
        assert se3.distance(T_match_query, closure.T_match_query)[0] < 0.3


def test_it_finds_itself_in_a_saved_map_from_an_unknown_pose_and_tracks(world: BoxWorld, known_map: MapBundle) -> None:
    localizer = Localizer(CONFIG, known_map=known_map)
    poses = square_drive(60.0, start_m=131.0, sideways_m=1.0)
    assert localizer.state is State.SEARCHING and localizer.T_map_odom is None
    steps = run(localizer, world, poses, drift_deg_per_m=-0.02)
    states = [step.state for step in steps]
    found = states.index(State.TRACKING)
    assert found <= 6  # 12 m
    assert all(state is State.TRACKING for state in states[found:])
    errors = [place_error(step, T) for step, T in zip(steps[found:], poses[found:])]
    assert max(metres for metres, _ in errors) < 1.0 and max(radians for _, radians in errors) < np.radians(2)
    assert len(localizer.trajectory()[1]) == len(poses)  # what was driven before it was found is placed too
    assert [step.fit is not None for step in steps] == [state is State.TRACKING for state in states]


def test_it_finds_itself_driving_the_other_way(world: BoxWorld, known_map: MapBundle) -> None:
    poses = [T @ se3.from_se2(0.0, 0.0, np.pi) for T in reversed(square_drive(40.0, start_m=70.0))]
    steps = run(Localizer(CONFIG, known_map=known_map), world, poses)
    assert steps[-1].state is State.TRACKING
    assert place_error(steps[-1], poses[-1])[0] < 1.0


def test_a_foreign_map_never_gives_a_pose(known_map: MapBundle) -> None:
    steps = run(Localizer(CONFIG, known_map=known_map), BoxWorld(seed=7), square_drive(80.0))
    assert all(step.T_map_odom is None and step.state is State.SEARCHING for step in steps)
    assert all(not c.accepted and c.reason for step in steps for c in step.closures)


def test_being_carried_away_is_noticed_and_the_new_place_is_found(world: BoxWorld, known_map: MapBundle) -> None:
    there, elsewhere = square_drive(30.0, start_m=10.0), square_drive(50.0, start_m=150.0)
    steps: list[Step] = []
    localizer = Localizer(CONFIG, known_map=known_map)
    before = list(drive(world, there, seed=4))
    steps += [localizer.on_odometry(odometry) for odometry in before]
    assert steps[-1].state is State.TRACKING
    T_jump = before[-1].T_odom_base  # the odometry goes on as if nothing had happened
    for odometry in drive(world, elsewhere, seed=5, first_ns=10**11):
        moved = Odometry(
            stamp_ns=odometry.stamp_ns,
            T_odom_base=T_jump @ odometry.T_odom_base,
            covariance=odometry.covariance,
            points_base=odometry.points_base,
            health=odometry.health,
        )
        steps.append(localizer.on_odometry(moved))
    states = [step.state for step in steps]
    assert State.LOST in states
    lost = steps[states.index(State.LOST)]
    assert "lost" in lost.reasons and lost.T_map_odom is None
    assert states[-1] is State.TRACKING
    assert place_error(steps[-1], elsewhere[-1])[0] < 1.0


def test_outside_the_map_it_says_so_and_gives_the_place_up(world: BoxWorld, known_map: MapBundle) -> None:
    away = [LAP[0] @ se3.from_se2(-2.0 * n, 0.0, 0.0) for n in range(45)]  # backwards out of the square
    steps = run(Localizer(CONFIG, known_map=known_map), world, away)
    assert any("outside the map" in step.reasons for step in steps)
    assert steps[-1].state is State.LOST and steps[-1].T_map_odom is None


def test_relocalize_forgets_the_place_and_finds_it_again(world: BoxWorld, known_map: MapBundle) -> None:
    localizer = Localizer(CONFIG, known_map=known_map)
    stream = drive(world, square_drive(60.0), seed=6)
    for _ in range(15):
        localizer.on_odometry(next(stream))
    assert localizer.state is State.TRACKING
    localizer.relocalize()
    assert localizer.state is State.SEARCHING and localizer.T_map_odom is None
    states = [localizer.on_odometry(odometry).state for odometry in stream]
    assert states[-1] is State.TRACKING


def test_a_right_hint_is_confirmed_at_once_and_a_wrong_one_is_not_believed(
    world: BoxWorld, known_map: MapBundle
) -> None:
    poses = square_drive(4.0, start_m=100.0)
    T_map_base = se3.inverse(LAP[0]) @ poses[0]
    first = next(drive(world, poses, seed=8))
    right, wrong = Localizer(CONFIG, known_map=known_map), Localizer(CONFIG, known_map=known_map)
    right.hint(T_map_base @ se3.from_se2(2.0, -1.5, 0.2))
    step = right.on_odometry(first)
    assert step.state is State.TRACKING and place_error(step, poses[0])[0] < 0.5
    wrong.hint(se3.inverse(LAP[0]) @ LAP[5])
    step = wrong.on_odometry(first)
    assert step.state is State.SEARCHING and step.T_map_odom is None and "hint not confirmed" in step.reasons


def test_extending_a_map_joins_the_new_drive_to_the_old_one(world: BoxWorld, known_map: MapBundle) -> None:
    localizer = Localizer(CONFIG, known_map=known_map, extend=True)
    poses = square_drive(60.0, start_m=200.0)
    poses += [poses[-1] @ se3.from_se2(2.0 * n, 0.0, 0.0) for n in range(1, 16)]  # on, out of the old map
    steps = run(localizer, world, poses, drift_deg_per_m=0.02)
    assert steps[-1].state is State.TRACKING
    bundle = localizer.bundle()
    new = [entry for entry in bundle.entries if entry.session == 1]
    assert len(new) == sum(step.keyframe is not None for step in steps)
    assert len(bundle.entries) == len(known_map.entries) + len(new)
    assert len({entry.id for entry in bundle.entries}) == len(bundle.entries)
    assert place_error(steps[-1], poses[-1])[0] < 1.5
    assert any(c.query_id >= new[0].id and c.match_id < new[0].id for c in bundle.closures)


def test_a_map_grown_over_several_sessions_is_one_map_and_each_part_is_found_again(
    world: BoxWorld, known_map: MapBundle, tmp_path: Path
) -> None:
    onward = [square_drive(200.0)[-1] @ se3.from_se2(2.0 * n, 0.0, 0.0) for n in range(1, 16)]  # out of the square
    for session, poses in ((1, square_drive(40.0, start_m=160.0) + onward), (2, square_drive(50.0, start_m=20.0))):
        bundle = known_map if session == 1 else load_map(tmp_path / "1")
        localizer = Localizer(CONFIG, known_map=bundle, extend=True)
        run(localizer, world, poses, drift_deg_per_m=0.01)
        save_map(tmp_path / str(session), localizer.bundle())
    grown = load_map(tmp_path / "2")
    assert {entry.session for entry in grown.entries} == {0, 1, 2}
    assert len({entry.id for entry in grown.entries}) == len(grown.entries) > len(known_map.entries)
    steps = run(Localizer(CONFIG, known_map=grown), world, onward)  # where only the second session has been
    assert steps[-1].state is State.TRACKING and place_error(steps[-1], onward[-1])[0] < 1.0


def test_the_same_drive_twice_gives_the_same_bytes(world: BoxWorld, known_map: MapBundle) -> None:
    def once() -> tuple[bytes, bytes]:
        localizer = Localizer(CONFIG, known_map=known_map, extend=True)
        run(localizer, world, square_drive(50.0, start_m=20.0), drift_deg_per_m=0.02)
        stamps_ns, poses = localizer.trajectory()
        return stamps_ns.tobytes(), poses.tobytes()

    assert once() == once()


def test_a_map_with_another_raster_is_refused_before_anything_is_searched(known_map: MapBundle) -> None:
    with pytest.raises(MapError, match="images"):
        Localizer(Config(bev=BevConfig(range_m=25.0)), known_map=known_map)


def test_a_map_of_other_weights_is_refused_by_the_describers_name(known_map: MapBundle) -> None:
    with pytest.raises(MapError, match="'spectral-00000000'.*set place.descriptor to the map's"):
        Localizer(CONFIG, known_map=replace(known_map, describer="spectral-00000000"))


def test_bad_poses_and_empty_clouds_are_reasons_and_not_the_end(world: BoxWorld) -> None:
    good = list(drive(world, square_drive(8.0), seed=9))
    localizer = Localizer(CONFIG)
    health = OdometryHealth(points_in=0, points_used=0, matches=0, rmse_m=float("nan"), iterations=0)

    def odometry(stamp_ns: int, T: np.ndarray, points: np.ndarray) -> Odometry:
        return Odometry(stamp_ns=stamp_ns, T_odom_base=T, covariance=np.eye(6), points_base=points, health=health)

    empty = np.zeros((0, 3), np.float32)
    assert localizer.on_odometry(odometry(1, np.eye(4), empty)).keyframe is None
    assert localizer.on_odometry(good[0]).keyframe is not None
    assert localizer.on_odometry(good[0]).reasons == ("stamp went back",)
    assert localizer.on_odometry(odometry(2 * 10**9, np.eye(4) * np.nan, empty)).reasons == ("pose not finite",)
    assert localizer.on_odometry(good[-1]).odometry is not None
    assert len(localizer.trajectory()[0]) == 3  # the pose before the first keyframe hangs on that keyframe


def test_a_scan_without_a_pose_is_a_step_with_its_reason() -> None:
    step = Localizer(CONFIG).on_scan(LidarScan(stamp_ns=5, points_lidar=np.zeros((0, 3), np.float32)))
    assert step.odometry is None and step.reasons == ("too few points",)


def test_a_hint_without_a_map_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(BevLocError, match="--map"):
        Localizer(CONFIG).hint(np.eye(4))


def test_stages_are_timed_by_the_clock_that_is_given(world: BoxWorld) -> None:
    ticks = iter(range(1000))
    localizer = Localizer(CONFIG, clock=lambda: float(next(ticks)))
    step = localizer.on_odometry(next(drive(world, square_drive(2.0), seed=1)))
    assert step.stage_s == (("describe", 1.0), ("verify near", 1.0), ("search", 1.0), ("verify", 1.0), ("graph", 1.0))


def test_a_damaged_keyframe_in_the_map_is_a_reason_and_not_the_end(
    world: BoxWorld, mapped: Localizer, tmp_path: Path
) -> None:
    save_map(tmp_path / "map", mapped.bundle())
    bundle = load_map(tmp_path / "map")
    for file in (tmp_path / "map" / "keyframes").iterdir():
        file.write_bytes(b"gone")
    steps = run(Localizer(CONFIG, known_map=bundle), world, square_drive(8.0))
    assert {c.reason for step in steps for c in step.closures} == {"map keyframe unreadable"}


def test_odometry_that_begins_anew_is_a_new_session_and_finds_the_drives_own_map(world: BoxWorld) -> None:
    localizer = Localizer(CONFIG)
    first = square_drive(60.0)
    run(localizer, world, first)
    again = list(drive(world, square_drive(40.0, start_m=10.0), seed=5))
    shifted = [replace(o, stamp_ns=o.stamp_ns + 10**12) for o in again]
    broken = replace(shifted[0].health, reasons=("local map restarted",))
    step = localizer.on_odometry(replace(shifted[0], health=broken))
    assert step.state is State.SEARCHING and step.T_map_odom is None
    assert step.keyframe is not None and step.keyframe.session == 1
    last = [localizer.on_odometry(o) for o in shifted[1:]][-1]
    assert last.state is State.TRACKING
    T_map_base = last.T_map_odom @ last.odometry.T_odom_base
    assert se3.distance(se3.inverse(first[0]) @ square_drive(40.0, start_m=10.0)[-1], T_map_base)[0] < 1.0


def test_a_drive_that_begins_anew_twice_before_its_place_is_found_goes_on(world: BoxWorld) -> None:
    first = Localizer(CONFIG)
    run(first, world, square_drive(12.0))
    known = first.bundle()
    for _ in range(2):  # elsewhere: keyframes without a place in the map
        again = Localizer(CONFIG, known_map=known, extend=True)
        steps = run(again, BoxWorld(seed=2), square_drive(12.0))
        assert sum(step.keyframe is not None for step in steps) > 1 and steps[-1].state is not State.TRACKING
        known = again.bundle()
    assert len(known.entries) == len(first.bundle().entries)


def test_live_values_change_while_it_runs_and_others_are_refused(world: BoxWorld) -> None:
    localizer = Localizer(CONFIG)
    poses = square_drive(20.0)
    run(localizer, world, poses[:1])
    localizer.reconfigure(replace(CONFIG, keyframes=replace(CONFIG.keyframes, distance_m=45.0, angle_deg=180.0)))
    later = list(drive(world, poses, seed=3))[1:]
    assert not any(localizer.on_odometry(o).keyframe for o in later)
    with pytest.raises(ConfigError, match="bev.cell_m cannot change while running"):
        localizer.reconfigure(replace(CONFIG, bev=BevConfig(range_m=CONFIG.bev.range_m, cell_m=0.5)))

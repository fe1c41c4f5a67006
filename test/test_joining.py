"""Maps of two drives become one where they share a piece of road, and are left apart where they do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from houses_on_a_plain import CONFIG, BoxWorld, drive, square_drive

from bev_loc.cli.main import main
from bev_loc.config import BevConfig
from bev_loc.errors import EstimateError, MapError
from bev_loc.geometry import se3
from bev_loc.joining import join
from bev_loc.localizer import Localizer
from bev_loc.maps.bundle import load_map, save_map
from bev_loc.maps.contents import MapBundle

DRIVES = {  # along the square: three sides, the last side and a bit of the first, a piece that only meets the second
    "first": square_drive(170.0),
    "second": square_drive(130.0, start_m=140.0, sideways_m=1.0),
    "third": square_drive(60.0, start_m=192.0),
}


@pytest.fixture(scope="module")
def worlds() -> dict[str, BoxWorld]:
    return {"here": BoxWorld(seed=1), "elsewhere": BoxWorld(seed=7)}


def mapped(world: BoxWorld, poses: list[np.ndarray], seed: int) -> MapBundle:
    localizer = Localizer(CONFIG)
    for odometry in drive(world, poses, seed=seed, drift_deg_per_m=0.02):
        localizer.on_odometry(odometry)
    return localizer.bundle()


@pytest.fixture(scope="module")
def maps(worlds: dict[str, BoxWorld], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("maps")
    for seed, (name, poses) in enumerate(DRIVES.items()):
        save_map(folder / name, mapped(worlds["here"], poses, seed))
    save_map(folder / "elsewhere", mapped(worlds["elsewhere"], square_drive(60.0), 9))
    return {path.name: path for path in folder.iterdir()}


def worst_m(bundle: MapBundle) -> float:
    """Of all keyframes, against where they were made, in the frame of the first drive."""
    T_map_world = se3.inverse(DRIVES["first"][0])
    worst = 0.0
    for entry in bundle.entries:
        poses = list(DRIVES.values())[entry.session]
        T_map_true = T_map_world @ poses[round((entry.stamp_ns - 10**9) / 10**8)]
        worst = max(worst, se3.distance(T_map_true, entry.T_map_kf)[0])
    return worst


def test_maps_that_share_a_piece_of_road_become_one(maps: dict[str, Path]) -> None:
    base, other = load_map(maps["first"]), load_map(maps["second"])
    joined = join(base, other, CONFIG)
    assert len(joined.closures) >= 5 and joined.counts["accepted"] == len(joined.closures)
    assert {e.session for e in joined.bundle.entries} == {0, 1}
    assert len({e.id for e in joined.bundle.entries}) == len(base.entries) + len(other.entries)
    assert worst_m(joined.bundle) < 2.0  # drift of the open ends stays
    at_joint = [e for e in joined.bundle.entries if e.session == 1 and e.path_m < 25.0]
    assert at_joint and worst_m(replace(joined.bundle, entries=tuple(at_joint))) < 0.6
    for entry in joined.bundle.entries:
        keyframe = joined.bundle.keyframes[entry.id]
        assert (keyframe.id, keyframe.session, keyframe.stamp_ns) == (entry.id, entry.session, entry.stamp_ns)


def test_maps_meet_through_a_third_and_the_result_is_found_on_the_disk(
    maps: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], worlds: dict[str, BoxWorld]
) -> None:
    words = [str(maps[name]) for name in ("first", "third", "second")]
    assert main(["map", "merge", *words, str(tmp_path / "joined")]) == 0
    assert "3 drives" in capsys.readouterr().out
    joined = load_map(tmp_path / "joined")
    assert len(joined.entries) == sum(len(load_map(maps[name]).entries) for name in DRIVES)
    localizer = Localizer(CONFIG, known_map=joined)  # and a vehicle finds itself in it
    for odometry in drive(worlds["here"], square_drive(40.0, start_m=200.0), seed=11):
        localizer.on_odometry(odometry)
    assert localizer.state.value == "tracking"


def test_maps_that_do_not_meet_are_refused_by_name_and_nothing_is_written(
    maps: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(maps["first"]), str(maps["elsewhere"]), str(tmp_path / "joined")]
    assert main(["map", "merge", *words]) == 1
    said = capsys.readouterr().err
    assert "do not meet" in said and "elsewhere" in said and not (tmp_path / "joined").exists()


def test_an_empty_map_meets_nothing(maps: dict[str, Path]) -> None:
    whole = load_map(maps["third"])
    empty = replace(whole, entries=(), closures=())
    for a, b in ((whole, empty), (empty, whole)):
        with pytest.raises(EstimateError, match="do not meet"):
            join(a, b, CONFIG)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bev": BevConfig(range_m=20.0)}, "images"),
        ({"describer": "spectral-0123"}, "described by"),
        ({"weights_sha256": "ab12"}, "weights"),
    ],
)
def test_maps_made_with_other_images_or_weights_are_refused(maps: dict[str, Path], changes: dict, words: str) -> None:
    one = load_map(maps["third"])
    with pytest.raises(MapError, match=words):
        join(one, replace(one, **changes), CONFIG)


def test_a_map_is_not_overwritten_by_a_forgotten_word(maps: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "merge", *(str(maps[name]) for name in DRIVES)]) == 1  # the third would be the output
    assert "is a map already" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["map", "merge", str(maps["first"]), str(maps["second"])])

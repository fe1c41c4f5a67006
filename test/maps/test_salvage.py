"""What a damaged map still holds is saved, and what is lost is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from maps_made import made_bundle

from bev_loc.cli.main import main
from bev_loc.errors import MapError
from bev_loc.geometry import se3
from bev_loc.maps.bundle import load_map, save_map
from bev_loc.maps.contents import MapBundle
from bev_loc.maps.salvage import salvage
from bev_loc.maps.writer import MapWriter


@pytest.fixture(scope="module")
def whole() -> MapBundle:
    return made_bundle()


@pytest.fixture
def path(whole: MapBundle, tmp_path: Path) -> Path:
    """Three keyframes in the table, the fourth and fifth in the journal, where a closure has moved all of them."""
    path = tmp_path / "map"
    writer = MapWriter(path, replace(whole, entries=whole.entries[:3], closures=()))
    for entry in whole.entries[3:]:
        closures = tuple(c for c in whole.closures if c.query_id == entry.id)
        writer.append(whole.keyframes[entry.id], entry.T_map_kf, closures)
        if closures:
            writer.append(replace(whole.keyframes[4], id=5), moved()[4], (), moved())
    return path


def moved() -> dict[int, np.ndarray]:
    return {entry.id: se3.from_se2(0.5, 0.0, 0.0) @ entry.T_map_kf for entry in made_bundle().entries}


def files(path: Path) -> list[Path]:
    return sorted((path / "keyframes").iterdir())


def flip(file: Path, at: int = -10) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))


def damage_line(path: Path, number: int) -> None:
    journal = next(path.glob("journal-*"))
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b"0", b"1", 3)
    journal.write_bytes(b"".join(lines))


CASES: dict[str, tuple[Callable[[Path], object], list[int], int, str]] = {  # what happens, ids and closures kept, what is said
    "nothing": (lambda path: None, [0, 1, 2, 3, 4, 5], 1, ""),
    "a byte of a cloud is flipped": (lambda path: flip(files(path)[1], -3200), [0, 2, 3, 4, 5], 1, "000001-"),
    "keyframes of table and journal are gone": (lambda path: [files(path)[n].unlink() for n in (4, 0)], [1, 2, 3, 5], 0, "No such file"),
    "the head is gone": (lambda path: (path / "map.json").unlink(), [0, 1, 2, 3, 4, 5], 1, "found again in table-"),
    "the head is nonsense": (lambda path: (path / "map.json").write_text("{"), [0, 1, 2, 3, 4, 5], 1, "found again in table-"),
    "the table is gone": (lambda path: next(path.glob("table-*")).unlink(), [0, 1, 2, 3, 4, 5], 1, "closures are lost"),
    "the table is damaged": (lambda path: flip(next(path.glob("table-*")), 900), [0, 1, 2, 3, 4, 5], 1, "closures are lost"),
    "the journal is gone": (lambda path: next(path.glob("journal-*")).unlink(), [0, 1, 2, 3, 4, 5], 0, ""),
    "a journal's line is damaged": (lambda path: damage_line(path, 0), [0, 1, 2, 3, 4, 5], 1, "1 lines are damaged"),
    "the places are gone": (lambda path: next(path.glob("places-*")).unlink(), [0, 1, 2, 3, 4, 5], 1, "places-"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_can_be_read_is_saved_and_the_rest_is_named(name: str, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    happens, ids, closures, words = CASES[name]
    happens(path)
    assert main(["map", "check", str(path), "--json"]) == (1 if words else 0)
    said = json.loads(capsys.readouterr().out)
    assert said["whole"] is not bool(words) and words in " ".join(said["lost"])
    if name in ("the journal is gone", "a journal's line is damaged"):
        assert "000003-" in said["notes"][0] and "taken up again" in said["notes"][0]
    assert main(["map", "check", str(path), "--repair", str(tmp_path / "repaired")]) == 0
    repaired = load_map(tmp_path / "repaired")
    assert [entry.id for entry in repaired.entries] == ids and len(repaired.closures) == closures
    assert all(repaired.keyframes[id].id == id for id in ids)


def test_places_are_those_that_were_written_last(path: Path) -> None:
    after = moved()
    for entry in load_map(path).entries[:5]:
        np.testing.assert_array_equal(entry.T_map_kf, after[entry.id])


def test_without_a_table_keyframes_stand_where_odometry_saw_them(whole: MapBundle, tmp_path: Path) -> None:
    save_map(tmp_path / "map", whole)
    next((tmp_path / "map").glob("table-*")).unlink()
    for ours, theirs in zip(salvage(tmp_path / "map").bundle.entries, whole.entries, strict=True):
        np.testing.assert_allclose(ours.T_map_kf, theirs.T_odom_kf, atol=1e-12)


def test_keyframes_of_an_earlier_map_in_the_folder_are_not_mixed_in(whole: MapBundle, path: Path) -> None:
    stray = replace(whole.keyframes[4], id=6, path_m=700.0)  # of another drive, whose writer was killed while it swept
    MapWriter(path.parent / "other", replace(whole, entries=(), closures=())).append(stray, np.eye(4))
    other = files(path.parent / "other")[0]
    (path / "keyframes" / other.name).write_bytes(other.read_bytes())
    saved = salvage(path)
    assert [entry.id for entry in saved.bundle.entries] == [0, 1, 2, 3, 4, 5]
    assert "earlier map" in " ".join(saved.notes) and not saved.lost


def test_with_neither_head_nor_table_nothing_can_be_saved(path: Path, tmp_path: Path) -> None:
    (path / "map.json").unlink()
    next(path.glob("table-*")).unlink()
    with pytest.raises(MapError, match="holds no map"):
        salvage(path)
    assert main(["map", "check", str(path), "--repair", str(tmp_path / "repaired")]) == 1
    assert not (tmp_path / "repaired").exists()


def test_a_map_from_the_future_is_not_guessed_at(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = json.loads((path / "map.json").read_text())
    (path / "map.json").write_text(json.dumps(head | {"version": 9}))
    assert main(["map", "check", str(path)]) == 1
    assert "version 9" in capsys.readouterr().err

"""A map written while it grows survives the death of its writer at any moment."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from maps_made import made_bundle

from bev_loc.errors import OutputError
from bev_loc.maps.bundle import load_map, save_map
from bev_loc.maps.contents import MapBundle
from bev_loc.maps.writer import MapWriter

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, BENCHMARKS)
import map_kills  # noqa: E402

sys.path.remove(BENCHMARKS)


@pytest.mark.parametrize("seed", range(10))
def test_a_writer_killed_at_a_random_moment_loses_nothing_that_it_reported(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "map"
    safe = map_kills.kill_writer(path, np.random.default_rng(seed))
    assert map_kills.survived(path, safe) == "" and map_kills.as_written(path, safe) == ""


@pytest.fixture
def bundle() -> MapBundle:
    return made_bundle()


def grown(path: Path, bundle: MapBundle, count: int) -> MapWriter:
    """A writer that has appended the first keyframes of `bundle`."""
    writer = MapWriter(path, MapBundle(entries=(), keyframes={}, closures=(), bev=bundle.bev, describer=bundle.describer))
    for entry in bundle.entries[:count]:
        closures = tuple(c for c in bundle.closures if c.query_id == entry.id)
        writer.append(bundle.keyframes[entry.id], entry.T_map_kf, closures)
    return writer


def test_what_was_appended_is_the_map_that_would_have_been_saved(bundle: MapBundle, tmp_path: Path) -> None:
    grown(tmp_path / "grown", bundle, 5)
    save_map(tmp_path / "saved", bundle)
    a, b = load_map(tmp_path / "grown"), load_map(tmp_path / "saved")
    for ours, theirs in zip(a.entries, b.entries, strict=True):
        assert (ours.id, ours.session, ours.stamp_ns, ours.path_m) == (theirs.id, theirs.session, theirs.stamp_ns, theirs.path_m)
        assert (ours.T_map_kf == theirs.T_map_kf).all() and (ours.descriptor == theirs.descriptor).all()
    assert len(a.closures) == 1
    assert (a.closures[0].T_match_query == b.closures[0].T_match_query).all()
    assert (a.closures[0].information == b.closures[0].information).all()


def test_a_line_that_was_not_finished_is_not_read(bundle: MapBundle, tmp_path: Path) -> None:
    grown(tmp_path / "map", bundle, 4)
    journal = next((tmp_path / "map").glob("journal-*"))
    journal.write_bytes(journal.read_bytes()[:-20])
    assert [entry.id for entry in load_map(tmp_path / "map").entries] == [0, 1, 2]


def test_a_full_disk_is_said_and_writing_goes_on_once_there_is_room(
    bundle: MapBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = grown(tmp_path / "map", bundle, 2)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        writer.append(bundle.keyframes[2], bundle.entries[2].T_map_kf)
    assert writer.checkpoint_is_due  # nothing may be appended behind what is perhaps half a line
    monkeypatch.undo()
    assert len(load_map(tmp_path / "map").entries) >= 2
    writer.checkpoint(bundle)
    assert len(load_map(tmp_path / "map").entries) == 5 and not list((tmp_path / "map").glob("journal-*"))

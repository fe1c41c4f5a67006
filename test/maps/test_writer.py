"""A map written while it grows survives the death of its writer at any moment."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from maps_made import made_bundle

from bev_loc.errors import OutputError
from bev_loc.maps.bundle import load_map, save_map
from bev_loc.maps.contents import MapBundle
from bev_loc.maps.writer import MapWriter

GROWING = """
import sys
sys.path.insert(0, {tests!r})
from dataclasses import replace
from maps_made import made_bundle
from bev_loc.maps import writer
from bev_loc.maps.contents import MapBundle
writer.AT_LEAST = 4
whole = made_bundle(count=6)
keyframes, entries = dict(whole.keyframes), list(whole.entries)
out = writer.MapWriter(sys.argv[1], replace(whole, entries=(), closures=()))
print("ready", flush=True)
placed = []
for id in range(2000):
    keyframe = replace(keyframes[id % 6], id=id, stamp_ns=id)
    keyframes[id] = keyframe
    placed.append(replace(entries[id % 6], id=id, stamp_ns=id))
    closures = tuple(replace(c, query_id=id, match_id=id - 5) for c in whole.closures) if id % 3 == 0 and id > 5 else ()
    out.append(keyframe, placed[-1].T_map_kf, closures)
    print(id, flush=True)
    if out.checkpoint_is_due:
        out.checkpoint(replace(whole, entries=tuple(placed), keyframes=keyframes, closures=()))
"""


def killed(path: Path, after_s: float) -> int:
    """How many keyframes a writer had reported when it was killed, so long after its first table."""
    script = GROWING.format(tests=str(Path(__file__).parents[1]))
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    lines = process.stdout.read().splitlines()
    process.wait()
    return int(lines[-1]) + 1 if lines else 0


def survives(path: Path, after_s: float) -> None:
    reported = killed(path, after_s)
    bundle = load_map(path)  # every file is compared with its checksum
    ids = [entry.id for entry in bundle.entries]
    assert ids == list(range(len(ids))) and reported <= len(ids) <= reported + 1
    assert all(bundle.keyframes[id].id == id for id in ids)


@pytest.mark.parametrize("seed", range(10))
def test_a_writer_killed_at_a_random_moment_loses_nothing_that_it_reported(seed: int, tmp_path: Path) -> None:
    survives(tmp_path / "map", float(np.random.default_rng(seed).uniform(0.0, 0.6)))


@pytest.mark.bench
@pytest.mark.parametrize("seed", range(10, 50))
def test_forty_more_deaths(seed: int, tmp_path: Path) -> None:
    survives(tmp_path / "map", float(np.random.default_rng(seed).uniform(0.0, 1.5)))


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

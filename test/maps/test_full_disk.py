"""A disk that fills up or turns read-only while a map is made: it is said, the vehicle drives on, what was written stays."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from houses_on_a_plain import CONFIG, BoxWorld, drive, square_drive
from maps_made import made_bundle

from bev_loc.errors import OutputError
from bev_loc.growing_map import GrowingMap
from bev_loc.localizer import Localizer
from bev_loc.maps.bundle import load_map
from bev_loc.maps.contents import MapBundle
from bev_loc.maps.writer import MapWriter
from bev_loc.records import State


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB, five keyframes or so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode and any(words in mounted.stderr.lower() for words in ("permission denied", "superuser", "not permitted")):
        pytest.skip(f"a disk of 200 kB is to be mounted, which needs root (CAP_SYS_ADMIN in a container): {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remounted(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


@pytest.mark.parametrize(
    ("happens", "mended", "words"), [("", "size=20m", "No space left on device"), ("ro", "rw,size=20m", "Read-only file system")]
)
def test_a_drive_goes_on_over_a_disk_that_cannot_take_its_map(disk: Path, happens: str, mended: str, words: str) -> None:
    localizer, said = Localizer(CONFIG), []
    growing = GrowingMap(disk / "map", localizer, said.append)
    world, poses, made = BoxWorld(seed=1, houses=40), square_drive(64.0), 0
    for n, odometry in enumerate(drive(world, poses, seed=2)):
        if n == 6 and happens:
            remounted(disk, happens)
        step = localizer.on_odometry(odometry)
        growing.add(step)
        made += step.keyframe is not None
    assert localizer.state is State.TRACKING and len(localizer.trajectory()[1]) == len(poses)
    assert growing.failures and len(said) == 1 and words in said[0] and "the run goes on" in said[0]
    there = load_map(disk / "map")  # whole: every checksum is compared
    assert 0 < len(there.entries) < made and [e.id for e in there.entries] == list(range(len(there.entries)))
    assert words in growing.finish()
    remounted(disk, mended)
    assert growing.finish() == "" and len(load_map(disk / "map").entries) == made


def test_a_journal_on_a_full_device_is_an_output_error(tmp_path: Path) -> None:
    whole = made_bundle()
    writer = MapWriter(tmp_path / "map", MapBundle(entries=(), keyframes={}, closures=(), bev=whole.bev, describer=whole.describer))
    table = next((tmp_path / "map").glob("table-*"))
    (tmp_path / "map" / table.name.replace("table-", "journal-").replace(".npz", ".log")).symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        writer.append(whole.keyframes[0], whole.entries[0].T_map_kf)
    assert writer.checkpoint_is_due
    writer.checkpoint(whole)
    assert len(load_map(tmp_path / "map").entries) == 5


@pytest.mark.parametrize("path", ["/proc/map", "/sys/map", "/dev/null/map"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_drive(path: str) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        GrowingMap(Path(path), Localizer(CONFIG), print)

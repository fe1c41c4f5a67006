"""A map comes back from the disk as it went there; one that is damaged, foreign or from the future is named as such."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from maps_made import BEV, made_bundle

from bev_loc.config import BevConfig, Config, KeyframeConfig, PlaceConfig
from bev_loc.errors import BevLocError, MapError, OutputError
from bev_loc.geometry import se3
from bev_loc.maps import keyframe_file
from bev_loc.maps.bundle import MapBundle, check, load_map, save_map
from bev_loc.maps.folder import sha256
from bev_loc.place.describe import make_describer
from bev_loc.place.keyframes import KeyframeStore
from bev_loc.records import Keyframe


@pytest.fixture(scope="module")
def bundle() -> MapBundle:
    return made_bundle()


@pytest.fixture
def saved(bundle: MapBundle, tmp_path: Path) -> Path:
    save_map(tmp_path / "map", bundle)
    return tmp_path / "map"


def assert_equal(a: object, b: object) -> None:
    """Two records are equal, bit by bit."""
    for field in fields(a):  # type: ignore[arg-type]
        left, right = getattr(a, field.name), getattr(b, field.name)
        if field.name == "image":
            assert_equal(left, right)
        else:
            np.testing.assert_array_equal(left, right, err_msg=field.name)


def test_a_map_comes_back_bit_by_bit(bundle: MapBundle, saved: Path) -> None:
    loaded = load_map(saved)
    assert len(loaded.entries) == len(bundle.entries)
    for ours, theirs in zip(bundle.entries, loaded.entries, strict=True):
        assert_equal(ours, theirs)
        assert_equal(bundle.keyframes[ours.id], loaded.keyframes[ours.id])
    assert_equal(bundle.closures[0], loaded.closures[0])
    assert (loaded.bev, loaded.describer, loaded.weights_sha256) == (BEV, "fourier_mellin", None)
    np.testing.assert_array_equal(loaded.T_map_kf[3], bundle.T_map_kf[3])


def test_the_same_map_is_the_same_bytes_on_the_disk(saved: Path, tmp_path: Path) -> None:
    save_map(tmp_path / "again", made_bundle())
    names = sorted(p.relative_to(saved) for p in saved.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    assert all((saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)


def test_loading_reads_no_cloud_and_a_keyframe_is_read_when_asked_for(saved: Path) -> None:
    loaded = load_map(saved, verify=False)
    for file in (saved / "keyframes").iterdir():
        file.unlink()
    assert len(loaded.keyframes) == 5 and 3 in loaded.keyframes and len(loaded.entries[3].descriptor) > 100
    with pytest.raises(MapError, match="cannot be read"):
        loaded.keyframes[3]


def test_an_empty_map_can_be_saved_and_loaded(bundle: MapBundle, tmp_path: Path) -> None:
    save_map(tmp_path / "empty", replace(bundle, entries=(), closures=()))
    assert load_map(tmp_path / "empty").entries == ()


def test_saving_again_writes_only_what_is_new_and_drops_what_is_gone(saved: Path) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in (saved / "keyframes").iterdir()}
    save_map(saved, made_bundle(count=6))
    after = {p.name: p.stat().st_mtime_ns for p in (saved / "keyframes").iterdir()}
    assert len(after) == 6 and all(after[name] == time for name, time in before.items())
    save_map(saved, made_bundle(count=3))
    assert len(list((saved / "keyframes").iterdir())) == 3 and len(list(saved.glob("table-*.npz"))) == 1
    assert len(load_map(saved).entries) == 3


def test_a_loaded_map_can_be_saved_elsewhere(saved: Path, tmp_path: Path) -> None:
    save_map(tmp_path / "copy", load_map(saved))
    assert_equal(load_map(saved).keyframes[2], load_map(tmp_path / "copy").keyframes[2])


def flip(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))


def edit(path: Path, **changes: object) -> None:
    head = json.loads((path / "map.json").read_text())
    (path / "map.json").write_text(json.dumps(head | changes))


def one_keyframe(path: Path) -> Path:
    return sorted((path / "keyframes").iterdir())[2]


def other_numbers(path: Path) -> None:
    """The table as a careless program on a big-endian machine would write it, under the right checksum."""
    table = next(path.glob("table-*"))
    with np.load(table) as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(table, **arrays | {"T_map_kf": arrays["T_map_kf"].astype(">f8")})
    edit(path, table_sha256=sha256(table.read_bytes()))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped byte in a cloud": (lambda path: flip(one_keyframe(path), -2000), "damaged"),
    "a flipped byte in a header": (lambda path: flip(one_keyframe(path), 30), "damaged"),
    "a flipped byte in the table": (lambda path: flip(next(path.glob("table-*")), 700), "damaged"),
    "a keyframe cut short": (lambda path: os.truncate(one_keyframe(path), 100), "damaged"),
    "a missing keyframe": (lambda path: one_keyframe(path).unlink(), "No such file"),
    "a missing table": (lambda path: next(path.glob("table-*")).unlink(), "No such file"),
    "a missing head": (lambda path: (path / "map.json").unlink(), "holds no map"),
    "a head that is not JSON": (lambda path: (path / "map.json").write_text("{"), "damaged"),
    "a head without a table": (lambda path: (path / "map.json").write_text('{"kind": "bev_loc map", "version": 1}'), "keys"),
    "another program's file": (lambda path: (path / "map.json").write_text("[]"), "another program"),
    "a future version": (lambda path: edit(path, version=3), "version 3"),
    "a big-endian machine's map": (lambda path: edit(path, byte_order="big"), "another architecture .big-endian"),
    "a map of short floats": (lambda path: edit(path, float_bits=32), "another architecture .little-endian, 32-bit"),
    "a table of other numbers": (lambda path: other_numbers(path), "'T_map_kf' is of type >f8"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_one_sentence_that_names_the_file(name: str, saved: Path) -> None:
    damage, words = DAMAGES[name]
    damage(saved)
    with pytest.raises(MapError, match=words) as caught:
        load_map(saved)
    text = str(caught.value)
    assert str(saved) in text and "\n" not in text and ";" in text  # what is wrong; what to do


def test_a_damaged_map_can_be_replaced(saved: Path, bundle: MapBundle) -> None:
    flip(next(saved.glob("table-*")), 700)
    save_map(saved, bundle)
    assert len(load_map(saved).entries) == 5


@pytest.mark.parametrize(
    ("config", "describer", "weights", "words"),
    [
        (Config(bev=BevConfig(range_m=30.0)), "fourier_mellin", None, "images of"),
        (Config(bev=BevConfig(range_m=20.0, cell_m=0.5)), "fourier_mellin", None, "images of"),
        (Config(bev=BevConfig(range_m=20.0, max_count=5)), "fourier_mellin", None, "counts"),
        (Config(bev=BEV), "rein", None, "described by"),
        (Config(bev=BEV), "fourier_mellin", "ab12", "weights"),
    ],
)
def test_a_map_made_with_other_parameters_is_refused(
    config: Config, describer: str, weights: str | None, words: str, bundle: MapBundle
) -> None:
    with pytest.raises(MapError, match=words):
        check(bundle, config, describer, weights)


def test_a_map_made_with_the_same_parameters_passes(bundle: MapBundle) -> None:
    check(bundle, Config(bev=BEV), "fourier_mellin", None)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, bundle: MapBundle) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="no map"):
        save_map(tmp_path, bundle)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_path_that_cannot_be_a_folder_is_an_output_error(tmp_path: Path, bundle: MapBundle) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "map", Path("/proc/map")):  # root may write into read-only folders
        with pytest.raises(OutputError, match="cannot be written"):
            save_map(path, bundle)


def test_a_full_disk_is_an_output_error_and_keeps_the_old_map(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        save_map(saved, made_bundle(count=6))
    monkeypatch.undo()
    assert len(load_map(saved).entries) == 5


WRITER = """
import os, sys
sys.path.insert(0, {tests!r})
from bev_loc.maps import folder
from maps_made import made_bundle
from bev_loc.maps import keyframe_file
from bev_loc.maps.bundle import save_map
left = int(sys.argv[2])
replace = os.replace
def dying_replace(a, b):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    replace(a, b)
os.replace = dying_replace
save_map(sys.argv[1], made_bundle(count=8))
"""


@pytest.mark.parametrize("files_before_death", [0, 2, 3, 4])
def test_a_writer_killed_half_way_leaves_the_old_map_whole(saved: Path, files_before_death: int) -> None:
    script = WRITER.format(tests=str(Path(__file__).parents[1]))
    writer = subprocess.run([sys.executable, "-c", script, str(saved), str(files_before_death)], check=False)
    assert writer.returncode == 9
    assert list(saved.rglob("*.tmp"))  # what it was writing lies there, and nobody minds
    assert len(load_map(saved).entries) == 5
    save_map(saved, made_bundle(count=8))
    assert len(load_map(saved).entries) == 8 and not list(saved.rglob("*.tmp"))


def test_a_writer_killed_before_its_first_map_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    script = WRITER.format(tests=str(Path(__file__).parents[1]))
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "new"), "3"], check=False)
    with pytest.raises(BevLocError, match="holds no map"):
        load_map(tmp_path / "new")
    save_map(tmp_path / "new", made_bundle())
    assert len(load_map(tmp_path / "new").entries) == 5


def test_clouds_are_kept_to_a_centimetre(bundle: MapBundle) -> None:
    points_kf = bundle.keyframes[0].points_kf
    assert len(points_kf) > 1000 and points_kf.dtype == np.float32
    np.testing.assert_allclose(points_kf / 0.02, np.rint(points_kf / 0.02), atol=2e-3)


def test_a_map_of_the_first_version_is_read(saved: Path, bundle: MapBundle) -> None:
    """Its heights were PNGs."""
    keyframe = bundle.keyframes[2]
    file = one_keyframe(saved)
    magic, header, rest = file.read_bytes().split(b"\n", 2)
    header = json.loads(header)
    sizes, at, parts = header["bytes"], 0, {}
    for name, size in sizes.items():
        parts[name], at = rest[at : at + size], at + size
    codes = np.where(np.isnan(keyframe.image.mean_height_m), 0, np.rint(np.nan_to_num(keyframe.image.mean_height_m) * 100) + 32768)
    parts["heights"] = cv2.imencode(".png", codes.astype(np.uint16))[1].tobytes()
    header["bytes"] = {name: len(part) for name, part in parts.items()}
    first = b"bev_loc keyframe 1\n" + json.dumps(header).encode() + b"\n" + b"".join(parts.values())
    assert_equal(keyframe_file.decode(first, "here"), keyframe)


def test_heights_survive_whatever_they_are(bundle: MapBundle) -> None:
    heights_m = np.where(bundle.keyframes[0].image.counts > 0, np.float32(0.0), np.float32(np.nan))
    at = np.flatnonzero(np.isfinite(heights_m.ravel()))[:4]
    heights_m.ravel()[at] = [-327.67, 327.67, -0.01, 300.0]  # steps of more than half the range
    image = replace(bundle.keyframes[0].image, mean_height_m=heights_m)
    back = keyframe_file.decode(keyframe_file.encode(replace(bundle.keyframes[0], image=image)), "here")
    np.testing.assert_allclose(back.image.mean_height_m, heights_m, atol=1e-4)


def test_a_submap_holds_the_neighbours_in_the_keyframes_frame() -> None:
    bundle = made_bundle()
    store = KeyframeStore(
        KeyframeConfig(), BEV, make_describer(PlaceConfig(), BEV), submap_keyframes=1, shelf=bundle.keyframes
    )
    alone: Keyframe = bundle.keyframes[2]
    neighbour = bundle.keyframes[3]
    T_kf_neighbour = se3.inverse(alone.T_odom_kf) @ neighbour.T_odom_kf
    submap = store.submap_kf(2)
    assert len(submap) > 1.5 * len(alone.points_kf)
    moved = {tuple(p) for p in np.round(se3.apply(T_kf_neighbour, neighbour.points_kf), 3)}
    assert len(moved & {tuple(p) for p in np.round(submap, 3)}) > 100

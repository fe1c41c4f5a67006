"""Bad input: one clear sentence that names the file and what to do; what can be read is read."""

from pathlib import Path

import numpy as np
import pytest

from bev_loc.config import InputConfig
from bev_loc.errors import SourceError
from bev_loc.records import Dropped, LidarScan
from bev_loc.sources.open import open_source

CONFIG_LINE = "500 8 2 180 -180 0 10\n"
POSE = "1 0 0 0 0 1 0 0 0 0 1 0\n"


def bins(folder: Path, count: int = 3, points: int = 100) -> Path:
    folder.mkdir(parents=True)
    for k in range(count):
        np.full((points, 4), k + 1, "<f4").tofile(folder / f"{k:06d}.bin")
    return folder


def png(path: Path, shape: tuple[int, int] = (2, 8), dtype: type = np.uint16) -> None:
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(shape, 200, dtype))


def nothing(folder: Path) -> Path:
    return folder / "absent"


def too_long(folder: Path) -> Path:
    return folder / ("a" * 300)


def empty_folder(folder: Path) -> Path:
    return folder


def no_scans(folder: Path) -> Path:
    (folder / "readme.md").write_text("hello")
    return folder


def single_scan(folder: Path) -> Path:
    return bins(folder / "velodyne") / "000000.bin"


def unknown_file(folder: Path) -> Path:
    (folder / "film.mp4").write_bytes(b"0")
    return folder / "film.mp4"


def empty_velodyne(folder: Path) -> Path:
    (folder / "velodyne").mkdir()
    return folder


def fewer_times(folder: Path) -> Path:
    bins(folder / "velodyne")
    (folder / "times.txt").write_text("0.0\n0.1\n")
    return folder


def malformed_times(folder: Path) -> Path:
    bins(folder / "velodyne")
    (folder / "times.txt").write_text("0.0\nzero\n0.2\n")
    return folder


def malformed_dates(folder: Path) -> Path:
    bins(folder / "velodyne_points/data")
    (folder / "velodyne_points/timestamps.txt").write_text("2011-09-26 13:02:25.9\nyesterday\n2011-09-26 13:02:26.9\n")
    return folder


def malformed_poses(folder: Path) -> Path:
    bins(folder / "velodyne")
    (folder / "calib.txt").write_text("Tr: " + POSE)
    (folder / "poses.txt").write_text(POSE + "1 0 0\n" + POSE)
    return folder


def fewer_poses(folder: Path) -> Path:
    bins(folder / "velodyne")
    (folder / "calib.txt").write_text("Tr: " + POSE)
    (folder / "poses.txt").write_text(POSE)
    return folder


def malformed_calib(folder: Path) -> Path:
    bins(folder / "velodyne")
    (folder / "calib.txt").write_text("Tr: 1 0 0\n")
    (folder / "poses.txt").write_text(POSE * 3)
    return folder


def calib_without_tr(folder: Path) -> Path:
    bins(folder / "velodyne")
    (folder / "calib.txt").write_text("P0: " + POSE)
    (folder / "poses.txt").write_text(POSE * 3)
    return folder


def wrong_layout(folder: Path) -> Path:
    png(folder / "data/0.png")
    (folder / "velodyne_config.txt").write_text("500 8 3 180 -180 0 1 2 3\n")
    return folder


def archive_without_keys(folder: Path) -> Path:
    np.savez(folder / "lap.npz", points_cm=np.zeros((3, 3), np.int16))
    return folder / "lap.npz"


def archive_with_wrong_start(folder: Path) -> Path:
    np.savez(
        folder / "lap.npz",
        points_cm=np.zeros((3, 3), np.int16),
        start=[0, 9],
        T_odom_lidar=np.eye(4)[None],
        time_s=[1.0],
    )
    return folder / "lap.npz"


def archive_cut(folder: Path) -> Path:
    path = archive_with_wrong_start(folder)
    path.write_bytes(path.read_bytes()[:200])
    return path


def folder_of_archives(folder: Path) -> Path:
    archive_with_wrong_start(folder)
    return folder


def no_bag(folder: Path) -> Path:
    (folder / "drive.bag").write_text("this is no bag")
    return folder / "drive.bag"


def two_bags(folder: Path) -> Path:
    for name in ("a.bag", "b.bag"):
        (folder / name).write_bytes(b"")
    return folder


# what is given -> what the sentence must name
UNUSABLE = {
    nothing: "absent: no such file or folder; expected a KITTI",
    too_long: "cannot be read (File name too long); check the path",
    empty_folder: "is empty; expected",
    no_scans: "holds readme.md and no scans; expected",
    single_scan: "000000.bin: is a single scan; give the folder",
    unknown_file: "film.mp4: is not a recording",
    empty_velodyne: "velodyne: expected .bin files, found none; give",
    fewer_times: "times.txt: has 2 lines for 3 scans",
    malformed_times: "times.txt: line 2: expected 1 finite numbers, got 'zero'; repair",
    malformed_dates: "timestamps.txt: expected lines like '2011",
    malformed_poses: "poses.txt: line 2: expected 12 finite numbers, got '1 0 0'; repair",
    fewer_poses: "poses.txt: has 1 lines for 3 scans",
    malformed_calib: "calib.txt: line 'Tr:': expected 12 finite numbers, got '1 0 0'; repair",
    calib_without_tr: "calib.txt: expected a line 'Tr: 12 numbers', found none; repair",
    wrong_layout: "velodyne_config.txt: expected a line .* (4 angles for 3 rows)",
    archive_without_keys: "with points_cm, start, T_odom_lidar, time_s, got points_cm; give",
    archive_with_wrong_start: "lap.npz: expected start (N + 1,) rising from 0 to M, got",
    archive_cut: "lap.npz: cannot be read as .npz",
    folder_of_archives: "holds keyframe archives; give one of them, for example",
    no_bag: "drive.bag: cannot be opened as a rosbag",
    two_bags: "holds 2 rosbags and no metadata.yaml; give one",
}


@pytest.mark.parametrize("given", UNUSABLE, ids=lambda given: given.__name__)
def test_what_cannot_be_opened_is_one_sentence_that_names_it(tmp_path, given):
    path = given(tmp_path)
    with pytest.raises(SourceError) as raised:
        open_source(str(path), InputConfig())
    text = str(raised.value)
    for part in UNUSABLE[given].split(" .* "):
        assert part in text
    assert str(tmp_path) in text and "\n" not in text and ";" in text


@pytest.mark.parametrize("text", ["", "kitti:", "bag:"])
def test_no_name_is_not_the_working_directory(text):
    with pytest.raises(SourceError, match="no source is named; expected a KITTI"):
        open_source(text, InputConfig())


def cut_inside_a_point(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 16 * 30])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def replaced_by_text(path: Path) -> None:
    path.write_text("<html>404 not found, sorry</html>")


def write_bin(path: Path) -> None:
    np.arange(400, dtype="<f4").tofile(path)


def write_pcd(path: Path) -> None:
    head = (
        "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 100\nHEIGHT 1\nPOINTS 100\nDATA binary\n"
    )
    path.write_bytes(head.encode() + np.arange(300, dtype="<f4").tobytes())


def write_pcd_without_z(path: Path) -> None:
    head = "VERSION 0.7\nFIELDS x y\nSIZE 4 4\nTYPE F F\nCOUNT 1 1\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA ascii\n1 2\n3 4\n"
    path.write_text(head)


def write_pcd_without_points(path: Path) -> None:
    path.write_text(
        "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 0\nHEIGHT 1\nPOINTS 0\nDATA ascii\n"
    )


def write_ply(path: Path) -> None:
    properties = "".join(f"property float {name}\n" for name in "xyz")
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex 100\n{properties}end_header\n"
    path.write_bytes(head.encode() + np.arange(300, dtype="<f4").tobytes())


def write_npz(path: Path) -> None:
    np.savez(path, points=np.arange(300, dtype=np.float32).reshape(100, 3))


def write_npz_of_other_keys(path: Path) -> None:
    np.savez(path, cloud=np.zeros((9, 3)))


def write_npz_of_other_shape(path: Path) -> None:
    np.savez(path, points=np.zeros((3, 9))[:, :2])


def unchanged(path: Path) -> None:
    del path


# suffix, writer of the good files, writer of the bad one, what happens to it -> kind, words of the reason
DAMAGED = [
    (
        ".bin",
        write_bin,
        write_bin,
        cut_inside_a_point,
        "truncated scan",
        "16 bytes a point, got 1593 bytes; copy it again",
    ),
    (
        ".bin",
        write_bin,
        write_bin,
        cut_short,
        "scan cut short",
        "holds 480 bytes where its neighbours hold about 1600; copy it again",
    ),
    (".bin", write_bin, write_bin, emptied, "empty scan", "holds no points; check"),
    (
        ".pcd",
        write_pcd,
        write_pcd,
        cut_inside_a_point,
        "truncated scan",
        "expected 100 points of 12 bytes, got 1193 bytes; copy",
    ),
    (".pcd", write_pcd, write_pcd, replaced_by_text, "unreadable file", "expected a PCD header"),
    (".pcd", write_pcd, write_pcd, emptied, "empty scan", "the file is empty; copy it again"),
    (".pcd", write_pcd, write_pcd_without_z, unchanged, "no positions", "expected fields x, y, z, got x, y; choose"),
    (".pcd", write_pcd, write_pcd_without_points, unchanged, "empty scan", "holds no points; check"),
    (
        ".ply",
        write_ply,
        write_ply,
        cut_inside_a_point,
        "truncated scan",
        "expected 100 points of 12 bytes, got 1193 bytes; copy",
    ),
    (".ply", write_ply, write_ply, replaced_by_text, "unreadable file", "expected a PLY header"),
    (".npz", write_npz, write_npz, cut_inside_a_point, "unreadable file", "cannot be read as .npz"),
    (".npz", write_npz, write_npz, replaced_by_text, "unreadable file", "cannot be read as .npz"),
    (
        ".npz",
        write_npz,
        write_npz_of_other_keys,
        unchanged,
        "wrong keys",
        "expected one of points, points_m, xyz, got cloud; rename",
    ),
    (".npz", write_npz, write_npz_of_other_shape, unchanged, "wrong shape", "expected 'points' as (N, 3) numbers"),
]


@pytest.mark.parametrize(("suffix", "good", "bad", "damage", "kind", "words"), DAMAGED)
@pytest.mark.parametrize("position", [0, 2])
def test_a_damaged_file_is_dropped_in_its_place_and_the_others_are_read(
    tmp_path, suffix, good, bad, damage, kind, words, position
):
    paths = [tmp_path / f"{k:06d}{suffix}" for k in range(5)]
    for k, path in enumerate(paths):
        (bad if k == position else good)(path)
    damage(paths[position])
    source = open_source(str(tmp_path), InputConfig())
    items = list(source.stream())
    assert len(items) == source.scan_count == 5
    dropped = items.pop(position)
    assert isinstance(dropped, Dropped) and dropped.kind == kind and words in dropped.reason
    assert str(paths[position]) in dropped.reason and dropped.stamp_ns == position * 100_000_000
    assert all(isinstance(item, LidarScan) and len(item.points_lidar) == 100 for item in items)


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (cut_inside_a_point, "truncated scan", "expected a whole PNG"),
        (emptied, "truncated scan", "got 0 bytes"),
        (replaced_by_text, "truncated scan", "expected a whole PNG"),
        (
            lambda path: png(path, (3, 8)),
            "wrong image",
            "expected 8 x 2 pixels of 16 bit as velodyne_config.txt says, got 8 x 3",
        ),
        (lambda path: png(path, dtype=np.uint8), "wrong image", "of uint8"),
        (lambda path: path.write_bytes(b"x" * 50 + path.read_bytes()[-12:]), "unreadable file", "expected a PNG"),
        (lambda path: png(path, dtype=np.uint16) or _blank(path), "empty scan", "holds no points"),
    ],
)
def test_a_damaged_range_image_is_dropped(tmp_path, damage, kind, words):
    for k in range(3):
        png(tmp_path / f"data/{k}.png")
    (tmp_path / "velodyne_config.txt").write_text(CONFIG_LINE)
    damage(tmp_path / "data/1.png")
    first, dropped, last = open_source(str(tmp_path), InputConfig()).stream()
    assert isinstance(first, LidarScan) and isinstance(last, LidarScan)
    assert dropped.kind == kind and words in dropped.reason and "1.png" in dropped.reason


def _blank(path: Path) -> None:
    import cv2

    cv2.imwrite(str(path), np.zeros((2, 8), np.uint16))


def test_a_file_that_vanishes_while_the_folder_is_read_is_dropped(tmp_path):
    folder = bins(tmp_path / "scans")
    source = open_source(str(folder), InputConfig())
    (folder / "000001.bin").unlink()
    first, dropped, last = source.stream()
    assert dropped.kind == "unreadable file" and "000001.bin: cannot be read (No such file" in dropped.reason
    assert len(first.points_lidar) == len(last.points_lidar) == 100


def test_a_folder_of_which_every_scan_is_bad_says_so_for_each(tmp_path):
    for k in range(3):
        (tmp_path / f"{k}.bin").write_bytes(b"12345")
    items = list(open_source(str(tmp_path), InputConfig()).stream())
    assert [item.kind for item in items] == ["truncated scan"] * 3


def test_points_that_are_not_finite_stay_with_their_times(tmp_path):
    folder = tmp_path / "velodyne_points/data"
    folder.mkdir(parents=True)
    points = np.random.default_rng(0).uniform(-20, 20, (50, 4)).astype("<f4")
    points[3], points[4, 0], points[5, 1] = np.nan, np.inf, -np.inf
    points.tofile(folder / "0000000000.bin")
    (scan,) = open_source(str(tmp_path), InputConfig()).stream()
    np.testing.assert_array_equal(scan.points_lidar, points[:, :3])
    assert scan.offsets_s.shape == (50,) and np.isfinite(scan.offsets_s).all() and scan.offsets_s.min() >= 0
    alone = np.degrees(np.arctan2(points[10, 1], points[10, 0]))
    assert scan.offsets_s[10] == pytest.approx((180 - alone) / 3600, abs=1e-6)


def test_poses_without_a_calibration_are_left_out_and_said(tmp_path):
    bins(tmp_path / "velodyne")
    (tmp_path / "poses.txt").write_text(POSE * 3)
    source = open_source(str(tmp_path), InputConfig())
    assert source.truth() is None and any("calib.txt" in note for note in source.notes)


def test_an_inertial_folder_without_stamps_is_left_out_and_said(tmp_path):
    bins(tmp_path / "velodyne_points/data")
    (tmp_path / "oxts/data").mkdir(parents=True)
    source = open_source(str(tmp_path), InputConfig())
    assert len(list(source.stream())) == 3 and any("not used as IMU" in note for note in source.notes)


def test_a_point_time_field_that_is_not_there_is_an_error_that_lists_the_fields(tmp_path):
    write_ply(tmp_path / "0.ply")
    with pytest.raises(SourceError, match="no field 'when'.*its fields are x, y, z"):
        open_source(str(tmp_path), InputConfig(point_time_field="when"))

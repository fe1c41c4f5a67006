"""Folder formats written here and read back: the same points, at the right times."""

from itertools import pairwise

import numpy as np
import pytest

from bev_loc.config import InputConfig
from bev_loc.geometry import se3
from bev_loc.records import ImuSample, LidarScan, Odometry
from bev_loc.sources.open import open_source


def scans_of(rng: np.random.Generator, count: int = 4, points: int = 200) -> list[np.ndarray]:
    return [rng.uniform(-50, 50, (points, 4)).astype(np.float32) for _ in range(count)]


def structured(points: np.ndarray, time_s: np.ndarray | None = None) -> np.ndarray:
    columns = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")] + ([("time", "<f8")] if time_s is not None else [])
    out = np.zeros(len(points), columns)
    for i, name in enumerate("xyz"):
        out[name] = points[:, i]
    if time_s is not None:
        out["time"] = time_s
    return out


def test_a_kitti_sequence_has_its_times_and_truth_in_the_lidar_frame(tmp_path, write_bins, rng):
    scans = scans_of(rng)
    write_bins("sequences/07/velodyne", scans)
    folder = tmp_path / "sequences/07"
    T_cam_lidar = se3.from_xyz_rpy((0.1, -0.2, 0.3, -1.5, 0.02, -1.57))
    T_truth_lidar = [se3.from_xyz_rpy((k, 0.1 * k, 0.0, 0.0, 0.0, 0.05 * k)) for k in range(4)]
    T_truth_cam = [T_cam_lidar @ T @ se3.inverse(T_cam_lidar) for T in T_truth_lidar]
    text = lambda T: " ".join(f"{v:.12e}" for v in T[:3].reshape(-1))  # noqa: E731
    (folder / "times.txt").write_text("0.000000e+00\n1.036000e-01\n2.070001e-01\n3.110000e-01\n")
    (folder / "calib.txt").write_text(f"P0: {text(np.eye(4))}\nTr: {text(T_cam_lidar)}\n")
    (tmp_path / "poses").mkdir()
    (tmp_path / "poses/07.txt").write_text("\n".join(text(T) for T in T_truth_cam) + "\n")
    for given in (folder, folder / "velodyne"):
        source = open_source(str(given), InputConfig())
        read = list(source.stream())
        assert [scan.stamp_ns for scan in read] == [0, 103_600_000, 207_000_100, 311_000_000]
        for scan, points in zip(read, scans, strict=True):
            np.testing.assert_array_equal(scan.points_lidar, points[:, :3])
            assert scan.points_lidar.flags.c_contiguous and scan.offsets_s is None
        np.testing.assert_allclose(source.truth().T_truth_base, T_truth_lidar, atol=1e-9)
        assert source.truth().stamps_ns[1] == 103_600_000
        assert any("motion compensated" in note for note in source.notes)


def test_part_of_a_sequence_takes_its_times_by_file_number(tmp_path, write_bins, rng):
    paths = write_bins("05/velodyne", scans_of(rng, 6))
    for path in paths[:2] + paths[3:4]:
        path.unlink()
    (tmp_path / "05/times.txt").write_text("".join(f"{k}.5\n" for k in range(6)))
    read = list(open_source(str(tmp_path / "05"), InputConfig()).stream())
    assert [scan.stamp_ns for scan in read] == [2_500_000_000, 4_500_000_000, 5_500_000_000]


def test_files_without_times_are_spaced_by_the_assumed_rate_and_their_numbers(tmp_path, write_bins, rng):
    paths = write_bins("scans", scans_of(rng, 5))
    paths[2].unlink()
    source = open_source(str(tmp_path / "scans"), InputConfig(scan_rate_hz=20.0))
    assert [scan.stamp_ns for scan in source.stream()] == [0, 50_000_000, 150_000_000, 200_000_000]
    assert any("20 scans per second assumed" in note for note in source.notes)
    assert [scan.stamp_ns for scan in source.stream()][-1] == 200_000_000  # a second reading starts over


def test_files_named_by_nanoseconds_are_stamped_by_their_names(tmp_path, rng):
    for ns in (1561000444390857630, 1561000444489636410):
        rng.uniform(-9, 9, (50, 4)).astype("<f4").tofile(tmp_path / f"{ns}.bin")
    source = open_source(str(tmp_path), InputConfig())
    assert [scan.stamp_ns for scan in source.stream()] == [1561000444390857630, 1561000444489636410]
    assert any("file names" in note for note in source.notes)


def dates(stamps_ns: list[int]) -> str:
    return "".join(f"{np.datetime64(ns, 'ns')}\n".replace("T", " ") for ns in stamps_ns)


def test_a_raw_drive_starts_at_its_start_stamps_and_brings_its_oxts_as_imu(tmp_path, write_bins, rng):
    begin_ns = 1_317_042_145_000_000_000
    write_bins("day/drive/velodyne_points/data", scans_of(rng, 3), digits=10)
    folder = tmp_path / "day/drive"
    for name, shift_ns in (("_start", 0), ("", 51_000_000), ("_end", 103_000_000)):
        text = dates([begin_ns + k * 103_000_000 + shift_ns for k in range(3)])
        (folder / f"velodyne_points/timestamps{name}.txt").write_text(text)
    (folder / "oxts/data").mkdir(parents=True)
    for k in range(40):
        row = np.zeros(30)
        row[11:14], row[17:20] = (0.1, 0.2, 9.8), (0.01, 0.02, 0.03 * k)
        (folder / f"oxts/data/{k:010d}.txt").write_text(" ".join(map(str, row)))
    (folder / "oxts/timestamps.txt").write_text(dates([begin_ns + k * 10_000_000 for k in range(40)]))
    (tmp_path / "day/calib_imu_to_velo.txt").write_text(
        "calib_time: 25-May-2012\nR: 1 0 0 0 1 0 0 0 1\nT: -0.8 0.3 -0.7\n"
    )
    source = open_source(str(folder), InputConfig())
    items = list(source.stream())
    scans = [item for item in items if isinstance(item, LidarScan)]
    assert [scan.stamp_ns for scan in scans] == [begin_ns + k * 103_000_000 for k in range(3)]
    assert sum(isinstance(item, ImuSample) for item in items) == 40
    ends = [
        item.stamp_ns + int(item.offsets_s.max() * 1e9) if isinstance(item, LidarScan) else item.stamp_ns
        for item in items
    ]
    assert all(a <= b for a, b in pairwise(ends))
    azimuth_deg = np.degrees(np.arctan2(scans[0].points_lidar[:, 1], scans[0].points_lidar[:, 0]))
    np.testing.assert_allclose(scans[0].offsets_s, (180 - azimuth_deg) / 360 * 0.103, atol=1e-6)
    first = next(item for item in items if isinstance(item, ImuSample))
    np.testing.assert_array_equal(first.acc_m_s2, [0.1, 0.2, 9.8])
    np.testing.assert_array_equal(first.gyro_rad_s, [0.01, 0.02, 0.0])
    np.testing.assert_allclose(source.T_base_imu[:3, 3], [-0.8, 0.3, -0.7])
    np.testing.assert_allclose(source.T_base_lidar, np.eye(4))
    plain = next(iter(open_source(str(folder), InputConfig(point_times="none")).stream()))
    assert isinstance(plain, ImuSample) or plain.offsets_s is None


def write_pcd(path, points: np.ndarray, data: str) -> None:
    kinds = {"f": "F", "u": "U", "i": "I"}
    names = points.dtype.names
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS " + " ".join(names)
        + "\nSIZE " + " ".join(str(points.dtype[n].itemsize) for n in names)
        + "\nTYPE " + " ".join(kinds[points.dtype[n].kind] for n in names)
        + "\nCOUNT " + " ".join("1" for _ in names)
        + f"\nWIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA {data}\n"
    )  # fmt: skip
    body = (
        points.tobytes()
        if data == "binary"
        else "\n".join(" ".join(repr(float(v)) for v in row) for row in points).encode()
    )
    path.write_bytes(header.encode() + body)


def write_ply(path, points: np.ndarray, data: str) -> None:
    kinds = {"f4": "float", "f8": "double", "u4": "uint"}
    header = f"ply\nformat {data} 1.0\ncomment a scan\nelement vertex {len(points)}\n"
    header += "".join(f"property {kinds[points.dtype[n].str[1:]]} {n}\n" for n in points.dtype.names) + "end_header\n"
    if data == "ascii":
        body = "\n".join(" ".join(repr(float(v)) for v in row) for row in points).encode()
    else:
        order = "<" if "little" in data else ">"
        body = points.astype([(n, points.dtype[n].newbyteorder(order)) for n in points.dtype.names]).tobytes()
    path.write_bytes(header.encode() + body)


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        ("pcd", "binary"),
        ("pcd", "ascii"),
        ("ply", "ascii"),
        ("ply", "binary_little_endian"),
        ("ply", "binary_big_endian"),
        ("npz", ""),
    ],
)
def test_points_and_times_of_cloud_files_come_back(tmp_path, rng, suffix, data):
    time_s = np.linspace(0, 0.1, 300)
    clouds = [rng.uniform(-50, 50, (300, 3)).astype(np.float32) for _ in range(11)]
    clouds[0][7] = np.nan
    for k, points in enumerate(clouds):
        path = tmp_path / f"{k}.{suffix}"  # 10 comes after 9, not after 1
        if suffix == "npz":
            np.savez(path, points=points, times=time_s)
        else:
            {"pcd": write_pcd, "ply": write_ply}[suffix](path, structured(points, time_s), data)
    source = open_source(str(tmp_path), InputConfig())
    read = list(source.stream())
    assert len(read) == source.scan_count == 11
    for k, (scan, points) in enumerate(zip(read, clouds, strict=True)):
        assert scan.stamp_ns == k * 100_000_000
        np.testing.assert_array_equal(scan.points_lidar, points)
        assert scan.points_lidar.dtype == np.float32 and scan.points_lidar.flags.c_contiguous
        valid = np.isfinite(points[:, 0])
        np.testing.assert_allclose(scan.offsets_s[valid], time_s[valid], atol=1e-7)
    assert any("point times" in note for note in source.notes)


def test_a_compressed_pcd_of_another_writer_is_read(tmp_path):
    open3d = pytest.importorskip("open3d", reason="open3d writes the compressed file of this test")
    points = np.round(np.random.default_rng(0).uniform(-5, 5, (3000, 3)))  # repeats, so that back references occur
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points))
    open3d.io.write_point_cloud(str(tmp_path / "0.pcd"), cloud, compressed=True)
    raw = (tmp_path / "0.pcd").read_bytes()
    assert b"binary_compressed" in raw and len(raw) < points.astype("f4").nbytes * 0.8
    scan = next(iter(open_source(str(tmp_path), InputConfig()).stream()))
    np.testing.assert_array_equal(scan.points_lidar, points.astype(np.float32))


def test_a_range_image_gives_points_at_its_angles_and_times(tmp_path):
    import cv2

    (tmp_path / "data").mkdir()
    (tmp_path / "velodyne_config.txt").write_text("# comment\n500 360 2 180 -180 0 30\n")
    image = np.zeros((2, 360), np.uint16)
    image[0, 0], image[0, 180], image[1, 269] = 5000, 10000, 20000
    cv2.imwrite(str(tmp_path / "data/0000000000.png"), image)
    begin_ns = 1_310_651_551_348_051_570
    (tmp_path / "timestamps_start.txt").write_text(dates([begin_ns]))
    (tmp_path / "timestamps_end.txt").write_text(dates([begin_ns + 100_000_000]))
    scan = next(iter(open_source(str(tmp_path), InputConfig()).stream()))
    assert scan.stamp_ns == begin_ns
    azimuth = np.radians([179.5, -0.5, -89.5])
    expected = np.stack(
        [
            np.cos(azimuth) * [10, 20, 40 * np.cos(np.pi / 6)],
            np.sin(azimuth) * [10, 20, 40 * np.cos(np.pi / 6)],
            [0, 0, -20],
        ],
        1,
    )
    np.testing.assert_allclose(scan.points_lidar, expected, atol=1e-4)
    np.testing.assert_allclose(scan.offsets_s, [0.5 / 3600, 180.5 / 3600, 269.5 / 3600], rtol=1e-5)


def test_a_keyframe_archive_gives_its_poses_clouds_and_stamps(tmp_path, rng):
    T = np.stack([se3.from_xyz_rpy((k, 2.0, 0.0, 0.0, 0.0, 0.1 * k)) for k in range(3)])
    points_cm = rng.integers(-3000, 3000, (60, 3)).astype(np.int16)
    path = tmp_path / "lap.npz"
    np.savez(
        path,
        points_cm=points_cm,
        start=[0, 20, 20, 60],
        T_odom_lidar=np.round(T[:, :3], 6),
        time_s=[10.25, 11.5, 12.125],
    )
    source = open_source(str(path), InputConfig())
    first, empty, last = source.stream()
    assert isinstance(first, Odometry) and empty.kind == "empty scan" and "lap.npz[1]" in empty.reason
    assert (first.stamp_ns, last.stamp_ns) == (10_250_000_000, 12_125_000_000)
    np.testing.assert_allclose(last.T_odom_base, T[2], atol=1e-6)
    np.testing.assert_allclose(last.T_odom_base[:3, :3] @ last.T_odom_base[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(last.points_base, points_cm[20:] * 0.01, atol=1e-4)
    assert last.points_base.dtype == np.float32

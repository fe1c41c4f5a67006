"""KITTI folders: odometry sequence, bare velodyne folder, raw drive. x y z reflectance as float32."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..clouds.damaged import DamagedScan
from ..clouds.point_times import azimuth_fraction
from ..config import InputConfig
from ..errors import SourceError
from ..records import LidarScan
from . import stamps
from .base import Truth
from .kitti_oxts import read_oxts
from .scan_folder import ScanFile, ScanFolder, list_files, usual_sizes


def open_sequence(folder: Path, config: InputConfig) -> ScanFolder:
    """A sequence `velodyne/`, with `times.txt`, `calib.txt` and poses when there. Already compensated."""
    files = list_files(folder / "velodyne", ".bin")
    stamps_ns, notes = _sequence_stamps(folder / "times.txt", files, config)
    truth, truth_notes = _sequence_truth(folder, files, stamps_ns)
    timed, time_note = _point_times(config, azimuth=False)
    return _scan_folder(
        folder, files, stamps_ns, np.full(len(files), 1.0 / config.scan_rate_hz), timed,
        notes=(*notes, time_note, *truth_notes), recorded_truth=truth,
    )  # fmt: skip


def open_velodyne(folder: Path, config: InputConfig) -> ScanFolder:
    """A folder of .bin files alone."""
    files = list_files(folder, ".bin")
    stamps_ns, note = stamps.from_names_or_rate(files, config.scan_rate_hz)
    timed, time_note = _point_times(config, azimuth=False)
    sweeps_s = np.full(len(files), 1.0 / config.scan_rate_hz)
    return _scan_folder(folder, files, stamps_ns, sweeps_s, timed, notes=(note, time_note))


def open_raw_drive(folder: Path, config: InputConfig) -> ScanFolder:
    """A raw drive `velodyne_points/data/`, with its stamps and the OXTS as IMU when there. Not compensated."""
    points_folder = folder / "velodyne_points"
    files = list_files(points_folder / "data", ".bin")
    begin_ns, sweeps_s, notes = sweep_times(points_folder, files, config)
    imu = read_oxts(folder)
    timed, time_note = _point_times(config, azimuth=True)
    return _scan_folder(
        folder, files, begin_ns, sweeps_s, timed, notes=(*notes, time_note, *imu.notes), imu=imu.samples,
        T_base_lidar=np.eye(4) if imu.samples else None, T_base_imu=imu.T_lidar_imu,
    )  # fmt: skip


def read_bin(path: Path) -> np.ndarray:
    """(N, 3) float32 points of a velodyne file; DamagedScan when it is cut inside a point."""
    raw = path.read_bytes()
    if len(raw) % 16:
        raise DamagedScan(
            "truncated scan",
            f"expected float32 x y z reflectance, 16 bytes a point, got {len(raw)} bytes; copy it again",
        )
    return np.ascontiguousarray(np.frombuffer(raw, "<f4").reshape(-1, 4)[:, :3])


def sweep_times(folder: Path, files: list[Path], config: InputConfig) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """(N,) ns of first returns and (N,) seconds of sweep from `timestamps[_start|_end].txt`, and what was assumed."""
    middle, start, end = (folder / f"timestamps{which}.txt" for which in ("", "_start", "_end"))
    period_s = 1.0 / config.scan_rate_hz
    if start.exists():
        begin_ns = stamps.dates_of(start, files)
        if end.exists():
            return begin_ns, (stamps.dates_of(end, files) - begin_ns) * 1e-9, ()
        return begin_ns, np.full(len(files), _median_period_s(begin_ns, period_s)), (
            f"{end.name} is missing: a sweep is taken to last the usual time between scans",)  # fmt: skip
    if middle.exists():
        middle_ns = stamps.dates_of(middle, files)
        sweep_s = _median_period_s(middle_ns, period_s)
        return middle_ns - int(sweep_s * 0.5e9), np.full(len(files), sweep_s), (
            f"{start.name} is missing: sweeps are taken to begin half a turn before {middle.name}",)  # fmt: skip
    stamps_ns, note = stamps.from_names_or_rate(files, config.scan_rate_hz)
    return stamps_ns, np.full(len(files), period_s), (note,)


def _scan_folder(
    folder: Path,
    files: list[Path],
    stamps_ns: np.ndarray,
    sweeps_s: np.ndarray,
    timed: Callable[[ScanFile, np.ndarray], np.ndarray | None],
    **rest: object,
) -> ScanFolder:
    def read(file: ScanFile) -> LidarScan:
        points = read_bin(file.path)
        return LidarScan(
            stamp_ns=file.stamp_ns, points_lidar=points, offsets_s=timed(file, points), name=str(file.path)
        )

    rows = zip(files, stamps_ns, sweeps_s, usual_sizes(files), strict=True)
    scans = tuple(ScanFile(path=p, stamp_ns=int(t), sweep_s=float(s), usual_bytes=b) for p, t, s, b in rows)
    return ScanFolder(name=str(folder), files=scans, read=read, **rest)


def _point_times(config: InputConfig, azimuth: bool) -> tuple[Callable[[ScanFile, np.ndarray], np.ndarray | None], str]:
    """The offsets of a file's points, from the azimuth when the format (or the configuration) needs it."""
    if config.point_times == "azimuth" or (config.point_times == "auto" and azimuth):
        return (
            lambda file, points: azimuth_fraction(points) * np.float32(file.sweep_s),
            "point times come from the azimuth (clockwise from behind); "
            "input.point_times=none if the scans are compensated",
        )
    return (
        lambda file, points: None,
        "scans are taken as motion compensated; input.point_times=azimuth if they are not",
    )


def _sequence_stamps(times: Path, files: list[Path], config: InputConfig) -> tuple[np.ndarray, tuple[str, ...]]:
    if not times.exists():
        stamps_ns, note = stamps.from_names_or_rate(files, config.scan_rate_hz)
        return stamps_ns, (note,)
    every_ns = stamps.read_seconds(times)
    return every_ns[stamps.rows_of_files(files, len(every_ns), times)], ()


def _sequence_truth(folder: Path, files: list[Path], stamps_ns: np.ndarray) -> tuple[Truth | None, tuple[str, ...]]:
    name = f"{folder.resolve().name}.txt"
    places = (folder / "poses.txt", folder.parent / "poses" / name, folder.parent.parent / "poses" / name)
    poses = next((path for path in places if path.is_file()), None)
    if poses is None:
        return None, ()
    calib = folder / "calib.txt"
    if not calib.is_file():
        return None, (
            f"{poses}: not used, {calib.name} with the line 'Tr:' is needed to turn camera poses into lidar poses",
        )
    T_cam_lidar = read_calibration(calib, "Tr")
    T_truth_cam = _homogeneous(stamps.read_numbers(poses, 12))
    rows = stamps.rows_of_files(files, len(T_truth_cam), poses)
    T_truth_base = np.linalg.inv(T_cam_lidar) @ T_truth_cam[rows] @ T_cam_lidar
    return Truth(stamps_ns=stamps_ns, T_truth_base=T_truth_base), ()


def read_calibration(path: Path, key: str) -> np.ndarray:
    """(4, 4) the motion in the line `key: 12 numbers` of a KITTI calibration file."""
    for line in stamps.read_lines(path):
        name, _, values = line.partition(":")
        if name.strip() not in (key, f"{key}_velo_to_cam"):
            continue
        try:
            numbers = np.array([float(word) for word in values.split()])
        except ValueError:
            numbers = np.zeros(0)
        if numbers.shape != (12,) or not np.isfinite(numbers).all():
            raise SourceError(
                f"{path}: line '{key}:': expected 12 finite numbers, got '{values.strip()[:60]}'; "
                "repair it or take it away"
            )
        return _homogeneous(numbers[None])[0]
    raise SourceError(f"{path}: expected a line '{key}: 12 numbers', found none; repair it or take it away")


def _homogeneous(rows: np.ndarray) -> np.ndarray:
    """(N, 4, 4) of (N, 12) row-major 3 x 4 matrices."""
    T = np.tile(np.eye(4), (len(rows), 1, 1))
    T[:, :3] = rows.reshape(-1, 3, 4)
    return T


def _median_period_s(stamps_ns: np.ndarray, default_s: float) -> float:
    return float(np.median(np.diff(stamps_ns))) * 1e-9 if len(stamps_ns) > 1 else default_s

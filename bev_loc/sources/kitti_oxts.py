"""The OXTS inertial unit of a KITTI raw drive as an IMU."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..geometry import se3
from ..records import ImuSample
from . import stamps
from .scan_folder import list_files

# For drives whose calibration file was not copied along: it differs by millimetres and tenths of a
# degree between recording days.
_USUAL_T_LIDAR_IMU = se3.from_parts(np.eye(3), np.array([-0.81, 0.32, -0.80]))
_ACC, _GYRO = slice(11, 14), slice(17, 20)  # ax ay az, wx wy wz: forward, left, up
_SLOW_HZ = 50.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Oxts:
    """The samples of a drive, none when they cannot be used, and what was assumed."""

    samples: tuple[ImuSample, ...] = ()
    T_lidar_imu: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read_oxts(drive: Path) -> Oxts:
    """The samples in `oxts/data`, mounted as `../calib_imu_to_velo.txt` says."""
    data, times = drive / "oxts" / "data", drive / "oxts" / "timestamps.txt"
    if not data.is_dir():
        return Oxts()
    if not times.exists() or not any((drive / "velodyne_points").glob("timestamps*.txt")):
        return Oxts(notes=(f"{data.parent}: not used as IMU, timestamps.txt of it and of velodyne_points are needed",))
    files = list_files(data, ".txt")
    stamps_ns = stamps.dates_of(times, files)
    rows = np.vstack([stamps.read_numbers(path, 30) for path in files])
    samples = tuple(
        ImuSample(stamp_ns=int(t), gyro_rad_s=row[_GYRO], acc_m_s2=row[_ACC])
        for t, row in zip(stamps_ns, rows, strict=True)
    )
    notes = []
    if len(samples) > 1 and (rate_hz := 1e9 / float(np.median(np.diff(stamps_ns)))) < _SLOW_HZ:
        notes.append(
            f"IMU samples come at {rate_hz:.0f} Hz, as in synchronised drives: the unsynchronised oxts has 100 Hz"
        )
    calib = drive.parent / "calib_imu_to_velo.txt"
    if calib.is_file():
        return Oxts(samples=samples, T_lidar_imu=_mounting(calib), notes=tuple(notes))
    notes.append(f"{calib.name} is missing: the usual mounting of the KITTI car is assumed")
    return Oxts(samples=samples, T_lidar_imu=_USUAL_T_LIDAR_IMU.copy(), notes=tuple(notes))


def _mounting(path: Path) -> np.ndarray:
    """(4, 4) T_lidar_imu of lines `R: 9 numbers` and `T: 3 numbers`."""
    found: dict[str, np.ndarray] = {}
    for line in stamps.read_lines(path):
        name, _, values = line.partition(":")
        if name.strip() in ("R", "T"):
            try:
                found[name.strip()] = np.array([float(word) for word in values.split()])
            except ValueError:
                break
    if len(found.get("R", ())) != 9 or len(found.get("T", ())) != 3:
        raise SourceError(
            f"{path}: expected lines 'R: 9 numbers' and 'T: 3 numbers', found others; repair it or take it away"
        )
    return se3.from_parts(found["R"].reshape(3, 3), found["T"])

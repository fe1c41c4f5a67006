"""Trajectories from files: TUM or KITTI, told apart by their columns."""

from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..geometry import se3
from ..geometry.trajectory import read_tum
from .trajectory import Trajectory

_TUM_COLUMNS, _KITTI_COLUMNS = 8, 12


def read_pair(
    estimate: Path, reference: Path, times: Path | None = None, calib: Path | None = None
) -> tuple[Trajectory, Trajectory]:
    """Both trajectories with stamps that can be compared.

    Rows of a KITTI file get the stamps of `times`; without it, two KITTI files of equal length are
    matched row by row. `calib` moves a KITTI reference from the camera into the LiDAR frame.
    """
    kitti = [_columns(path) == _KITTI_COLUMNS for path in (estimate, reference)]
    if any(kitti) and not all(kitti) and times is None:
        which = estimate if kitti[0] else reference
        raise SourceError(f"{which}: rows of a KITTI file have no stamps; give them with --times")
    if times is not None and not any(kitti):
        raise SourceError(f"{times}: --times stamps the rows of KITTI files, and neither trajectory is one; leave it out")
    if calib is not None and not kitti[1]:
        raise SourceError(f"{calib}: --calib is for a KITTI reference, and {reference} is none; leave it out")
    found = [_read(path, is_kitti, times) for path, is_kitti in zip((estimate, reference), kitti)]
    if all(kitti) and times is None and len(found[0][0]) != len(found[1][0]):
        raise SourceError(
            f"{estimate}: expected as many rows as {reference} has ({len(found[1][0])}), got {len(found[0][0])}; "
            "give TUM files, which have stamps"
        )
    if calib is not None:
        stamps, T_world_cam = found[1]
        T_cam_lidar = read_calib(calib)
        found[1] = stamps, se3.inverse(T_cam_lidar) @ T_world_cam @ T_cam_lidar
    return found[0], found[1]


def read_kitti(path: Path) -> np.ndarray:
    """(N, 4, 4) poses of a file with 3 x 4 row-major lines."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != _KITTI_COLUMNS or not np.isfinite(row).all():
            raise SourceError(f"{path}:{number}: expected 12 numbers (a 3 x 4 pose), got '{line[:60]}'")
        rows.append(row)
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3] = np.array(rows).reshape(-1, 3, 4)
    return poses


def read_calib(path: Path) -> np.ndarray:
    """(4, 4) T_cam_lidar: the line `Tr:` of a KITTI calib.txt."""
    for line in _text(path).splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() in ("Tr", "Tr_velo_to_cam") and len(numbers.split()) == _KITTI_COLUMNS:
            T = np.eye(4)
            T[:3] = np.array(numbers.split(), float).reshape(3, 4)
            return T
    raise SourceError(f"{path}: expected a line 'Tr:' with 12 numbers, as KITTI's calib.txt has")


def _read(path: Path, is_kitti: bool, times: Path | None) -> Trajectory:
    if not is_kitti:
        return read_tum(path)
    poses = read_kitti(path)
    if times is None:
        return np.arange(len(poses), dtype=np.int64), poses
    try:
        seconds = np.array(_text(times).split(), float)
    except ValueError:
        raise SourceError(f"{times}: expected one time in seconds a line") from None
    if len(seconds) != len(poses):
        raise SourceError(f"{times}: expected {len(poses)} times, one for each row of {path}, got {len(seconds)}")
    return np.round(seconds * 1e9).astype(np.int64), poses


def _columns(path: Path) -> int:
    lines = [line for line in _text(path).splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise SourceError(f"{path}: is empty; expected a TUM or KITTI trajectory")
    columns = len(lines[0].replace(",", " ").split())
    if columns not in (_TUM_COLUMNS, _KITTI_COLUMNS):
        raise SourceError(f"{path}: expected 8 columns (TUM) or 12 (KITTI), got {columns}")
    return columns


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path}: is not a text file; expected a TUM or KITTI trajectory") from None

"""Folders with one .pcd, .ply or .npz file per scan."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ..clouds.damaged import DamagedScan
from ..config import InputConfig
from ..errors import SourceError
from ..records import LidarScan
from . import stamps
from .point_files import READERS, npz_keys
from .point_scans import FirstCloud, decide_recording
from .scan_folder import ScanFile, ScanFolder, list_files

_LOOK_AT = 5  # files at the beginning, in search of point times


def open_clouds(folder: Path, suffix: str, config: InputConfig) -> ScanFolder:
    """A folder of `suffix` files; stamps from the file names or the assumed rate."""
    files = list_files(folder, suffix)
    if suffix == ".npz" and "T_odom_lidar" in npz_keys(files[0]):
        raise SourceError(f"{folder}: holds keyframe archives; give one of them, for example {files[0]}")
    stamps_ns, stamp_note = stamps.from_names_or_rate(files, config.scan_rate_hz)
    read_points = READERS[suffix]

    def first_clouds() -> Iterator[FirstCloud]:
        for path, stamp_ns in islice(zip(files, stamps_ns, strict=True), _LOOK_AT):
            try:
                yield FirstCloud(points=read_points(path), stamp_ns=int(stamp_ns))
            except (DamagedScan, OSError):  # said when the stream comes to it
                continue

    reading = decide_recording(first_clouds(), str(folder), config)

    def read(file: ScanFile) -> LidarScan:
        return reading.scan(read_points(file.path), file.stamp_ns, str(file.path))

    period_s = 1.0 / config.scan_rate_hz
    scans = tuple(ScanFile(path=p, stamp_ns=int(t), sweep_s=period_s) for p, t in zip(files, stamps_ns, strict=True))
    return ScanFolder(name=str(folder), files=scans, read=read, notes=(stamp_note, reading.note))

"""A recording with one file per scan: what all folder formats have in common."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path

import numpy as np

from ..clouds.damaged import DamagedScan
from ..errors import SourceError
from ..records import Dropped, ImuSample, LidarScan
from .base import Item, Truth
from .order import in_order

_NEIGHBOURS = 5  # files on each side whose sizes say what a whole scan is


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanFile:
    """One file and what the folder says of its time."""

    path: Path
    stamp_ns: int  # first return, or the moment to which the scan is compensated
    sweep_s: float  # duration of the turn
    usual_bytes: int = 0  # of its neighbours; 0 where the format itself tells a cut file


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanFolder:
    """A `Source` of one scan per file. `read` raises DamagedScan for a file that cannot be decoded."""

    name: str
    files: tuple[ScanFile, ...]
    read: Callable[[ScanFile], LidarScan]
    notes: tuple[str, ...] = ()
    imu: tuple[ImuSample, ...] = ()
    T_base_lidar: np.ndarray | None = None
    T_base_imu: np.ndarray | None = None
    recorded_truth: Truth | None = field(default=None)

    @property
    def scan_count(self) -> int:
        """One per file."""
        return len(self.files)

    def stream(self) -> Iterator[Item]:
        """Scans and IMU samples, each scan after the samples up to its last return."""
        scans = ((file.stamp_ns, self._scan(file)) for file in self.files)
        samples = ((sample.stamp_ns, sample) for sample in self.imu)
        recorded = merge(scans, samples, key=lambda timed: timed[0])
        yield from in_order(recorded, has_imu=bool(self.imu))

    def truth(self) -> Truth | None:
        """The poses that came with the scans."""
        return self.recorded_truth

    def _scan(self, file: ScanFile) -> LidarScan | Dropped:
        try:
            size = file.path.stat().st_size
            if size < 0.5 * file.usual_bytes and size:
                raise DamagedScan(
                    "scan cut short",
                    f"holds {size} bytes where its neighbours hold about {file.usual_bytes}; copy it again",
                )
            scan = self.read(file)
            if not len(scan.points_lidar):
                raise DamagedScan("empty scan", "holds no points; check the recording")
            return scan
        except DamagedScan as damage:
            kind, reason = damage.kind, damage.reason
        except OSError as error:
            kind, reason = "unreadable file", f"cannot be read ({error.strerror or error}); check the file"
        return Dropped(where=str(file.path), reason=f"{file.path}: {reason}", kind=kind, stamp_ns=file.stamp_ns)


def list_files(folder: Path, suffix: str) -> list[Path]:
    """The files of a kind in a folder, by number when all names are numbers, else by name."""
    files = sorted(path for path in folder.glob(f"*{suffix}") if path.is_file())
    if not files:
        raise SourceError(f"{folder}: expected {suffix} files, found none; give the folder that holds the scans")
    numbers = file_numbers(files)
    return files if numbers is None else [files[i] for i in np.argsort(numbers, kind="stable")]


def file_numbers(files: list[Path]) -> np.ndarray | None:
    """(N,) float64 the numbers that the files are named by; None unless all are plain numbers."""
    if not all(re.fullmatch(r"\d+(\.\d+)?", path.stem) for path in files):
        return None
    return np.array([float(path.stem) for path in files])


def usual_sizes(files: list[Path]) -> list[int]:
    """The median size in bytes of each file's neighbours in the sequence."""
    sizes = np.array([path.stat().st_size for path in files])
    return [int(np.median(sizes[max(i - _NEIGHBOURS, 0) : i + _NEIGHBOURS + 1])) for i in range(len(sizes))]

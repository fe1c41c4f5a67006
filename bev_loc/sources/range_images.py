"""Range images: one 16-bit PNG per sweep, rows are lasers, columns are azimuths (`velodyne_config.txt`)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..clouds.damaged import DamagedScan
from ..config import InputConfig
from ..errors import SourceError
from ..records import LidarScan
from . import stamps
from .kitti import sweep_times
from .scan_folder import ScanFile, ScanFolder, list_files

_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """The direction and time of every pixel."""

    rows: int
    columns: int
    units_per_m: float
    directions: np.ndarray  # (rows * columns, 3) float32 unit vectors
    fractions: np.ndarray  # (rows * columns,) float32 share of the sweep


def open_range_images(folder: Path, config: InputConfig) -> ScanFolder:
    """A folder with `velodyne_config.txt`, `data/*.png` and, when there, the stamps of the sweeps."""
    layout = read_layout(folder / "velodyne_config.txt")
    files = list_files(folder / "data", ".png")
    begin_ns, sweeps_s, notes = sweep_times(folder, files, config)
    with_times = config.point_times != "none"

    def read(file: ScanFile) -> LidarScan:
        ranges = read_png(file.path, layout).reshape(-1)
        hits = np.flatnonzero(ranges)
        ranges_m = ranges[hits].astype(np.float32) * np.float32(1.0 / layout.units_per_m)
        points = layout.directions.take(hits, axis=0)
        points *= ranges_m[:, None]
        offsets_s = layout.fractions.take(hits) * np.float32(file.sweep_s) if with_times else None
        return LidarScan(stamp_ns=file.stamp_ns, points_lidar=points, offsets_s=offsets_s, name=str(file.path))

    rows = zip(files, begin_ns, sweeps_s, strict=True)
    return ScanFolder(
        name=str(folder),
        files=tuple(ScanFile(path=path, stamp_ns=int(t), sweep_s=float(s)) for path, t, s in rows),
        read=read,
        notes=(
            *notes,
            "point times come from the image columns" if with_times else "scans are taken as motion compensated",
        ),
    )


def read_layout(path: Path) -> Layout:
    """The layout in the last line of `velodyne_config.txt`.

    `units_per_m columns rows start_deg stop_deg` and then one angle below the horizon per row, or the
    first and the last one only.
    """
    lines = [line for line in stamps.read_lines(path) if line.strip() and not line.lstrip().startswith("#")]
    try:
        numbers = [float(word) for word in lines[-1].split()]
        units_per_m, columns, rows = numbers[0], int(numbers[1]), int(numbers[2])
        start_deg, stop_deg, down_deg = numbers[3], numbers[4], np.array(numbers[5:])
        if len(down_deg) == 2:
            down_deg = np.linspace(down_deg[0], down_deg[1], rows)
        if len(down_deg) != rows or rows < 1 or columns < 1 or units_per_m <= 0:
            raise ValueError(f"{len(down_deg)} angles for {rows} rows")
    except (IndexError, ValueError) as error:
        raise SourceError(
            f"{path}: expected a line 'units_per_m columns rows start_deg stop_deg angle...' ({error}); repair it"
        ) from None
    fraction = (np.arange(columns) + 0.5) / columns
    azimuth_rad = np.deg2rad(start_deg + fraction * (stop_deg - start_deg))
    elevation_rad = -np.deg2rad(down_deg)[:, None]
    directions = np.stack(
        [
            np.cos(elevation_rad) * np.cos(azimuth_rad),
            np.cos(elevation_rad) * np.sin(azimuth_rad),
            np.broadcast_to(np.sin(elevation_rad), (rows, columns)),
        ],
        axis=-1,
    )
    return Layout(
        rows=rows,
        columns=columns,
        units_per_m=units_per_m,
        directions=directions.reshape(-1, 3).astype(np.float32),
        fractions=np.tile(fraction.astype(np.float32), rows),
    )


def read_png(path: Path, layout: Layout) -> np.ndarray:
    """(rows, columns) uint16; DamagedScan for a file that is cut, no PNG, or of another shape."""
    import cv2

    raw = path.read_bytes()
    # the decoder fills what is missing with zeros, so a cut file has to be seen by its missing end
    if not raw.endswith(_PNG_END):
        raise DamagedScan(
            "truncated scan", f"expected a whole PNG, got {len(raw)} bytes without its end; copy it again"
        )
    image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DamagedScan("unreadable file", "expected a PNG, got something that cannot be decoded; copy it again")
    if image.shape != (layout.rows, layout.columns) or image.dtype != np.uint16:
        raise DamagedScan(
            "wrong image",
            f"expected {layout.columns} x {layout.rows} pixels of 16 bit as velodyne_config.txt says, got "
            f"{image.shape[1]} x {image.shape[0]} of {image.dtype}; use the images this file belongs to",
        )
    return image

"""What the place descriptor learns from, in one file: a real drive, and simulated worlds seen by several LiDARs.

The simulated part is there for what one drive cannot show: the same places from another LiDAR, from the other
lane and direction, in another season, among other parked cars.
"""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config import BevConfig
from ..errors import SourceError
from ..evaluation.bev_folder import CELL_M, read_pictures, read_poses, to_picture

WORLDS = (
    "town,seed=101", "campus,seed=102", "town,seed=103",  # benchmarks use other seeds
    "campus,seed=104", "town,seed=105", "campus,seed=106", "town,seed=107", "campus,seed=108", "town,seed=109",
    "campus,seed=110", "town,seed=111", "campus,seed=112", "town,seed=113", "campus,seed=114", "town,seed=115",
)  # fmt: skip
LONE_SCANS = 3  # of so many worlds; in the others a sensor that looks one way shows the last metres of its way as well
LIDARS = ("hdl64", "vlp16", "os1-64", "livox")
DRIVES = ("pass=map", "pass=other,season=1")
SECONDS, SPACING_M = 45.0, 4.0
_APART_M = 1e5  # between worlds, so that no place of one is near a place of another
_GRID = BevConfig(range_m=30.0, cell_m=CELL_M)  # wider than the network's input: what turns in comes from outside it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceData:
    """Pictures in driving order, drive after drive."""

    pictures: np.ndarray  # (N, S, S) uint8, sensor in the middle
    positions_m: np.ndarray  # (N, 2); equal frames of reference within a world only, worlds far apart
    drives: np.ndarray  # (N,) int

    def save(self, path: Path) -> None:
        """Writes everything into one file."""
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, pictures=self.pictures, positions_m=self.positions_m, drives=self.drives)
        part.replace(path)


def load(path: Path) -> PlaceData:
    """What `save` wrote; SourceError when it is something else."""
    try:
        with np.load(path) as file:
            return PlaceData(pictures=file["pictures"], positions_m=file["positions_m"], drives=file["drives"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read as a training set ({error}); delete it, and it is made again") from None


def gather(images: Path, poses: Path, frames: int, worlds: int, say: Callable[[str], None]) -> PlaceData:
    """The first `frames` of a folder of pictures, and the drives through the first `worlds` of WORLDS."""
    pictures = read_pictures(images)
    positions_m = read_poses(poses, len(pictures))[:, :2, 3]
    sets = [(pictures[:frames], positions_m[:frames])]
    for n, world in enumerate(WORLDS[:worlds]):
        for drive in DRIVES:
            for lidar in LIDARS:
                say(f"simulating {world}, {drive}, {lidar}")
                seen, where_m = _simulated(f"{world},{drive},lidar={lidar},seconds={SECONDS:g},imu=0", n < LONE_SCANS)
                sets.append((_fitted(seen, pictures.shape[1]), where_m + [(n + 1) * _APART_M, 0.0]))
    return PlaceData(
        pictures=np.concatenate([pictures for pictures, _ in sets]),
        positions_m=np.concatenate([where_m for _, where_m in sets]),
        drives=np.repeat(np.arange(len(sets)), [len(pictures) for pictures, _ in sets]),
    )


def _simulated(description: str, lone_scans: bool) -> tuple[np.ndarray, np.ndarray]:
    from ..evaluation.simulated_images import drive_along  # loads the ray caster

    seen = drive_along(description, SPACING_M, _GRID, lone_scans=lone_scans)
    return np.stack([to_picture(place.image.counts) for place in seen]), np.stack([place.T_world_level[:2, 3] for place in seen])


def _fitted(pictures: np.ndarray, side: int) -> np.ndarray:
    """Cut or padded about the middle to the side of the real pictures."""
    margin = (side - pictures.shape[1]) // 2
    if margin >= 0:
        return np.pad(pictures, ((0, 0), (margin, margin), (margin, margin)))
    return pictures[:, -margin:margin, -margin:margin]

"""What the place descriptor learns from, in one file: a real drive, and simulated worlds seen by several LiDARs.

The simulated part is there for what one drive cannot show: the same places from another LiDAR, from the other
lane and direction, from between the lanes, in another season, among other parked cars. Its pictures are drawn from
clouds, each turned by a heading of its own: what a turn does to walls that fall on other cells is in them. Pictures of
a real drive, whose clouds are not there, can only be turned as pictures.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config import BevConfig
from ..errors import SourceError
from ..evaluation.bev_folder import CELL_M, read_pictures, read_poses, to_picture

if TYPE_CHECKING:
    from ..sim.simulation import Simulation

WORLDS = (
    "town,seed=101", "campus,seed=102", "town,seed=103",  # benchmarks use other seeds
    "campus,seed=104", "town,seed=105", "campus,seed=106", "town,seed=107", "campus,seed=108", "town,seed=109",
    "campus,seed=110", "town,seed=111", "campus,seed=112", "town,seed=113", "campus,seed=114", "town,seed=115",
)  # fmt: skip
LONE_SCANS = 3  # of so many worlds; in the others a sensor that looks one way shows the last metres of its way as well
LIDARS = ("hdl64", "vlp16", "os1-64", "livox")
DRIVES = {  # and how often each of its clouds is drawn
    "pass=map": 2, "pass=other,season=1": 2,
    "pass=map,run=1,aside=1.75,wander=1.2": 1,  # between the two lanes, from edge to edge
}  # fmt: skip
SECONDS, SPACING_M = 45.0, 4.0
_APART_M = 1e5  # between worlds, so that no place of one is near a place of another
_GRID = BevConfig(range_m=30.0, cell_m=CELL_M)  # wider than the network's input: what turns in comes from outside it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceData:
    """Pictures in driving order, drive after drive."""

    pictures: np.ndarray  # (N, S, S) uint8, sensor in the middle
    positions_m: np.ndarray  # (N, 2); equal frames of reference within a world only, worlds far apart
    drives: np.ndarray  # (N,) int
    clouds: np.ndarray  # (N,) int, equal where one cloud was drawn under several headings; -1 where there is none to draw

    @property
    def drawn(self) -> np.ndarray:
        """(N,) bool: drawn from a cloud that was turned, so that the picture need not be."""
        return self.clouds >= 0

    def save(self, path: Path) -> None:
        """Writes everything into one file."""
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, **{each.name: getattr(self, each.name) for each in fields(self)})
        part.replace(path)


def load(path: Path) -> PlaceData:
    """What `save` wrote; SourceError when it is something else."""
    try:
        with np.load(path) as file:
            return PlaceData(**{each.name: file[each.name] for each in fields(PlaceData)})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read as a training set ({error}); delete it, and it is made again") from None


def gather(images: Path, poses: Path, frames: int, worlds: int, say: Callable[[str], None]) -> PlaceData:
    """The first `frames` of a folder of pictures, and the drives through the first `worlds` of WORLDS."""
    pictures = read_pictures(images)
    positions_m = read_poses(poses, len(pictures))[:, :2, 3]
    sets = [Drawn(pictures=pictures[:frames], positions_m=positions_m[:frames], clouds=np.full(len(pictures[:frames]), -1))]
    first = 0
    for n, world in enumerate(WORLDS[:worlds]):
        for m, (drive, times) in enumerate(DRIVES.items()):
            for k, simulation in enumerate(_simulations(f"{world},{drive},seconds={SECONDS:g},imu=0")):
                say(f"simulating {world}, {drive}, {LIDARS[k]}")
                drawn = draw_along(simulation, times, n < LONE_SCANS, np.random.default_rng([n, m, k]))
                sets.append(
                    Drawn(
                        pictures=_fitted(drawn.pictures, pictures.shape[1]),
                        positions_m=drawn.positions_m + [(n + 1) * _APART_M, 0.0],
                        clouds=drawn.clouds + first,
                    )
                )
                first = int(sets[-1].clouds[-1]) + 1
    return PlaceData(
        pictures=np.concatenate([each.pictures for each in sets]),
        positions_m=np.concatenate([each.positions_m for each in sets]),
        drives=np.repeat(np.arange(len(sets)), [len(each.pictures) for each in sets]),
        clouds=np.concatenate([each.clouds for each in sets]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """One drive's part of PlaceData."""

    pictures: np.ndarray  # (N, S, S) uint8
    positions_m: np.ndarray  # (N, 2) in the world's frame
    clouds: np.ndarray  # (N,) int from 0 on; -1 where there is none to draw


def _simulations(description: str) -> "Iterator[Simulation]":
    """The drive with each of LIDARS; its world, which takes longer than its scans, is built once."""
    from ..sim.lidar import preset
    from ..sim.options import parse
    from ..sim.simulation import simulate

    simulation = simulate(parse(f"{description},lidar={LIDARS[0]}"))
    for lidar in LIDARS:
        yield replace(simulation, lidar=preset(lidar), options=replace(simulation.options, lidar=lidar))


def draw_along(simulation: "Simulation", times: int, lone_scans: bool, rng: np.random.Generator) -> Drawn:
    """Each cloud along the drive, drawn so many times, each time under a heading of its own."""
    from ..evaluation.simulated_images import clouds_along  # loads the ray caster

    pictures, positions_m = [], []
    for cloud in clouds_along(simulation, SPACING_M, lone_scans=lone_scans):
        for heading_rad in rng.uniform(0.0, 2.0 * np.pi, times):
            pictures.append(to_picture(cloud.drawn(_GRID, heading_rad).image.counts))
            positions_m.append(cloud.T_world_level[:2, 3])
    clouds = np.repeat(np.arange(len(pictures) // times), times)
    return Drawn(pictures=np.stack(pictures), positions_m=np.stack(positions_m), clouds=clouds)


def _fitted(pictures: np.ndarray, side: int) -> np.ndarray:
    """Cut or padded about the middle to the side of the real pictures."""
    margin = (side - pictures.shape[1]) // 2
    if margin >= 0:
        return np.pad(pictures, ((0, 0), (margin, margin), (margin, margin)))
    return pictures[:, -margin:margin, -margin:margin]

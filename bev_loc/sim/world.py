"""What a world is: triangles, a ground to drive on, ways to drive, and what moves in it."""

from dataclasses import dataclass

import numpy as np

from .meshes import Mesh
from .terrain import Ground


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """A lane to drive along, with the places where the driver stops."""

    points: np.ndarray  # (N, 2) metres, world frame
    speed_m_s: float  # where nothing slows it
    wander_m: float = 0.2  # about the middle of the lane, RMS
    stops: tuple[tuple[float, float], ...] = ()  # (way in metres, wait in seconds)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """A place with everything that stands still in it; z is up."""

    name: str
    mesh: Mesh
    ground: Ground
    low: np.ndarray  # (2,) corner of the rectangle that has ground
    high: np.ndarray  # (2,)
    route: Route  # the drive on which it is mapped
    other: Route  # another drive over the same streets: other lane, other direction
    lane_m: float  # from one lane to the oncoming one; 0 where nobody comes


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """What may differ between two visits to the same world."""

    seed: int = 1  # streets, houses, poles, trunks, ground
    cars: int = 0  # which parked cars
    foliage: float = 1.0  # 0 winter, 1 summer
    blocks: int = 4  # streets each way are one more; only towns and campuses have them


def generators(options: WorldOptions) -> tuple[np.random.Generator, np.random.Generator, np.random.Generator]:
    """Separate streams for what stays (structure), what parks, and what grows."""
    return (
        np.random.default_rng([options.seed, 1]),
        np.random.default_rng([options.seed, 2, options.cars]),
        np.random.default_rng([options.seed, 3]),
    )

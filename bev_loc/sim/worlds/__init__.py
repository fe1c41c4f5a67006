"""The worlds by name, and the one place that builds them."""

from functools import lru_cache

from ...errors import SourceError
from ..world import World, WorldOptions
from . import campus, carpark, field, highway, town, tunnel

WORLDS = {
    "town": town.build,
    "campus": campus.build,
    "highway": highway.build,
    "tunnel": tunnel.build,
    "corridor": tunnel.build_corridor,
    "carpark": carpark.build,
    "field": field.build,
}

AROUND = "around"  # `around.build` needs a drive


@lru_cache(maxsize=2)  # drives that follow each other are often in one world, and a town takes seconds
def build_world(name: str, options: WorldOptions = WorldOptions()) -> World:
    """The world called `name`; SourceError lists the known ones."""
    if name == AROUND:
        raise SourceError(f"world '{AROUND}' is laid out around a track: give one with trajectory=FILE or imu_file=FILE")
    if name not in WORLDS:
        raise SourceError(f"no world is called '{name}'; the known ones are {', '.join(sorted([*WORLDS, AROUND]))}")
    return WORLDS[name](options)

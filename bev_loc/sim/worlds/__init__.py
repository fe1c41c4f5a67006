"""The worlds by name, and the one place that builds them."""

from ...errors import SourceError
from ..world import World, WorldOptions
from . import town

WORLDS = {
    "town": town.build,
}


def build_world(name: str, options: WorldOptions = WorldOptions()) -> World:
    """The world called `name`; SourceError lists the known ones."""
    if name not in WORLDS:
        raise SourceError(f"no world is called '{name}'; the known ones are {', '.join(sorted(WORLDS))}")
    return WORLDS[name](options)

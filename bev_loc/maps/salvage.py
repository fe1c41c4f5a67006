"""What can still be read of a damaged map."""

from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import MapError
from .bundle import load_map
from .contents import MapBundle


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Salvage:
    """The readable part of a map, and why the rest is not in it."""

    bundle: MapBundle
    lost: tuple[str, ...]  # one sentence a keyframe


def salvage(path: Path | str) -> Salvage:
    """Every keyframe that is whole, and the closures between those; MapError when head or table are damaged."""
    bundle = load_map(path, verify=False)
    whole, lost = [], []
    for entry in bundle.entries:
        try:
            bundle.keyframes[entry.id]
            whole.append(entry)
        except MapError as error:
            lost.append(str(error))
    ids = {entry.id for entry in whole}
    closures = tuple(c for c in bundle.closures if c.query_id in ids and c.match_id in ids)
    return Salvage(bundle=replace(bundle, entries=tuple(whole), closures=closures), lost=tuple(lost))

"""`map.json`: what a map is, with what it was made, and which table belongs to it."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..config import BevConfig
from ..errors import MapError
from .contents import MapBundle

NAME = "map.json"
VERSION, _READ = 2, (1, 2)  # written, and read
_KIND = "bev_loc map"
_LAYOUT = {"byte_order": "little", "float_bits": 64}  # of every number in every file, whatever the machine


class LostHead(MapError):
    """`map.json` is missing or damaged: what it said may be found elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """With what a map was made: what is looked for in it must be made with the same."""

    bev: BevConfig
    describer: str
    weights_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The content of `map.json`."""

    origin: Origin
    table: str
    table_sha256: str


def encode(bundle: MapBundle, table: str, table_sha256: str) -> bytes:
    """The file's content."""
    head = {
        "kind": _KIND,
        "version": VERSION,
        **_LAYOUT,
        "keyframes": len(bundle.entries),
        "closures": len(bundle.closures),
        **_origin(bundle),
        "table": table,
        "table_sha256": table_sha256,
    }
    return (json.dumps(head, indent=2) + "\n").encode()


def read(path: Path) -> Head:
    """The head of the map in folder `path`; MapError when there is none, or one that this program cannot read."""
    file = path / NAME
    try:
        head = json.loads(file.read_bytes())
    except OSError as error:
        raise LostHead(f"{path}: holds no map ('{NAME}': {error.strerror}); give a folder that --save-map wrote") from None
    except ValueError as error:
        raise LostHead(f"{file}: is damaged ({error}); restore the map from a copy, or try `map check --repair`") from None
    if not isinstance(head, dict) or head.get("kind") != _KIND:
        raise MapError(f"{file}: belongs to another program; give a folder that --save-map wrote")
    if head.get("version") not in _READ:
        raise MapError(f"{path}: is a map of version {head.get('version')}, this program reads up to version {VERSION}; update it")
    layout = {name: head.get(name, ours) for name, ours in _LAYOUT.items()}  # the first maps do not say it
    if layout != _LAYOUT:
        raise MapError(
            f"{path}: was written on another architecture ({_said(layout)}), this program reads {_said(_LAYOUT)}; "
            "make the map anew, or convert it where it was written"
        )
    origin = decode_origin(head)
    if origin is None or {"table", "table_sha256"} - set(head):
        raise LostHead(f"{file}: is damaged (keys are missing or unknown); restore the map from a copy, or try `map check --repair`")
    return Head(origin=origin, table=str(head["table"]), table_sha256=str(head["table_sha256"]))


def encode_origin(bundle: MapBundle) -> bytes:
    """With what the map was made, for the table, so that the head can be made again."""
    return json.dumps(_origin(bundle)).encode()


def decode_origin(said: Any) -> Origin | None:
    """The origin that parsed JSON states; None when it does not."""
    if not isinstance(said, dict) or {"bev", "describer", "weights_sha256"} - set(said):
        return None
    bev = said["bev"]
    if not isinstance(bev, dict) or set(bev) != {leaf.name for leaf in fields(BevConfig)}:
        return None
    return Origin(bev=BevConfig(**bev), describer=str(said["describer"]), weights_sha256=said["weights_sha256"])


def _origin(bundle: MapBundle) -> dict[str, Any]:
    return {"bev": asdict(bundle.bev), "describer": bundle.describer, "weights_sha256": bundle.weights_sha256}


def _said(layout: dict[str, Any]) -> str:
    return f"{layout['byte_order']}-endian, {layout['float_bits']}-bit floats"

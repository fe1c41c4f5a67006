"""The map bundle on disk.

    map.json                  version, raster, describer, and the table's name and checksum
    table-<sha>.npz           a row a keyframe (poses, stamp, session, descriptor, checksum), and the closures
    journal-<sha>.log         what was added since that table (`journal`); there only while a map is being made
    keyframes/<id>-<sha>.kf   one keyframe each (`keyframe_file`), never changed once written

Files are named by their content and `map.json` is replaced last, in one rename: a writer killed at any
moment leaves the old map or the new one, and perhaps files that nobody refers to. A keyframe that is
already there is not written again, so saving a growing map costs what was added.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..config import BevConfig
from ..errors import MapError, OutputError
from ..records import Closure
from . import journal, keyframe_file, table
from .contents import Entry, MapBundle, check, entry
from .folder import TEMPORARY, flush, make_folder, read_whole, sha256, write_whole
from .shelf import Shelf

__all__ = ["MapBundle", "VERSION", "check", "load_map", "save_map"]

VERSION = 1
_KIND = "bev_loc map"
_DIGITS = 12  # of a checksum, in a file name


def save_map(path: Path | str, bundle: MapBundle) -> str:
    """Write `bundle` to folder `path`: new, empty, or a map, which it replaces. OutputError when it cannot.

    Returns the name that the journal of later additions has in that folder.
    """
    path = Path(path)
    there = {row.entry.id: row for row in _rows_there(path)}
    make_folder(path / "keyframes")
    rows = []
    for placed in bundle.entries:
        row = there.get(placed.id)
        if row is not None and _same(row.entry, placed) and (path / "keyframes" / row.file).is_file():
            rows.append(table.Row(entry=placed, file=row.file, sha256=row.sha256))
            continue
        data = keyframe_file.encode(bundle.keyframes[placed.id])
        checksum = sha256(data)
        file = keyframe_name(placed.id, checksum)
        write_whole(path / "keyframes" / file, data)
        rows.append(table.Row(entry=placed, file=file, sha256=checksum))

    content = table.encode(rows, bundle.closures)
    name = f"table-{sha256(content)[:_DIGITS]}.npz"
    write_whole(path / name, content)
    head = {
        "kind": _KIND,
        "version": VERSION,
        "keyframes": len(rows),
        "closures": len(bundle.closures),
        "bev": asdict(bundle.bev),
        "describer": bundle.describer,
        "weights_sha256": bundle.weights_sha256,
        "table": name,
        "table_sha256": sha256(content),
    }
    (path / _journal_name(name)).unlink(missing_ok=True)  # of an earlier map with the same table
    flush(path / "keyframes")
    flush(path)  # everything it refers to is there before the head is
    write_whole(path / "map.json", (json.dumps(head, indent=2) + "\n").encode())
    _sweep(path, {name, "map.json"}, {row.file for row in rows})
    return _journal_name(name)


def keyframe_name(id: int, checksum: str) -> str:
    """The file of a keyframe with this content."""
    return f"{id:06d}-{checksum[:_DIGITS]}.kf"


def _journal_name(table_name: str) -> str:
    return table_name.replace("table-", "journal-").replace(".npz", ".log")


def load_map(path: Path | str, *, verify: bool = True) -> MapBundle:
    """The map in folder `path`; images and clouds stay on the disk until they are asked for.

    `verify` reads every file once and compares checksums; without it damage is found when a keyframe
    is read. MapError says in one sentence what is wrong.
    """
    path = Path(path)
    head = _head(path)
    rows, closures = _contents(path, head)
    shelf = Shelf(path / "keyframes", {row.entry.id: row for row in rows})
    if verify:
        shelf.verify()
    return MapBundle(
        entries=tuple(row.entry for row in rows),
        keyframes=shelf,
        closures=closures,
        bev=BevConfig(**head["bev"]),
        describer=head["describer"],
        weights_sha256=head["weights_sha256"],
    )


def _head(path: Path) -> dict[str, Any]:
    """What `map.json` says, checked."""
    try:
        head = json.loads((path / "map.json").read_bytes())
    except OSError as error:
        raise MapError(f"{path}: holds no map ('map.json': {error.strerror}); give a folder that --save-map wrote") from None
    except ValueError as error:
        raise MapError(f"{path / 'map.json'}: is damaged ({error}); restore the map from a copy") from None
    if not isinstance(head, dict) or head.get("kind") != _KIND:
        raise MapError(f"{path / 'map.json'}: belongs to another program; give a folder that --save-map wrote")
    if head.get("version") != VERSION:
        raise MapError(f"{path}: is a map of version {head.get('version')}, this program reads version {VERSION}; update it")
    missing = {"bev", "describer", "weights_sha256", "table", "table_sha256"} - set(head)
    if missing or set(head["bev"]) != {leaf.name for leaf in fields(BevConfig)}:
        raise MapError(f"{path / 'map.json'}: is damaged (keys are missing or unknown); restore the map from a copy")
    return head


def _contents(path: Path, head: dict[str, Any]) -> tuple[list[table.Row], tuple[Closure, ...]]:
    """Rows by id and closures: of the table, and of the journal that goes on from it."""
    rows, closures = table.decode(read_whole(path / head["table"], head["table_sha256"]), str(path / head["table"]))
    added, later = journal.read(path / _journal_name(head["table"]))
    by_id = {row.entry.id: row for row in rows}
    for line in added:
        file = path / "keyframes" / line.file
        keyframe = keyframe_file.decode(read_whole(file, line.sha256), str(file))
        by_id[keyframe.id] = table.Row(entry=entry(keyframe, line.T_map_kf), file=line.file, sha256=line.sha256)
    both_ends = (c for c in later if c.query_id in by_id and c.match_id in by_id)
    return [by_id[id] for id in sorted(by_id)], (*closures, *both_ends)


def _rows_there(path: Path) -> list[table.Row]:
    """The rows of the map that is in `path` already; none for a new or empty folder, or a damaged map."""
    if not path.is_dir() or not any(path.iterdir()):
        return []
    if not (path / "map.json").is_file() and not _leftovers_only(path):
        raise OutputError(f"{path}: holds files but no map; give a new or empty folder, or a map to replace")
    try:
        head = _head(path)
        return _contents(path, head)[0]
    except MapError:  # it is replaced as a whole
        return []


def _leftovers_only(path: Path) -> bool:
    """Whether a writer was killed here before its first map was complete."""
    return all(p.name == "keyframes" or p.name.startswith(("table-", "journal-")) or p.suffix == TEMPORARY for p in path.iterdir())


def _same(a: Entry, b: Entry) -> bool:
    """Whether two entries describe one keyframe; its place in the map may differ."""
    same_time = a.session == b.session and a.stamp_ns == b.stamp_ns
    return same_time and (a.T_odom_kf == b.T_odom_kf).all() and (a.descriptor == b.descriptor).all()


def _sweep(path: Path, keep: set[str], keep_keyframes: set[str]) -> None:
    """Remove what the map that was just written does not refer to."""
    stale = [p for p in path.iterdir() if p.is_file() and p.name not in keep and _ours(p)]
    stale += [p for p in (path / "keyframes").iterdir() if p.name not in keep_keyframes and _ours(p)]
    for file in stale:
        file.unlink(missing_ok=True)


def _ours(file: Path) -> bool:
    return file.suffix in (".kf", TEMPORARY) or file.name.startswith(("table-", "journal-"))

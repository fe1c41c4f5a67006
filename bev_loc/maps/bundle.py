"""The map bundle on disk.

    map.json                  version, layout, raster, describer, and the table's name and checksum (`head`)
    table-<sha>.npz           a row a keyframe (poses, stamp, session, descriptor, checksum), and the closures
    journal-<sha>.log         what was added since that table (`journal`); there only while a map is being made
    places-<sha>.npz          where a closure moved the keyframes since that table (`places`); likewise
    keyframes/<id>-<sha>.kf   one keyframe each (`keyframe_file`), never changed once written

Files are named by their content and `map.json` is replaced last, in one rename: a writer killed at any
moment leaves the old map or the new one, and perhaps files that nobody refers to. A keyframe that is
already there is not written again, so saving a growing map costs what was added.
"""

from dataclasses import dataclass
from pathlib import Path

from ..errors import MapError, OutputError
from ..records import Closure
from . import head, journal, keyframe_file, places, table
from .contents import Entry, MapBundle, check
from .folder import TEMPORARY, flush, make_folder, read_whole, sha256, write_whole, writing
from .shelf import Shelf

__all__ = ["MapBundle", "Saved", "check", "load_map", "save_map"]

_DIGITS = 12  # of a checksum, in a file name
_BESIDE_KEYFRAMES = ("table-", "journal-", "places-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Where a map went."""

    journal: Path  # for later additions
    keyframes: dict[int, tuple[Path, str]]  # file and checksum by id


def save_map(path: Path | str, bundle: MapBundle) -> Saved:
    """Write `bundle` to folder `path`: new, empty, or a map, which it replaces. OutputError when it cannot."""
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

    content = table.encode(rows, bundle.closures, head.encode_origin(bundle))
    checksum = sha256(content)
    name = table_name(checksum)
    write_whole(path / name, content)
    with writing(path):
        (path / journal_name(name)).unlink(missing_ok=True)  # of an earlier map with the same table
    flush(path / "keyframes")
    flush(path)  # everything it refers to is there before the head is
    write_whole(path / head.NAME, head.encode(bundle, name, checksum))
    _sweep(path, {name, head.NAME}, {row.file for row in rows})
    keyframes = {row.entry.id: (path / "keyframes" / row.file, row.sha256) for row in rows}
    return Saved(journal=path / journal_name(name), keyframes=keyframes)


def keyframe_name(id: int, checksum: str) -> str:
    """The file of a keyframe with this content."""
    return f"{id:06d}-{checksum[:_DIGITS]}.kf"


def table_name(checksum: str) -> str:
    """The file of a table with this content."""
    return f"table-{checksum[:_DIGITS]}.npz"


def journal_name(table_name: str) -> str:
    """The file of what is added to that table."""
    return table_name.replace("table-", "journal-").replace(".npz", ".log")


def load_map(path: Path | str, *, verify: bool = True) -> MapBundle:
    """The map in folder `path`; images and clouds stay on the disk until they are asked for.

    `verify` reads every file once and compares checksums; without it damage is found when a keyframe
    is read. MapError says in one sentence what is wrong.
    """
    path = Path(path)
    said = head.read(path)
    rows, closures, added = _contents(path, said)
    if verify and added.damaged:
        raise MapError(
            f"{path / journal_name(said.table)}: is damaged ({added.damaged} lines differ from their checksums); "
            "restore the map from a copy, or try `map check --repair`"
        )
    shelf = Shelf(path / "keyframes", {row.entry.id: row for row in rows})
    if verify:
        shelf.verify()
    return MapBundle(
        entries=tuple(row.entry for row in rows),
        keyframes=shelf,
        closures=closures,
        bev=said.origin.bev,
        describer=said.origin.describer,
        weights_sha256=said.origin.weights_sha256,
    )


def _contents(path: Path, said: head.Head) -> tuple[list[table.Row], tuple[Closure, ...], journal.Journal]:
    """Rows by id and closures: of the table, and of the journal that goes on from it; and that journal."""
    rows, closures = table.decode(read_whole(path / said.table, said.table_sha256), str(path / said.table))
    added = journal.read(path / journal_name(said.table))
    by_id = {row.entry.id: row for row in rows}
    for line in added.keyframes:
        file = path / "keyframes" / line.file
        entry = keyframe_file.decode_entry(read_whole(file, line.sha256), str(file), line.T_map_kf)
        by_id[entry.id] = table.Row(entry=entry, file=line.file, sha256=line.sha256)
    if added.places is not None:
        T_map_kf = places.read(path / added.places.file, added.places.sha256)
        by_id |= {id: by_id[id].at(T) for id, T in T_map_kf.items() if id in by_id}
    both_ends = (c for c in added.closures if c.query_id in by_id and c.match_id in by_id)
    return [by_id[id] for id in sorted(by_id)], (*closures, *both_ends), added


def _rows_there(path: Path) -> list[table.Row]:
    """The rows of the map that is in `path` already; none for a new or empty folder, or a damaged map."""
    if not path.is_dir() or not any(path.iterdir()):
        return []
    if not (path / head.NAME).is_file() and not _leftovers_only(path):
        raise OutputError(f"{path}: holds files but no map; give a new or empty folder, or a map to replace")
    try:
        return _contents(path, head.read(path))[0]
    except MapError:  # it is replaced as a whole
        return []


def _leftovers_only(path: Path) -> bool:
    """Whether a writer was killed here before its first map was complete."""
    return all(p.name == "keyframes" or p.name.startswith(_BESIDE_KEYFRAMES) or p.suffix == TEMPORARY for p in path.iterdir())


def _same(a: Entry, b: Entry) -> bool:
    """Whether two entries describe one keyframe; its place in the map may differ."""
    same_time = a.session == b.session and a.stamp_ns == b.stamp_ns
    return same_time and (a.T_odom_kf == b.T_odom_kf).all() and (a.descriptor == b.descriptor).all()


def _sweep(path: Path, keep: set[str], keep_keyframes: set[str]) -> None:
    """Remove what the map that was just written does not refer to."""
    with writing(path):
        stale = [p for p in path.iterdir() if p.is_file() and p.name not in keep and _ours(p)]
        stale += [p for p in (path / "keyframes").iterdir() if p.name not in keep_keyframes and _ours(p)]
        for file in stale:
            file.unlink(missing_ok=True)


def _ours(file: Path) -> bool:
    return file.suffix in (".kf", TEMPORARY) or file.name.startswith(_BESIDE_KEYFRAMES)

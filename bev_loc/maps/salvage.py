"""What can still be read of a damaged map, and where it came from.

Head and table say each other's most important parts, and a keyframe's file says everything of it but its place in the
map. So any one of them may be lost.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import MapError
from ..geometry import se3
from ..records import Closure
from . import head, journal, keyframe_file, places, table
from .bundle import journal_name, keyframe_name, table_name
from .contents import Entry, MapBundle
from .folder import read_whole, sha256
from .shelf import Shelf

_SAME_WAY_M = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Salvage:
    """The readable part of a map, and why the rest is not in it."""

    bundle: MapBundle
    lost: tuple[str, ...]  # one sentence each
    notes: tuple[str, ...]  # of keyframes that no table and no journal knows: no damage, a writer was killed there


@dataclass(frozen=True, slots=True)
class _Told:
    """What is to be said, gathered on the way."""

    lost: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def salvage(path: Path | str) -> Salvage:
    """Every keyframe that is whole and has a place, and the closures between those; MapError when head and table are lost."""
    path, told = Path(path), _Told()
    origin, rows, closures, beside = _head_and_table(path, told)
    whole = {row.entry.id: row for row in rows}
    added = journal.read(beside)
    if added.damaged:
        told.lost.append(
            f"{beside}: {added.damaged} lines are damaged; what they said is found again in the keyframes' files, closures apart"
        )
    for line in added.keyframes:
        row = _row(path / "keyframes" / line.file, line.T_map_kf, told)
        if row is not None:
            whole[row.entry.id] = row
    if added.places is not None:
        try:
            T_map_kf = places.read(path / added.places.file, added.places.sha256)
            whole |= {id: whole[id].at(T) for id, T in T_map_kf.items() if id in whole}
        except MapError as error:
            told.lost.append(str(error))
    whole |= {row.entry.id: row for row in _rejoined(path, whole, told, table_lost=not rows)}
    whole = {id: whole[id] for id in sorted(whole) if _is_readable(path, whole[id], told)}
    bundle = MapBundle(
        entries=tuple(row.entry for row in whole.values()),
        keyframes=Shelf(path / "keyframes", whole),
        closures=tuple(c for c in (*closures, *added.closures) if c.query_id in whole and c.match_id in whole),
        bev=origin.bev,
        describer=origin.describer,
        weights_sha256=origin.weights_sha256,
    )
    return Salvage(bundle=bundle, lost=tuple(told.lost), notes=tuple(told.notes))


def _head_and_table(path: Path, told: _Told) -> tuple[head.Origin, list[table.Row], tuple[Closure, ...], Path]:
    """What is left of both, and the journal that goes on from the table; notes what is not."""
    try:
        said = head.read(path)
    except head.LostHead as error:
        found = _table_without_head(path)
        if found is None:
            raise
        told.lost.append(f"{error} (its part is found again in {found[1].name})")
        origin, file, data = found
        return origin, *table.decode(data, str(file)), path / journal_name(file.name)
    file = path / said.table
    try:
        return said.origin, *table.decode(read_whole(file, said.table_sha256), str(file)), path / journal_name(said.table)
    except MapError as error:
        told.lost.append(f"{error} (keyframes stand where odometry saw them, closures are lost)")
        return said.origin, [], (), path / journal_name(said.table)


def _table_without_head(path: Path) -> tuple[head.Origin, Path, bytes] | None:
    """The newest whole table that says with what its map was made."""
    for file in sorted(path.glob("table-*.npz"), key=lambda file: -file.stat().st_mtime_ns):
        data = file.read_bytes()
        if table_name(sha256(data)) == file.name:
            said = table.origin(data, str(file))
            origin = head.decode_origin(json.loads(said)) if said else None
            if origin is not None:
                return origin, file, data
    return None


def _row(file: Path, T_map_kf: np.ndarray, told: _Told) -> table.Row | None:
    """The row of a keyframe's file whose name agrees with its content."""
    try:
        data = file.read_bytes()
        entry = keyframe_file.decode_entry(data, str(file), T_map_kf)
    except OSError as error:
        told.lost.append(f"{file}: a part of the map cannot be read ({error.strerror})")
    except MapError as error:
        told.lost.append(str(error))
    else:
        checksum = sha256(data)
        if keyframe_name(entry.id, checksum) == file.name:
            return table.Row(entry=entry, file=file.name, sha256=checksum)
        told.lost.append(f"{file}: is damaged (its checksum differs)")
    return None


def _rejoined(path: Path, whole: dict[int, table.Row], told: _Told, *, table_lost: bool) -> Iterator[table.Row]:
    """Keyframes that nothing refers to and that belong to a drive of which a place is known.

    The way driven so far, which every keyframe knows, tells whether one follows another. Where the table is lost they
    are all taken; if nothing else is known the first drive stands in its own odometry's frame.
    """
    named = {row.file for row in whole.values()}
    files = [file for file in sorted((path / "keyframes").glob("*.kf")) if file.name not in named]
    strays = [row for row in (_row(file, np.eye(4), told) for file in files) if row is not None and row.entry.id not in whole]
    before: dict[int, Entry] = {}  # the last one of each drive
    anchors = {row.entry.session: row.entry for row in reversed(whole.values())}
    known, ids = {row.file for row in whole.values()}, set(whole)
    for row in sorted([*whole.values(), *strays], key=lambda row: row.entry.id):
        entry = row.entry
        if row.file not in known:
            near = before.get(entry.session) or (anchors.get(entry.session) if table_lost else None)
            if entry.id in ids or (near is None and not (table_lost and not ids)) or not (table_lost or _follows(entry, near)):
                told.notes.append(f"{row.file} is left out: it is of an earlier map in this folder, or what lay before it is lost")
                continue
            T_map_odom = np.eye(4) if near is None else near.T_map_kf @ se3.inverse(near.T_odom_kf)
            row = row.at(T_map_odom @ entry.T_odom_kf)
            told.notes.append(f"{row.file} is taken up again, though nothing refers to it")
            yield row
        before[entry.session] = row.entry
        ids.add(entry.id)


def _follows(entry: Entry, before: Entry | None) -> bool:
    if before is None:
        return False
    way_m = before.path_m + se3.distance(before.T_odom_kf, entry.T_odom_kf)[0]
    return abs(way_m - entry.path_m) < _SAME_WAY_M


def _is_readable(path: Path, row: table.Row, told: _Told) -> bool:
    """Whether the keyframe's file is what was written, images and cloud included."""
    file = path / "keyframes" / row.file
    try:
        keyframe_file.decode(read_whole(file, row.sha256), str(file))
    except MapError as error:
        told.lost.append(str(error))
        return False
    return True

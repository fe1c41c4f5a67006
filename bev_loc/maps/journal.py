"""What was added to a map since its table was written: a line a keyframe, a line a closure, each with its checksum.

A writer killed in a line leaves one at the end that does not match its checksum: it is not read.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..records import Closure
from .folder import sha256, writing

_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Added:
    """A keyframe whose file was complete before this was written."""

    file: str
    sha256: str
    T_map_kf: np.ndarray  # (4, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A file of places (`places`) that holds for all keyframes before this line."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Journal:
    """What whole lines say."""

    keyframes: tuple[Added, ...] = ()
    closures: tuple[Closure, ...] = ()
    places: Moved | None = None  # the last one
    damaged: int = 0  # lines that differ from their checksums, though whole ones follow: no writer leaves such


def write(path: Path, added: Added, closures: tuple[Closure, ...], moved: Moved | None = None) -> None:
    """Append what moved, then a keyframe and its closures, down to the disk; OutputError when that fails."""
    rows: list[dict[str, Any]] = [] if moved is None else [{"places": moved.file, "sha256": moved.sha256}]
    rows += [{"file": added.file, "sha256": added.sha256, "T_map_kf": added.T_map_kf.tolist()}]
    rows += [{"closure": _closure_row(closure)} for closure in closures]
    lines = []
    for row in rows:
        text = json.dumps(row)
        lines.append(f"{sha256(text.encode())[:_DIGITS]} {text}\n")
    with writing(path), open(path, "ab") as out:
        out.write("".join(lines).encode())
        out.flush()
        os.fsync(out.fileno())


def read(path: Path) -> Journal:
    """What whole lines say; nothing when there is no journal yet. Half a line at the end is what a killed writer leaves."""
    if not path.is_file():
        return Journal()
    added, closures, moved, damaged, half = [], [], None, 0, 0
    for line in path.read_bytes().splitlines():
        checksum, _, text = line.partition(b" ")
        if checksum.decode(errors="replace") != sha256(text)[:_DIGITS]:
            half += 1
            continue
        damaged, half, row = damaged + half, 0, json.loads(text)
        if "closure" in row:
            closures.append(_closure(row["closure"]))
        elif "places" in row:
            moved = Moved(file=row["places"], sha256=row["sha256"])
        else:
            added.append(Added(file=row["file"], sha256=row["sha256"], T_map_kf=np.array(row["T_map_kf"], float)))
    return Journal(keyframes=tuple(added), closures=tuple(closures), places=moved, damaged=damaged)


_EVIDENCE = ("descriptor_distance", "inliers", "score", "overlap", "rmse_m")


def _closure_row(closure: Closure) -> dict:
    row = {name: getattr(closure, name) for name in ("query_id", "match_id", "method", *_EVIDENCE)}
    information = closure.information
    return row | {
        "T_match_query": closure.T_match_query.tolist(),
        "information": None if information is None else information.tolist(),
    }


def _closure(row: dict) -> Closure:
    information = row.pop("information")
    return Closure(
        accepted=True,
        reason="accepted",
        T_match_query=np.array(row.pop("T_match_query"), float),
        information=None if information is None else np.array(information, float),
        **row,
    )

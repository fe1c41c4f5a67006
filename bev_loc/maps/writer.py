"""A map written while it grows: killed at any moment, at most the last keyframe is lost.

A keyframe's file comes first, then its line in the journal. From time to time the whole table is written
and the journal begins anew; how often follows the map's size, so that the work stays proportional to it.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..records import Closure, Keyframe
from . import journal, places
from .bundle import keyframe_name, save_map
from .contents import MapBundle
from .folder import flush, make_folder, sha256, write_whole, writing
from .keyframe_file import encode

AT_LEAST = 50  # keyframes between two tables
SHARE = 0.2  # of the map that may be in the journal only
_SAME_PLACE = 0.01  # metres, or in a rotation matrix: less is not worth writing


class MapWriter:
    """Adds to the map in a folder. OutputError when it cannot; whoever drives on may try again later."""

    def __init__(self, path: Path | str, bundle: MapBundle) -> None:
        """The folder is new, empty, or holds a map, which `bundle` replaces."""
        self._path = Path(path)
        self._fresh: dict[int, tuple[Path, str]] = {}
        make_folder(self._path / "keyframes")
        self.checkpoint(bundle)

    @property
    def checkpoint_is_due(self) -> bool:
        """Whether so much is in the journal that the table should be written, or the journal may hold half a line."""
        return self._broken or self._journalled >= max(AT_LEAST, SHARE * self._in_table)

    def append(
        self,
        keyframe: Keyframe,
        T_map_kf: np.ndarray,
        closures: tuple[Closure, ...] = (),
        moved: Mapping[int, np.ndarray] | None = None,
    ) -> None:
        """Write `keyframe` at its (4, 4) place, and accepted `closures` that came with it.

        `moved` are the places of all keyframes, where closures may have moved them.
        """
        self._broken = True  # until it is all there
        data = encode(keyframe)
        checksum = sha256(data)
        name = keyframe_name(keyframe.id, checksum)
        file = self._path / "keyframes" / name
        write_whole(file, data)
        flush(self._path / "keyframes")
        before = self._places_file
        places_there = self._write_places(moved) if moved is not None else None
        journal.write(self._journal, journal.Added(file=name, sha256=checksum, T_map_kf=T_map_kf), closures, places_there)
        if places_there is not None and before and before != places_there.file:
            with writing(self._path):
                (self._path / before).unlink(missing_ok=True)
        self._T_map_kf[keyframe.id] = T_map_kf
        self._fresh[keyframe.id] = file, checksum
        self._broken, self._journalled = False, self._journalled + 1

    def take_written(self) -> dict[int, tuple[Path, str]]:
        """File and checksum by id of what was written since the last call."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def _write_places(self, T_map_kf: Mapping[int, np.ndarray]) -> journal.Moved | None:
        """The places of what is written already, if one of them is no longer where the disk has it."""
        known = {id: T_map_kf[id] for id in self._T_map_kf if id in T_map_kf}
        if all(np.abs(T - self._T_map_kf[id]).max() < _SAME_PLACE for id, T in known.items()):
            return None
        self._places_file, checksum = places.write(self._path, known)
        self._T_map_kf |= known
        return journal.Moved(file=self._places_file, sha256=checksum)

    def checkpoint(self, bundle: MapBundle) -> None:
        """Write the table of the whole map, with every place as it is now."""
        saved = save_map(self._path, bundle)
        self._journal, self._fresh = saved.journal, self._fresh | saved.keyframes
        self._in_table, self._journalled, self._broken = len(bundle.entries), 0, False
        self._T_map_kf, self._places_file = bundle.T_map_kf, ""

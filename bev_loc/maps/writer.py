"""A map written while it grows: killed at any moment, at most the last keyframe is lost.

A keyframe's file comes first, then its line in the journal. From time to time the whole table is written
and the journal begins anew; how often follows the map's size, so that the work stays proportional to it.
"""

from pathlib import Path

import numpy as np

from ..records import Closure, Keyframe
from . import journal
from .bundle import keyframe_name, save_map
from .contents import MapBundle
from .folder import flush, make_folder, sha256, write_whole
from .keyframe_file import encode

AT_LEAST = 50  # keyframes between two tables
SHARE = 0.2  # of the map that may be in the journal only


class MapWriter:
    """Adds to the map in a folder. OutputError when it cannot; whoever drives on may try again later."""

    def __init__(self, path: Path | str, bundle: MapBundle) -> None:
        """The folder is new, empty, or holds a map, which `bundle` replaces."""
        self._path = Path(path)
        make_folder(self._path / "keyframes")
        self.checkpoint(bundle)

    @property
    def checkpoint_is_due(self) -> bool:
        """Whether so much is in the journal that the table should be written, or the journal may hold half a line."""
        return self._broken or self._journalled >= max(AT_LEAST, SHARE * self._in_table)

    def append(self, keyframe: Keyframe, T_map_kf: np.ndarray, closures: tuple[Closure, ...] = ()) -> None:
        """Write `keyframe` at its (4, 4) place, and accepted `closures` that came with it."""
        self._broken = True  # until it is all there
        data = encode(keyframe)
        checksum = sha256(data)
        file = keyframe_name(keyframe.id, checksum)
        write_whole(self._path / "keyframes" / file, data)
        flush(self._path / "keyframes")
        journal.write(self._journal, journal.Added(file=file, sha256=checksum, T_map_kf=T_map_kf), closures)
        self._broken, self._journalled = False, self._journalled + 1

    def checkpoint(self, bundle: MapBundle) -> None:
        """Write the table of the whole map, with every place as it is now."""
        self._journal = self._path / save_map(self._path, bundle)
        self._in_table, self._journalled, self._broken = len(bundle.entries), 0, False

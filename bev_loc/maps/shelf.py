"""The keyframes of a map on disk, read when they are asked for, the last few kept."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..records import Keyframe
from .folder import read_whole
from .keyframe_file import decode
from .table import Row

_KEPT = 128


class Shelf(Mapping[int, Keyframe]):
    """Keyframes by id; reading one that is damaged or gone is a MapError."""

    def __init__(self, folder: Path, rows: dict[int, Row]) -> None:
        self._folder, self._rows = folder, rows
        self._recent: OrderedDict[int, Keyframe] = OrderedDict()

    def __getitem__(self, id: int) -> Keyframe:
        if id not in self._recent:
            row = self._rows[id]
            file = self._folder / row.file
            self._recent[id] = decode(read_whole(file, row.sha256), str(file))
            if len(self._recent) > _KEPT:
                self._recent.popitem(last=False)
        self._recent.move_to_end(id)
        return self._recent[id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, id: object) -> bool:
        return id in self._rows  # Mapping's own would read the keyframe

    def verify(self) -> None:
        """Read every file and compare its checksum; MapError names the first that is damaged or missing."""
        for row in self._rows.values():
            read_whole(self._folder / row.file, row.sha256)

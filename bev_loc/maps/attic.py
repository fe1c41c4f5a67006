"""Keyframes kept as the few bytes that their files hold: in memory until they are on the disk, then there."""

from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from ..records import Keyframe
from .folder import read_whole
from .keyframe_file import decode, encode

AS_THEY_ARE = 128  # the last ones used: neighbours are asked for again and again


@dataclass(frozen=True, slots=True)
class _OnDisk:
    file: Path
    sha256: str


class Attic(MutableMapping[int, Keyframe]):
    """Keyframes by id; what is taken out equals what was put in, bit by bit. MapError when its file is damaged or gone."""

    def __init__(self) -> None:
        self._packed: dict[int, bytes | _OnDisk | None] = {}  # None: among the recent ones only, not packed yet
        self._recent: OrderedDict[int, Keyframe] = OrderedDict()

    def put_away(self, id: int, file: Path, sha256: str) -> None:
        """A keyframe that is here has been written to `file`, with this checksum: its bytes are given up."""
        if id in self._packed:
            self._packed[id] = _OnDisk(file, sha256)

    @property
    def bytes_in_memory(self) -> int:
        """Of those packed keyframes that are on no disk."""
        return sum(len(packed) for packed in self._packed.values() if isinstance(packed, bytes))

    def __setitem__(self, id: int, keyframe: Keyframe) -> None:
        self._packed[id] = None
        self._use(id, keyframe)

    def __getitem__(self, id: int) -> Keyframe:
        keyframe = self._recent.get(id) or self._unpacked(id)
        self._use(id, keyframe)
        return keyframe

    def __delitem__(self, id: int) -> None:
        del self._packed[id]
        self._recent.pop(id, None)

    def __iter__(self) -> Iterator[int]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def __contains__(self, id: object) -> bool:
        return id in self._packed  # the mixin's own would unpack the keyframe

    def _use(self, id: int, keyframe: Keyframe) -> None:
        self._recent[id] = keyframe
        self._recent.move_to_end(id)
        if len(self._recent) > AS_THEY_ARE:
            old_id, old = self._recent.popitem(last=False)
            if self._packed[old_id] is None:
                self._packed[old_id] = encode(old)

    def _unpacked(self, id: int) -> Keyframe:
        packed = self._packed[id]
        if isinstance(packed, _OnDisk):
            return decode(read_whole(packed.file, packed.sha256), str(packed.file))
        assert packed is not None  # else it is among the recent ones
        return decode(packed, f"keyframe {id} in memory")

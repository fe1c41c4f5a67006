"""Keyframes kept in memory as the few bytes that their files would hold, unpacked when they are asked for."""

from collections import OrderedDict
from collections.abc import Iterator, MutableMapping

from ..records import Keyframe
from .keyframe_file import decode, encode

AS_THEY_ARE = 64  # the last ones used: neighbours are asked for again and again


class Attic(MutableMapping[int, Keyframe]):
    """Keyframes by id; what is taken out equals what was put in, bit by bit."""

    def __init__(self) -> None:
        self._packed: dict[int, bytes] = {}
        self._recent: OrderedDict[int, Keyframe] = OrderedDict()

    def __setitem__(self, id: int, keyframe: Keyframe) -> None:
        self._packed[id] = encode(keyframe)
        self._use(id, keyframe)

    def __getitem__(self, id: int) -> Keyframe:
        keyframe = self._recent.get(id)
        if keyframe is None:
            keyframe = decode(self._packed[id], f"keyframe {id} in memory")
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
            self._recent.popitem(last=False)

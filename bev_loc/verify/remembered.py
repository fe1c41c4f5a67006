"""What is computed of a keyframe once, for neighbouring queries meet the same candidates."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from ..records import Keyframe

What = TypeVar("What")


class Remembered(Generic[What]):
    """What `make` made of the keyframes that were asked for last, at most so many."""

    def __init__(self, make: Callable[[Keyframe], What], most: int) -> None:
        self._make, self._most = make, most
        self._made: OrderedDict[int, tuple[Keyframe, What]] = OrderedDict()

    def of(self, keyframe: Keyframe) -> What:
        """That of this keyframe; another one of the same id does not share it."""
        known = self._made.get(keyframe.id)
        if known is None or known[0] is not keyframe:
            known = self._made[keyframe.id] = keyframe, self._make(keyframe)
        self._made.move_to_end(keyframe.id)
        while len(self._made) > self._most:
            self._made.popitem(last=False)
        return known[1]

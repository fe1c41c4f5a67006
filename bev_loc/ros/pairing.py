"""Messages of two topics that belong together because they carry the same stamp."""

from collections import OrderedDict
from typing import Generic, TypeVar

First = TypeVar("First")
Second = TypeVar("Second")

_MOST_WAITING = 20


class Pairing(Generic[First, Second]):
    """Halves wait for each other by stamp; the oldest is given up when too many wait, and counted."""

    def __init__(self) -> None:
        self._first: OrderedDict[int, First] = OrderedDict()
        self._second: OrderedDict[int, Second] = OrderedDict()
        self.unpaired = 0

    def add_first(self, stamp_ns: int, item: First) -> tuple[First, Second] | None:
        """The pair that `item` completes, if it does."""
        if stamp_ns in self._second:
            return item, self._second.pop(stamp_ns)
        self._keep(self._first, stamp_ns, item)
        return None

    def add_second(self, stamp_ns: int, item: Second) -> tuple[First, Second] | None:
        """The pair that `item` completes, if it does."""
        if stamp_ns in self._first:
            return self._first.pop(stamp_ns), item
        self._keep(self._second, stamp_ns, item)
        return None

    def _keep(self, waiting: OrderedDict, stamp_ns: int, item: object) -> None:
        self.unpaired += stamp_ns in waiting
        waiting[stamp_ns] = item
        if len(waiting) > _MOST_WAITING:
            waiting.popitem(last=False)
            self.unpaired += 1

"""Search for the nearest descriptors (FAISS), one thread: exact in small maps, in inverted lists in large ones.

Descriptors are stored as float16, which is what keyframes keep of them. Below `exact_below` the nearest of all are
found (`stores`). From there on a query is compared with those in the lists of the nearest centroids only (Jegou 2011),
which are learned once from the descriptors there are. No addition copies the store: small maps grow by shards, which
move into the lists one by one; large ones grow list by list.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import BevLocError
from ..records import Candidate
from .stores import ALIGNED, Lists, OneThread, Shards

EXACT_BELOW = 100_000
MOST_LEARNED_FROM = 50_000  # descriptors, of the centroids
_BATCH = 8192  # descriptors added at once


class PlaceIndex:
    """Descriptors of one length by keyframe id."""

    def __init__(self, dimension: int, *, exact_below: int = EXACT_BELOW) -> None:
        self._dimension, self._exact_below = dimension, exact_below
        self._stored = -(-dimension // ALIGNED) * ALIGNED
        self._ids: set[int] = set()
        self._store: Shards | Lists = Shards(self._stored)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def exact(self) -> bool:
        """Whether every descriptor is compared."""
        return isinstance(self._store, Shards)

    def add(self, id: int, descriptor: np.ndarray) -> None:
        """Remembers a (D,) descriptor; BevLocError when the id is taken or the length is another."""
        self.extend([id], [descriptor])

    def extend(self, ids: Sequence[int], descriptors: Sequence[np.ndarray] | np.ndarray) -> None:
        """Remembers N descriptors (D,), as `add` does; a hundred times as fast as one by one.

        Those before a descriptor of another length may be remembered already when it raises.
        """
        seen: set[int] = set()
        for id in ids:
            if id in self._ids or id in seen:
                raise BevLocError(f"keyframe ids in an index are unique, {id} came twice; remove the first one before")
            seen.add(id)
        for first in range(0, len(ids), _BATCH):
            batch = ids[first : first + _BATCH]
            rows = self._rows(descriptors[first : first + _BATCH])
            with OneThread():
                self._store.add(np.array(batch, np.int64), rows)
            self._ids.update(batch)
        if self.exact and len(self) >= self._exact_below:
            self.rebuild()

    def remove(self, ids: Iterable[int]) -> None:
        """Forgets keyframes; ids that are not there are ignored."""
        gone = self._ids & set(ids)
        self._ids -= gone
        self._store.remove(np.array(sorted(gone), np.int64))

    def rebuild(self) -> None:
        """Stores all descriptors anew: without the gaps that removal left, in newly learned lists if there are many.

        Worth the seconds and, for lists, the second store in memory when a map has become many times as
        large as it was, or much smaller.
        """
        old = self._store
        with OneThread():
            self._store = self._learned() if len(self) >= self._exact_below else Shards(self._stored)
            for ids, rows in old.given_up():
                self._store.add(ids, rows)

    def search(self, query_id: int, descriptor: np.ndarray, k: int) -> list[Candidate]:
        """At most `k` nearest keyframes, nearest first, equal ones by id; the query itself is never among them."""
        row = self._rows([descriptor])
        with OneThread():
            squares, ids = self._store.search(row, k + 1)
        rows = zip(squares.tolist(), ids.tolist())
        pairs = sorted(row for row in rows if row[1] not in (query_id, -1))  # -1 where the lists held too few
        return [
            Candidate(query_id=query_id, match_id=id, distance=float(np.sqrt(max(square, 0.0))))
            for square, id in pairs[:k]
        ]

    def _learned(self) -> Lists:
        """Empty lists around centroids of the descriptors."""
        every = -(-len(self) // MOST_LEARNED_FROM)
        return Lists(np.concatenate([rows[::every] for _, rows in self._store.contents()]), len(self))

    def _rows(self, descriptors: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """(N, D) as FAISS takes them: float32, and zeros up to a length that it is fast with."""
        for descriptor in descriptors:
            if descriptor.shape != (self._dimension,):
                raise BevLocError(
                    f"this index holds descriptors of length {self._dimension}, one of shape {descriptor.shape} came; "
                    "describe all keyframes with the same describer and grid"
                )
        rows = np.zeros((len(descriptors), self._stored), np.float32)
        rows[:, : self._dimension] = descriptors
        return rows

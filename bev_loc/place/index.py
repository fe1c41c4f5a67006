"""Search for the nearest descriptors (FAISS): exact, one thread, and no addition copies what is stored."""

from collections.abc import Iterable

import faiss
import numpy as np

from ..errors import BevLocError
from ..records import Candidate

SHARD_ROWS = 1024  # a flat index doubles its memory by copying when it grows: a new shard starts instead


class PlaceIndex:
    """Descriptors of one length by keyframe id."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._shards: list[faiss.IndexIDMap2] = []
        self._shard_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._shard_of)

    def add(self, id: int, descriptor: np.ndarray) -> None:
        """Remembers a (D,) descriptor; BevLocError when the id is taken or the length is another."""
        if id in self._shard_of:
            raise BevLocError(f"keyframe ids in an index are unique, {id} came twice; remove the first one before")
        row = self._row(descriptor)
        if not self._shards or self._shards[-1].ntotal >= SHARD_ROWS:
            self._shards.append(faiss.IndexIDMap2(faiss.IndexFlatL2(self._dimension)))
        self._shards[-1].add_with_ids(row, np.array([id], np.int64))
        self._shard_of[id] = len(self._shards) - 1

    def remove(self, ids: Iterable[int]) -> None:
        """Forgets keyframes; ids that are not there are ignored."""
        gone: dict[int, list[int]] = {}
        for id in ids:
            if id in self._shard_of:
                gone.setdefault(self._shard_of.pop(id), []).append(id)
        for shard, shard_ids in gone.items():
            self._shards[shard].remove_ids(np.array(shard_ids, np.int64))

    def search(self, query_id: int, descriptor: np.ndarray, k: int) -> list[Candidate]:
        """At most `k` nearest keyframes, nearest first, equal ones by id; the query itself is never among them."""
        row = self._row(descriptor)
        with _OneThread():
            found = [shard.search(row, min(k + 1, shard.ntotal)) for shard in self._shards if shard.ntotal]
        rows = [(float(square), int(id)) for squares, ids in found for square, id in zip(squares[0], ids[0])]
        pairs = sorted(row for row in rows if row[1] != query_id)
        return [
            Candidate(query_id=query_id, match_id=id, distance=float(np.sqrt(max(square, 0.0))))
            for square, id in pairs[:k]
        ]

    def _row(self, descriptor: np.ndarray) -> np.ndarray:
        if descriptor.shape != (self._dimension,):
            raise BevLocError(
                f"this index holds descriptors of length {self._dimension}, one of shape {descriptor.shape} came; "
                "describe all keyframes with the same describer and grid"
            )
        return np.ascontiguousarray(descriptor, np.float32)[None]


class _OneThread:
    """FAISS on one thread, which is fastest at these sizes and leaves the others to odometry."""

    def __enter__(self) -> None:
        self._before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        faiss.omp_set_num_threads(self._before)

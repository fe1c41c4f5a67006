"""Search for the nearest descriptors (FAISS), one thread: exact in small maps, in inverted lists in large ones.

Descriptors are stored as float16, which is what keyframes keep of them. Below `exact_below` every one is
compared. From there on a query is compared with those in the lists of the nearest centroids only (Jegou
2011), which are learned once from the descriptors there are. No addition copies the store: small maps grow
by shards, which move into the lists one by one; large ones grow list by list.
"""

from collections.abc import Iterable, Sequence

import faiss
import numpy as np

from ..errors import BevLocError
from ..records import Candidate

EXACT_BELOW = 100_000
SHARD_ROWS = 4096  # a flat index doubles its memory by copying when it grows: a new shard starts instead
LEARNED_PER_LIST = 40  # descriptors when the centroids are learned; ten times as many are still fast
MOST_LISTS = 4096  # their centroids are all compared
PROBED = 48  # lists that a query looks into
MOST_LEARNED_FROM = 50_000  # descriptors
_LEARNING_ROUNDS = 6
_ALIGNED = 16  # FAISS decodes float16 sixteen at a time, and thirty times slower when some are left over
_BATCH = 8192  # descriptors added at once


class PlaceIndex:
    """Descriptors of one length by keyframe id."""

    def __init__(self, dimension: int, *, exact_below: int = EXACT_BELOW) -> None:
        self._dimension, self._exact_below = dimension, exact_below
        self._stored = -(-dimension // _ALIGNED) * _ALIGNED
        self._ids: set[int] = set()
        self._shards: list[faiss.IndexIDMap2] = []  # all descriptors, until there are lists
        self._lists: faiss.IndexIVFScalarQuantizer | None = None

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def exact(self) -> bool:
        """Whether every descriptor is compared."""
        return self._lists is None

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
            self._store(np.array(batch, np.int64), self._rows(descriptors[first : first + _BATCH]))
            self._ids.update(batch)
        if self._lists is None and len(self) >= self._exact_below:
            self.rebuild()

    def remove(self, ids: Iterable[int]) -> None:
        """Forgets keyframes; ids that are not there are ignored."""
        gone = self._ids & set(ids)
        self._ids -= gone
        selected = np.array(sorted(gone), np.int64)
        for index in self._shards if self._lists is None else [self._lists]:
            index.remove_ids(selected)

    def rebuild(self) -> None:
        """Stores all descriptors anew: without the gaps that removal left, in newly learned lists if there are many.

        Worth the seconds and, for lists, the second store in memory when a map has become many times as
        large as it was, or much smaller.
        """
        old = self._shards if self._lists is None else [self._lists]
        with _OneThread():
            self._lists = self._learned(old) if len(self) >= self._exact_below else None
            self._shards = []
            while old:
                for ids, rows in _contents(old.pop()):
                    self._store(ids, rows)

    def search(self, query_id: int, descriptor: np.ndarray, k: int) -> list[Candidate]:
        """At most `k` nearest keyframes, nearest first, equal ones by id; the query itself is never among them."""
        row = self._rows([descriptor])
        with _OneThread():
            if self._lists is not None:
                found = [self._lists.search(row, k + 1)]
            else:
                found = [shard.search(row, min(k + 1, shard.ntotal)) for shard in self._shards if shard.ntotal]
        rows = [(float(square), int(id)) for squares, ids in found for square, id in zip(squares[0], ids[0])]
        pairs = sorted(row for row in rows if row[1] not in (query_id, -1))  # -1 where the lists held too few
        return [
            Candidate(query_id=query_id, match_id=id, distance=float(np.sqrt(max(square, 0.0))))
            for square, id in pairs[:k]
        ]

    def _store(self, ids: np.ndarray, rows: np.ndarray) -> None:
        if self._lists is not None:
            with _OneThread():
                self._lists.add_with_ids(rows, ids)
            return
        done = 0
        while done < len(ids):
            if not self._shards or self._shards[-1].ntotal >= SHARD_ROWS:
                flat = faiss.IndexScalarQuantizer(self._stored, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2)
                self._shards.append(faiss.IndexIDMap2(flat))
            upto = done + SHARD_ROWS - self._shards[-1].ntotal
            self._shards[-1].add_with_ids(rows[done:upto], ids[done:upto])
            done = upto

    def _learned(self, stores: list[faiss.Index]) -> faiss.IndexIVFScalarQuantizer:
        """Empty lists around centroids of the descriptors."""
        every = -(-len(self) // MOST_LEARNED_FROM)
        sample = np.concatenate([rows[::every] for store in stores for _, rows in _contents(store)])
        centroids = _centroids(sample, min(max(1, len(self) // LEARNED_PER_LIST), MOST_LISTS))
        coarse = faiss.IndexFlatL2(self._stored)
        coarse.add(centroids)
        lists = faiss.IndexIVFScalarQuantizer(
            coarse, self._stored, len(centroids), faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2, False
        )
        lists.nprobe, lists.is_trained = PROBED, True
        return lists

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


def _centroids(rows: np.ndarray, count: int) -> np.ndarray:
    """About `count` centroids by k-means in two levels: of all rows, then of the rows of each; a hundredth of the work."""
    if count <= 1:
        return rows.mean(0, keepdims=True)
    groups = _k_means(rows, round(np.sqrt(count)))
    _, nearest = groups.index.search(rows, 1)
    found = []
    for group in range(groups.k):
        members = rows[nearest[:, 0] == group]
        if len(members):
            share = min(max(1, round(count * len(members) / len(rows))), len(members))
            found.append(_k_means(members, share).centroids)
    return np.concatenate(found)


def _k_means(rows: np.ndarray, count: int) -> faiss.Kmeans:
    means = faiss.Kmeans(
        rows.shape[1], count, niter=_LEARNING_ROUNDS, seed=1, min_points_per_centroid=1, max_points_per_centroid=len(rows)
    )
    means.train(rows)
    return means


def _contents(store: faiss.Index) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Ids (N,) and rows (N, D) float32 of a store, part by part."""
    if isinstance(store, faiss.IndexIDMap2):
        if store.ntotal:
            yield faiss.vector_to_array(store.id_map).copy(), store.index.reconstruct_n(0, store.ntotal)
        return
    lists = store.invlists
    for number in range(lists.nlist):
        size = lists.list_size(number)
        if size:
            ids = faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
            codes = faiss.rev_swig_ptr(lists.get_codes(number), size * lists.code_size).copy()
            yield ids, codes.view(np.float16).reshape(size, -1).astype(np.float32)


class _OneThread:
    """FAISS on one thread, which is fastest at these sizes and leaves the others to odometry."""

    def __enter__(self) -> None:
        self._before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        faiss.omp_set_num_threads(self._before)

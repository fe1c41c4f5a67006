"""Two stores of descriptors (FAISS): shards, searched exactly, and lists, of which a query looks into the likeliest.

Shards are searched in eight bits first, then the nearest of those as stored. Descriptors are stored as float16, which
is what keyframes keep of them, and once more rounded to eight bits. What rounding can move is known: no distance
changes by more than the lengths of what was rounded off both sides (the triangle inequality). So the nearest by the
rounded ones are compared exactly, and whether one that was left out could be nearer than those found is decided, not
assumed. Before rounding descriptors are turned by a fixed rotation that spreads every number over sixty-four others
(RaBitQ, Gao 2024, turns for the same reason): then all are of a size, and one scale fits.
"""

from collections.abc import Iterable

import faiss
import numpy as np
from scipy.linalg import hadamard

SHARD_ROWS = 4096  # FAISS doubles the memory of a store by copying when it grows: a new shard starts instead
WORTH_ROUNDING = 1000  # rows from which comparing twice is quicker
SHORTLIST = 3  # times as many as are wanted are compared as stored
COMPARED_AFTER_FAILURE = 50  # queries that are not tried in eight bits, for the next will hardly do better
LEARNED_PER_LIST = 40  # descriptors when the centroids are learned; ten times as many are still fast
MOST_LISTS = 4096  # their centroids are all compared
PROBED = 48  # lists that a query looks into
ALIGNED = 64  # descriptors are stored with zeros up to a multiple of this: the rotation's size, and what FAISS is fast with
_SIGNS_SEED = 1
_CLIPPED_AT = 5.0  # standard deviations of a number in a turned descriptor of unit length
_LARGEST = 127
_LEARNING_ROUNDS = 6
_ARITHMETIC = 1e-5  # what single precision may move a distance by


class Rounding:
    """Descriptors of one length as whole numbers of eight bits."""

    def __init__(self, stored: int) -> None:
        signs = np.random.default_rng(_SIGNS_SEED).choice(np.float32([-1, 1]), ALIGNED)
        self._turn = (hadamard(ALIGNED) * signs / np.sqrt(ALIGNED)).astype(np.float32)
        self.scale = _LARGEST * np.sqrt(stored) / _CLIPPED_AT

    def of(self, rows: np.ndarray) -> tuple[np.ndarray, float]:
        """(N, D) whole float32 of (N, D) rows, and the longest of what was rounded off, in units of the rows."""
        turned = np.matmul(self._turn, rows.reshape(len(rows), ALIGNED, -1)).reshape(rows.shape) * np.float32(self.scale)
        whole = np.clip(np.rint(turned), -_LARGEST, _LARGEST)
        return whole, float(np.sqrt(np.square(turned - whole).sum(1).max(initial=0.0))) / self.scale


class Shard:
    """Rows by id, at most so many as are worth a copy when FAISS makes room for more."""

    def __init__(self, rounding: Rounding, stored: int) -> None:
        quantizer = faiss.ScalarQuantizer
        self._rounding = rounding
        self._ids = np.zeros(0, np.int64)
        self._rows = faiss.IndexScalarQuantizer(stored, quantizer.QT_fp16, faiss.METRIC_L2)
        self._rounded = faiss.IndexScalarQuantizer(stored, quantizer.QT_8bit_direct_signed, faiss.METRIC_L2)
        self.rounded_off = 0.0  # the longest, of all rows that were ever here
        self._stored_rows = np.zeros((0, stored), np.float16)

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: np.ndarray, rows: np.ndarray) -> None:
        """(N,) int64 and (N, D) float32."""
        whole, rounded_off = self._rounding.of(rows)
        self._rows.add(rows)
        self._rounded.add(whole)
        self._ids = np.concatenate([self._ids, ids])
        self.rounded_off = max(self.rounded_off, rounded_off)
        self._changed()

    def remove(self, ids: np.ndarray) -> None:
        """Ids that are not here are ignored."""
        gone = np.isin(self._ids, ids)
        for index in (self._rows, self._rounded):
            index.remove_ids(np.flatnonzero(gone))
        self._ids = self._ids[~gone]
        self._changed()

    def contents(self) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Ids (N,) and rows (N, D) float32, if there are any."""
        if len(self):
            yield self._ids.copy(), self._rows.reconstruct_n(0, len(self))

    def nearest(self, row: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and ids of the nearest to a (1, D) row, by comparing with all."""
        squares, places = self._rows.search(row, min(count, len(self)))
        return squares[0], self._ids[places[0]]

    def nearest_rounded(self, whole: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances of rounded descriptors, in units of the rounding, and places in this shard."""
        squares, places = self._rounded.search(whole, min(count, len(self)))
        return squares[0], places[0]

    def stored(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids (N,) and rows (N, D) float16 at these places."""
        return self._ids[places], self._stored_rows[places]

    def _changed(self) -> None:
        """FAISS may have moved what it stores."""
        codes = faiss.rev_swig_ptr(self._rows.codes.data(), self._rows.codes.size())
        self._stored_rows = codes.view(np.float16).reshape(self._rows.ntotal, -1)  # not a copy


class Shards:
    """Any number of shards: no addition copies more than one of them."""

    def __init__(self, stored: int) -> None:
        self._stored, self._rounding = stored, Rounding(stored)
        self._shards: list[Shard] = []
        self._compare_all = 0  # queries to come that are compared with everything at once

    def add(self, ids: np.ndarray, rows: np.ndarray) -> None:
        """(N,) int64 and (N, D) float32."""
        done = 0
        while done < len(ids):
            if not self._shards or len(self._shards[-1]) >= SHARD_ROWS:
                self._shards.append(Shard(self._rounding, self._stored))
            upto = done + SHARD_ROWS - len(self._shards[-1])
            self._shards[-1].add(ids[done:upto], rows[done:upto])
            done = upto

    def remove(self, ids: np.ndarray) -> None:
        """Ids that are not here are ignored."""
        for shard in self._shards:
            shard.remove(ids)

    def contents(self) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Ids (N,) and rows (N, D) float32, shard by shard."""
        for shard in self._shards:
            yield from shard.contents()

    def given_up(self) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """The same, and each shard is gone once the next is asked for."""
        self._shards.reverse()
        while self._shards:
            yield from self._shards.pop().contents()

    def search(self, row: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and ids of at least the `count` nearest to a (1, D) row, in any order; of all if there are fewer."""
        shards = [shard for shard in self._shards if len(shard)]
        if self._compare_all:
            self._compare_all -= 1
        elif sum(map(len, shards)) > max(WORTH_ROUNDING, SHORTLIST * count) and (found := self._search_rounded(shards, row, count)):
            return found
        pieces = [shard.nearest(row, count) for shard in shards]
        if not pieces:
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        return np.concatenate([squares for squares, _ in pieces]), np.concatenate([ids for _, ids in pieces])

    def _search_rounded(self, shards: list[Shard], row: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray] | None:
        """As `search`; None when one that was not compared as stored might be among the nearest."""
        whole, rounded_off = self._rounding.of(row)
        listed = SHORTLIST * count
        found = [shard.nearest_rounded(whole, listed) for shard in shards]
        farthest = np.partition(np.concatenate([squares for squares, _ in found]), listed - 1)[listed - 1]
        pieces = [shard.stored(places[squares <= farthest]) for shard, (squares, places) in zip(shards, found)]
        ids, rows = (np.concatenate(part) for part in zip(*pieces))
        squares = np.square(rows.astype(np.float32) - row).sum(1)
        moved = rounded_off + max(shard.rounded_off for shard in shards) + _ARITHMETIC
        at_least = np.sqrt(farthest) / self._rounding.scale - moved  # as stored, of all that were left out
        if at_least > np.sqrt(np.partition(squares, count - 1)[count - 1]):
            return squares, ids
        self._compare_all = COMPARED_AFTER_FAILURE
        return None


class Lists:
    """Descriptors in lists around centroids that were learned once; a query looks into those of the nearest only."""

    def __init__(self, sample: np.ndarray, expected: int) -> None:
        """No descriptors yet, but lists for so many like the (N, D) `sample`."""
        centroids = _centroids(sample, min(max(1, expected // LEARNED_PER_LIST), MOST_LISTS))
        coarse = faiss.IndexFlatL2(sample.shape[1])
        coarse.add(centroids)
        self._lists = faiss.IndexIVFScalarQuantizer(
            coarse, sample.shape[1], len(centroids), faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2, False
        )
        self._lists.nprobe, self._lists.is_trained = PROBED, True

    def add(self, ids: np.ndarray, rows: np.ndarray) -> None:
        """(N,) int64 and (N, D) float32."""
        self._lists.add_with_ids(rows, ids)

    def remove(self, ids: np.ndarray) -> None:
        """Ids that are not here are ignored."""
        self._lists.remove_ids(ids)

    def contents(self) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Ids (N,) and rows (N, D) float32, list by list."""
        inverted = self._lists.invlists
        for number in range(inverted.nlist):
            size = inverted.list_size(number)
            if size:
                ids = faiss.rev_swig_ptr(inverted.get_ids(number), size).copy()
                codes = faiss.rev_swig_ptr(inverted.get_codes(number), size * inverted.code_size).copy()
                yield ids, codes.view(np.float16).reshape(size, -1).astype(np.float32)

    def given_up(self) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """The same; lists cannot be given up one by one."""
        return self.contents()

    def search(self, row: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and ids of the `count` nearest to a (1, D) row that were found; id -1 where there are none."""
        squares, ids = self._lists.search(row, count)
        return squares[0], ids[0]


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


class OneThread:
    """FAISS on one thread, which is fastest at these sizes and leaves the others to odometry."""

    def __enter__(self) -> None:
        self._before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        faiss.omp_set_num_threads(self._before)

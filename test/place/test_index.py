"""Exact search against brute force; ids, removal, shards."""

import numpy as np
import pytest

from bev_loc.errors import BevLocError
from bev_loc.place.index import SHARD_ROWS, PlaceIndex


def _descriptors(count: int, dimension: int = 16) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _filled(rows: np.ndarray) -> PlaceIndex:
    index = PlaceIndex(rows.shape[1])
    for n, row in enumerate(rows):
        index.add(10 * n, row)
    return index


def test_search_equals_brute_force_across_shards():
    rows = _descriptors(2 * SHARD_ROWS + 100)
    index = _filled(rows)
    query = _descriptors(1)[0] * 0.6 + rows[77] * 0.4
    query /= np.linalg.norm(query)
    distances = np.linalg.norm(rows - query, axis=1)
    order = np.argsort(distances)[:8]
    found = index.search(-1, query.astype(np.float32), 8)
    assert [candidate.match_id for candidate in found] == [10 * n for n in order]
    np.testing.assert_allclose([candidate.distance for candidate in found], distances[order], atol=1e-4)


def test_a_keyframe_is_never_its_own_candidate():
    rows = _descriptors(50)
    found = _filled(rows).search(70, rows[7], 5)
    assert len(found) == 5 and all(candidate.match_id != 70 and candidate.query_id == 70 for candidate in found)


def test_what_is_removed_is_not_found_and_may_come_back():
    rows = _descriptors(50)
    index = _filled(rows)
    index.remove([70, 12345])
    assert len(index) == 49 and index.search(-1, rows[7], 1)[0].match_id != 70
    index.add(70, rows[7])
    assert index.search(-1, rows[7], 1)[0].match_id == 70


def test_an_empty_index_has_no_candidates():
    assert PlaceIndex(16).search(0, _descriptors(1)[0], 8) == []


def test_equal_descriptors_come_by_id():
    row = _descriptors(1)[0]
    index = PlaceIndex(16)
    for id in (9, 3, 5):
        index.add(id, row)
    assert [candidate.match_id for candidate in index.search(-1, row, 3)] == [3, 5, 9]


def test_an_id_that_is_taken_and_a_foreign_length_are_named():
    index = _filled(_descriptors(3))
    with pytest.raises(BevLocError, match="20 came twice"):
        index.add(20, _descriptors(1)[0])
    with pytest.raises(BevLocError, match="length 16"):
        index.search(0, np.zeros(8, np.float32), 1)

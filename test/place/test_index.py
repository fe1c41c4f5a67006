"""Exact search against brute force; ids, removal, shards; large maps in inverted lists."""

import numpy as np
import pytest

from bev_loc.errors import BevLocError
from bev_loc.place.index import PlaceIndex
from bev_loc.place.stores import COMPARED_AFTER_FAILURE, SHARD_ROWS, WORTH_ROUNDING, Rounding, Shards


def _descriptors(count: int, dimension: int = 16) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _drive(count: int, dimension: int = 20) -> np.ndarray:
    """Descriptors that change slowly along the way, as a drive's do, in the precision that keyframes keep."""
    steps = np.random.default_rng(1).normal(size=(count + 8, dimension))
    rows = sum(steps[n : n + count] for n in range(8))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)


def _filled(rows: np.ndarray, **options: int) -> PlaceIndex:
    index = PlaceIndex(rows.shape[1], **options)
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


@pytest.mark.parametrize("spread", [1.0, 0.02], ids=["all over", "nearly equal"])
def test_comparing_in_eight_bits_first_finds_exactly_the_nearest(spread):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(2 * SHARD_ROWS, 128)) * spread + rng.normal(size=128)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)
    index = _filled(rows)
    for asked in range(0, len(rows), 97):
        query = rows[asked] + rng.normal(size=128).astype(np.float32) * np.float32(0.05 * spread)
        distances = np.linalg.norm(rows - query, axis=1)
        expected = np.argsort(distances)[:8]
        found = index.search(-1, query, 8)
        assert [candidate.match_id for candidate in found] == [10 * n for n in expected]


def test_rounding_moves_no_distance_by_more_than_it_says():
    rows = _descriptors(500, 192)
    rounding = Rounding(192)
    whole, rounded_off = rounding.of(rows)
    assert 0.0 < rounded_off < 0.03
    true = np.linalg.norm(rows[:1] - rows, axis=1)
    np.testing.assert_array_less(np.abs(np.linalg.norm(whole[:1] - whole, axis=1) / rounding.scale - true), 2 * rounded_off + 1e-6)


def test_where_eight_bits_cannot_tell_the_nearest_everything_is_compared():
    rows = np.tile(_descriptors(1, 64).astype(np.float16).astype(np.float32), (WORTH_ROUNDING + 200, 1))
    shards = Shards(64)
    shards.add(np.arange(len(rows)), rows)
    for _ in range(COMPARED_AFTER_FAILURE + 2):
        squares, ids = shards.search(rows[:1], 5)
        assert len(ids) >= 5 and not squares.any()


def test_more_than_are_stored_may_be_asked_for():
    rows = _descriptors(WORTH_ROUNDING + 1, 64)
    assert len(_filled(rows).search(-1, rows[0], 2 * len(rows))) == len(rows)


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


def test_one_by_one_and_all_at_once_give_the_same():
    rows = _drive(SHARD_ROWS + 50)
    at_once = PlaceIndex(rows.shape[1])
    at_once.extend([10 * n for n in range(len(rows))], rows)
    for query in rows[::997]:
        assert at_once.search(-1, query, 5) == _filled(rows).search(-1, query, 5)


def test_descriptors_stored_before_one_of_a_foreign_length_are_known_to_be_there():
    rows = list(_descriptors(2 * SHARD_ROWS))
    index = PlaceIndex(16)
    with pytest.raises(BevLocError, match="length 16"):
        index.extend(range(len(rows) + 1), [*rows, np.zeros(8, np.float32)])
    assert len(index) == len(rows)
    with pytest.raises(BevLocError, match="7 came twice"):
        index.add(7, rows[7])


@pytest.fixture(scope="module")
def large() -> tuple[np.ndarray, PlaceIndex]:
    """Twice as many as an index that is exact below 5,000 searched one by one."""
    rows = _drive(10_000)
    return rows, _filled(rows, exact_below=5_000)


def test_the_index_is_exact_until_there_are_many():
    rows = _drive(300)
    index = _filled(rows[:299], exact_below=300)
    assert index.exact
    index.add(7, rows[299])
    assert not index.exact and len(index) == 300
    assert index.search(-1, rows[299], 1)[0].match_id == 7 and index.search(-1, rows[40], 1)[0].match_id == 400


def test_a_large_index_finds_what_brute_force_finds(large):
    rows, index = large
    rng = np.random.default_rng(2)
    asked = rng.integers(0, len(rows), 200)
    queries = rows[asked] + rng.normal(size=(200, rows.shape[1])).astype(np.float32) * 0.05
    nearest = (np.square(rows).sum(1) - 2.0 * queries @ rows.T).argmin(1)
    found = [index.search(-1, query, 3)[0] for query in queries]
    right = np.array([candidate.match_id for candidate in found]) == 10 * nearest
    assert right.mean() >= 0.99
    distances = np.linalg.norm(queries - rows[nearest], axis=1)
    np.testing.assert_allclose(np.array([c.distance for c in found])[right], distances[right], atol=1e-4)


def test_a_large_index_never_answers_with_the_query_and_forgets_what_is_removed():
    rows = _drive(3_000)
    index = _filled(rows, exact_below=1_000)
    assert all(candidate.match_id != 70 for candidate in index.search(70, rows[7], 5))
    index.remove(range(60, 81))
    assert len(index) == 2_997 and not {60, 70, 80} & {candidate.match_id for candidate in index.search(-1, rows[7], 20)}
    index.add(70, rows[7])
    assert index.search(-1, rows[7], 1)[0].match_id == 70
    with pytest.raises(BevLocError, match="70 came twice"):
        index.add(70, rows[7])


def test_rebuilding_keeps_every_descriptor_and_goes_back_to_exact_search_when_few_are_left():
    rows = _drive(3_000)
    index = _filled(rows, exact_below=1_000)
    index.remove(range(0, 10_000, 10))
    index.rebuild()
    assert not index.exact and len(index) == 2_000
    index.remove(range(10_000, 25_000, 10))
    index.rebuild()
    assert index.exact and len(index) == 500
    assert [index.search(-1, row, 1)[0].match_id for row in rows[2_500::50]] == list(range(25_000, 30_000, 500))


def test_the_same_descriptors_give_the_same_answers_in_a_large_index(large):
    rows, index = large
    again = _filled(rows, exact_below=5_000)
    for query in _drive(50):
        assert index.search(-1, query, 8) == again.search(-1, query, 8)

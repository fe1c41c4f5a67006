"""Time of one query in the index, one thread, and its recall@1 against brute force: `place_index.py [KEYFRAMES]`."""

import json
import resource
import sys
import time

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()

import numpy as np  # noqa: E402

from bev_loc.place.index import PlaceIndex  # noqa: E402

DIMENSION, QUERIES = 512, 100


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rng = np.random.default_rng(0)
    rows = unit(rng.normal(size=(count, DIMENSION)))
    index = PlaceIndex(DIMENSION)
    start_s = time.perf_counter()
    for id, row in enumerate(rows):
        index.add(id, row)
    add_us = 1e6 * (time.perf_counter() - start_s) / count
    queries = unit(rows[rng.integers(0, count, QUERIES)] + 0.05 * rng.normal(size=(QUERIES, DIMENSION)))
    durations_s, right = [], 0
    for query in queries:
        start_s = time.perf_counter()
        found = index.search(-1, query, 8)
        durations_s.append(time.perf_counter() - start_s)
        right += found[0].match_id == int(np.argmax(rows @ query))
    result = {
        "keyframes": count, "dimension": DIMENSION, "least_ms": 1e3 * min(durations_s), "median_ms": 1e3 * float(np.median(durations_s)),
        "recall_at_1_against_brute_force": right / QUERIES, "add_us": add_us,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    print(json.dumps(result))


def unit(rows: np.ndarray) -> np.ndarray:
    """float32 rows of length one."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


if __name__ == "__main__":
    main()

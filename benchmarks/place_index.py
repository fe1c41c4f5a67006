"""Time of one query in the index, one thread, its recall@1 against exact search, and memory: `place_index.py [KEYFRAMES]...`

Descriptors are those of real BEV images (KITTI 00 and 05), made many: in each virtual town every frame of the drive is
mixed with another one (the same way along, so that neighbours stay alike), 0.3 to 0.7 to one, and changed as a real
image's descriptor is changed when the image is turned by any angle and in part thinned. Queries are keyframes of these
towns changed likewise: 0.5 to 1.5 times as much (near), or 1.5 to 2.5 times (far). The first tenth of the towns, from
which a large index learns its centroids, are of KITTI 00 alone. Exact search compares with every descriptor, in float32.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

os.environ["OMP_NUM_THREADS"] = "1"
set_thread_environment()

import numpy as np  # noqa: E402

from bev_loc.config import PlaceConfig  # noqa: E402
from bev_loc.evaluation import corruptions  # noqa: E402
from bev_loc.evaluation.bev_folder import GRID, read_pictures, to_image  # noqa: E402
from bev_loc.place.describe import make_describer  # noqa: E402
from bev_loc.place.index import PlaceIndex  # noqa: E402

FRAMES = {"00": 2000, "05": 1400}  # of the drives
QUERIES = 300  # of each kind
KINDS = {"near": (0.5, 1.5), "far": (1.5, 2.5)}  # times the change of an image that is turned or thinned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keyframes", nargs="*", type=int, default=[10_000, 1_000_000])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")))
    parser.add_argument("--descriptor", default="spectral")
    arguments = parser.parse_args()
    folder = arguments.data / "kitti_bev"
    if not all((folder / drive).is_dir() for drive in FRAMES):
        print(f"place_index: no KITTI BEV images in {folder}; set BEV_LOC_DATA to measure on them")
        return
    towns = Towns(folder, arguments.descriptor)
    print(f"likeness (cosine) {json.dumps(towns.likeness)}", flush=True)
    for count in arguments.keyframes:
        print(json.dumps(measured(towns, count)), flush=True)


class Towns:
    """Virtual towns, each a function of its number."""

    def __init__(self, folder: Path, descriptor: str) -> None:
        describer, rng = make_describer(PlaceConfig(descriptor=descriptor), GRID), np.random.default_rng(0)
        plain, changed = [], []
        for drive, count in FRAMES.items():
            for picture in read_pictures(folder / drive / "imgs")[:count]:
                plain.append(describer.describe(to_image(picture)))
                picture = corruptions.turn(picture, float(rng.uniform(0, 360)))
                if rng.random() < 0.3:
                    picture = corruptions.drop(picture, 0.2, rng)
                changed.append(describer.describe(to_image(picture)))
        self.plain = np.array(plain)
        self.changes = np.array(changed) - self.plain
        self.likeness = {
            "turned or thinned": mean_cosine(self.plain, np.array(changed)),
            "next frame": mean_cosine(self.plain[1:], self.plain[:-1]),
            "10 frames on": mean_cosine(self.plain[10:], self.plain[:-10]),
            "any two": mean_cosine(self.plain, self.plain[rng.permutation(len(self.plain))]),
        }

    def drives(self, count: int) -> Iterator[tuple[int, np.ndarray]]:
        """Towns with so many keyframes together: the first one's number, and (N, D) float32 in float16's precision."""
        first, town = 0, 0
        while first < count:
            rng = np.random.default_rng([1, town])
            drive = self.plain[: FRAMES["00"]] if first < count / 10 else self.plain
            other = np.roll(drive[:: int(rng.choice([-1, 1]))], rng.integers(200, len(drive) - 200), axis=0)
            share = rng.uniform(0.3, 0.7)
            changes = self.changes[rng.integers(0, len(self.changes), len(drive))]
            rows = unit(share * drive + (1 - share) * other + 0.5 * changes)[: count - first]
            yield first, rows.astype(np.float16).astype(np.float32)
            first, town = first + len(rows), town + 1


def measured(towns: Towns, count: int) -> dict[str, float | str]:
    """The figures of an index with so many keyframes."""
    rng = np.random.default_rng(2)
    chosen = np.sort(rng.integers(0, count, QUERIES))
    index, asked, longest_s, spent_s, resident = PlaceIndex(towns.plain.shape[1]), [], 0.0, 0.0, resident_mb()
    for first, rows in towns.drives(count):
        start_s = time.process_time()
        index.extend(range(first, first + len(rows)), rows)
        took_s = time.process_time() - start_s
        longest_s, spent_s = max(longest_s, took_s), spent_s + took_s
        asked.append(rows[chosen[(chosen >= first) & (chosen < first + len(rows))] - first])
    resident = resident_mb() - resident
    figures: dict[str, float | str] = {
        "keyframes": count, "dimension": towns.plain.shape[1], "search": "exact" if index.exact else "inverted lists",
        "memory_mb": round(resident), "add_cpu_us": round(1e6 * spent_s / count, 1), "longest_addition_cpu_s": round(longest_s, 2),
    }  # fmt: skip
    for kind, bounds in KINDS.items():
        changes = towns.changes[rng.integers(0, len(towns.changes), QUERIES)] * rng.uniform(*bounds, (QUERIES, 1))
        queries = unit(np.concatenate(asked) + changes).astype(np.float32)
        figures |= {f"{kind}_{name}": figure for name, figure in searched(index, queries, chosen, nearest(towns, count, queries)).items()}
    start_s = time.process_time()
    index.remove(range(0, count, 100))
    return figures | {"removing_a_hundredth_cpu_ms": round(1e3 * (time.process_time() - start_s), 1)}


def searched(index: PlaceIndex, queries: np.ndarray, wanted: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Times of (Q, D) queries, and how often they find what exact search finds, and what they were made from."""
    wall_ms, cpu_ms, found = [], [], []
    for query in queries:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        found.append(index.search(-1, query, 8)[0].match_id)
        wall_ms.append(1e3 * (time.perf_counter() - wall_s))
        cpu_ms.append(1e3 * (time.process_time() - cpu_s))
    return {
        "median_cpu_ms": round(float(np.median(cpu_ms)), 3), "median_ms": round(float(np.median(wall_ms)), 3),
        "least_ms": round(min(wall_ms), 3), "recall_at_1_against_exact": round(float(np.mean(np.array(found) == exact)), 4),
        "right": round(float(np.mean(np.array(found) == wanted)), 4), "right_by_exact_search": round(float(np.mean(exact == wanted)), 4),
    }  # fmt: skip


def nearest(towns: Towns, count: int, queries: np.ndarray) -> np.ndarray:
    """(Q,) numbers of the nearest of the first `count` descriptors, by comparing with all."""
    best, best_id = np.full(len(queries), np.inf), np.full(len(queries), -1)
    for first, rows in towns.drives(count):
        squares = np.square(rows).sum(1) - 2.0 * queries @ rows.T
        nearer = squares.min(1) < best
        best_id[nearer], best[nearer] = squares.argmin(1)[nearer] + first, squares.min(1)[nearer]
    return best_id


def resident_mb() -> float:
    """Memory of this process, now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def mean_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Of rows of unit length."""
    return round(float((one * other).sum(1).mean()), 3)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    main()

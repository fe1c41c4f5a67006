"""Memory while a map of 10,000 keyframes is made and written as it grows; its bytes on the disk; loading it.

Synthetic streets go through the real localizer as given odometry; only the comparison of clouds is left out (no two
places may pass the images), for it costs time and keeps nothing.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bev_loc.config import Config, PlaceConfig, VerifyConfig
from bev_loc.geometry import se3
from bev_loc.growing_map import GrowingMap
from bev_loc.localizer import Localizer
from bev_loc.maps.bundle import load_map
from bev_loc.records import Odometry, OdometryHealth

KINDS = 20  # different scans; the others repeat them elsewhere
CONFIG = replace(Config(), place=PlaceConfig(candidates=1), verify=VerifyConfig(min_inliers=1000, min_structure_px=100_000))


def street(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) float32 walls and ground; noise packs worse than streets do."""
    ground = np.column_stack([rng.normal(0, 18, (count // 2, 2)), rng.normal(-1.7, 0.02, count // 2)])
    along = rng.uniform(-70, 70, (60, 1)) + rng.uniform(0, 9, (60, count // 120))
    across = np.repeat(rng.choice([-1, 1], 60) * rng.uniform(7, 20, 60), count // 120)
    walls = np.column_stack([along.ravel(), across, rng.uniform(-1.7, 6, along.size)])
    return np.concatenate([ground, walls]).astype(np.float32)


def drive(count: int, points: int) -> Iterator[Odometry]:
    """A keyframe every 2 m, up and down a field of streets."""
    scans = [street(np.random.default_rng(kind), points) for kind in range(KINDS)]
    health = OdometryHealth(points_in=points, points_used=points, matches=points, rmse_m=0.02, iterations=3)
    for n in range(count):
        row, column = divmod(n, 500)
        T = se3.from_se2(2.0 * (column if row % 2 == 0 else 499 - column), 10.0 * row, 0.0)
        yield Odometry(
            stamp_ns=(n + 1) * 10**9, T_odom_base=T, covariance=np.eye(6) * 1e-4, points_base=scans[n % KINDS], health=health,
            is_keyframe=True,
        )  # fmt: skip


def megabytes() -> float:
    """The greatest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def made(path: Path | None, count: int, points: int) -> None:
    """Map; write as it grows if `path` is given."""
    localizer, steps_s, writing_s = Localizer(CONFIG), [], []
    growing = GrowingMap(path, localizer, print) if path else None
    for n, odometry in enumerate(drive(count, points)):
        begin_s = time.perf_counter()
        step = localizer.on_odometry(odometry)
        steps_s.append(time.perf_counter() - begin_s)
        if growing:
            growing.add(step)
            writing_s.append(time.perf_counter() - begin_s - steps_s[-1])
        if n == 0:
            print(f"{1:6d} keyframe : {megabytes():5.0f} MB at most", flush=True)
    how = "written as the map grows" if growing else "kept in memory, no folder given"
    print(f"{count:6d} keyframes: {megabytes():5.0f} MB at most, {how}; {1e3 * np.median(steps_s):.1f} ms a keyframe, "
          f"{1e3 * np.max(steps_s):.0f} at most")  # fmt: skip
    if growing:
        print(f"        writing: {1e3 * np.median(writing_s):.1f} ms a keyframe, {1e3 * np.max(writing_s):.0f} at most "
              f"(a table of the whole map now and then)")  # fmt: skip


def loaded(path: Path, points: int) -> None:
    """Load, and start a localizer in the map."""
    begin_s = time.perf_counter()
    bundle = load_map(path, verify=False)
    unverified_s = time.perf_counter() - begin_s
    begin_s = time.perf_counter()
    bundle = load_map(path)
    verified_s = time.perf_counter() - begin_s
    begin_s = time.perf_counter()
    localizer = Localizer(CONFIG, known_map=bundle)
    ready_s = time.perf_counter() - begin_s
    for odometry in drive(100, points):
        localizer.on_odometry(odometry)
    print(f"{len(bundle.entries):6d} keyframes loaded in {unverified_s:.2f} s, with every checksum in {verified_s:.2f} s; "
          f"a localizer in it after {ready_s:.2f} s more, {megabytes():.0f} MB at most after 100 keyframes")  # fmt: skip


def main() -> None:
    """Each part in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keyframes", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=16_000, help="of a scan, before thinning")
    parser.add_argument("--part", choices=("memory", "disk", "load"))
    parser.add_argument("--map", type=Path)
    arguments = parser.parse_args()
    if arguments.part == "load":
        return loaded(arguments.map, arguments.points)
    if arguments.part:
        return made(arguments.map if arguments.part == "disk" else None, arguments.keyframes, arguments.points)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map"
        for part in ("memory", "disk", "load"):
            words = ["--part", part, "--map", str(path), "--keyframes", str(arguments.keyframes), "--points", str(arguments.points)]
            subprocess.run([sys.executable, __file__, *words], check=True)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        print(f"{size / arguments.keyframes / 1e3:.1f} kB a keyframe on the disk")


if __name__ == "__main__":
    main()

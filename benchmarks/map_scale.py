"""Memory and loading time of a map of 10,000 keyframes, and bytes on the disk; synthetic keyframes."""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bev_loc.bev.raster import rasterise
from bev_loc.clouds.voxels import downsample
from bev_loc.config import Config
from bev_loc.geometry import se3
from bev_loc.localizer import Localizer
from bev_loc.maps.attic import Attic
from bev_loc.maps.bundle import load_map, save_map
from bev_loc.maps.contents import MapBundle, entry
from bev_loc.place.compact import compact
from bev_loc.place.describe import make_describer
from bev_loc.records import BevImage, Keyframe

POINTS = 16_000  # of a scan, before thinning; noise packs worse than streets do
KINDS = 20  # different keyframes; the others repeat them elsewhere


def made(count: int, config: Config) -> MapBundle:
    """Streets of walls and ground, every 2 m."""
    describer, store, entries, kinds = make_describer(config.place, config.bev), Attic(), [], []
    for kind in range(KINDS):
        rng = np.random.default_rng(kind)
        ground = np.column_stack([rng.normal(0, 18, (POINTS // 2, 2)), rng.normal(-1.7, 0.02, POINTS // 2)])
        along = rng.uniform(-70, 70, (60, 1)) + rng.uniform(0, 9, (60, POINTS // 120))
        across = np.repeat(rng.choice([-1, 1], 60) * rng.uniform(7, 20, 60), POINTS // 120)
        walls = np.column_stack([along.ravel(), across, rng.uniform(-1.7, 6, along.size)])
        points = np.concatenate([ground, walls]).astype(np.float32)
        image = rasterise(points, config.bev)
        heights = (np.rint(image.mean_height_m.astype(float) / 0.01) * 0.01).astype(np.float32)
        image = BevImage(counts=image.counts, mean_height_m=heights)
        kinds.append((compact(downsample(points, config.keyframes.voxel_m)), image, describer.describe(image)))
    for id in range(count):
        points_kf, image, descriptor = kinds[id % KINDS]
        T = se3.from_se2(2.0 * (id % 500), 10.0 * (id // 500), 0.0)
        descriptor = descriptor + np.random.default_rng(id).normal(0, 1e-3, len(descriptor))
        keyframe = Keyframe(
            id=id, session=0, stamp_ns=id * 10**9, T_odom_kf=T, R_level_kf=np.eye(3), points_kf=points_kf, image=image,
            descriptor=descriptor.astype(np.float16).astype(np.float32), path_m=2.0 * id,
        )  # fmt: skip
        store[id] = keyframe
        entries.append(entry(keyframe, T))
    return MapBundle(entries=tuple(entries), keyframes=store, closures=(), bev=config.bev, describer=describer.name)


def megabytes() -> float:
    """The greatest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Make and save in one process; load, and start a localizer in the map, in another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keyframes", type=int, default=10_000)
    parser.add_argument("--load", type=Path)
    arguments = parser.parse_args()
    if arguments.load:
        start_s = time.perf_counter()
        bundle = load_map(arguments.load, verify=False)
        unverified_s = time.perf_counter() - start_s
        localizer = Localizer(Config(), known_map=bundle)
        start_s = time.perf_counter()
        load_map(arguments.load)
        print(f"load {unverified_s:.2f} s, with every checksum {time.perf_counter() - start_s:.2f} s; {localizer.state.value} in it: "
              f"{megabytes():.0f} MB at most")  # fmt: skip
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map"
        bundle = made(arguments.keyframes, replace(Config()))
        print(f"{arguments.keyframes} keyframes in memory, as while mapping: {megabytes():.0f} MB at most")
        save_map(path, bundle)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        print(f"{size / arguments.keyframes / 1e3:.1f} kB a keyframe on the disk")
        subprocess.run([sys.executable, __file__, "--load", str(path)], check=True)


if __name__ == "__main__":
    main()

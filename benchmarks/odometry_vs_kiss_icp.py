"""Odometry beside KISS-ICP on the same decoded sweeps: CPU time per scan, agreement, standstill, memory.

Each system runs in a fresh process pinned to one core, alternating, its sweeps decoded before the clock
starts; KISS-ICP deskews, with per-point times, voxel 1.0 m, range 5-100 m.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()

import numpy as np  # noqa: E402

from bev_loc.config import InputConfig, OdometryConfig  # noqa: E402
from bev_loc.geometry import trajectory  # noqa: E402
from bev_loc.records import LidarScan  # noqa: E402

MOVING_FROM = {"hdl64_city": 175, "kitti_raw": 1}  # before it, hdl64_city stands at a red light
STANDING_UNTIL = {"hdl64_city": 170}
MIN_RANGE_M, MAX_RANGE_M, VOXEL_M = 5.0, 100.0, 1.0


def main() -> int:
    """Run every system on every data set and print a table; --json FILE writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", nargs=2, metavar=("SYSTEM", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(*arguments.worker)
    figures = {}
    for name in MOVING_FROM:
        if not (arguments.data / name).is_dir():
            print(f"{name}: not in {arguments.data}; set BEV_LOC_DATA to measure on it")
            continue
        figures[name] = compare(arguments.data / name, arguments.repeats)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))
    return 0


def compare(folder: Path, repeats: int) -> dict[str, float]:
    """Alternating runs of both systems on one folder, and KISS-ICP without deskewing for the scale."""
    runs: dict[str, list[dict]] = {"ours": [], "kiss": []}
    for _ in range(repeats):
        for system in runs:
            runs[system].append(in_fresh_process(system, folder))
    plain = in_fresh_process("kiss-plain", folder)
    moving = slice(MOVING_FROM[folder.name], None)
    ms = {system: np.median([np.median(run["ms"][moving]) for run in some]) for system, some in runs.items()}
    ours, kiss = (np.array(runs[system][0]["positions"]) for system in runs)
    figures = {
        "scans": len(ours),
        "path_m": float(np.linalg.norm(np.diff(kiss, axis=0), axis=1).sum()),
        "ms_per_scan": ms["ours"],
        "kiss_ms_per_scan": ms["kiss"],
        "ratio": ms["kiss"] / ms["ours"],
        "rms_to_kiss_m": rms(ours, kiss),
        "rms_kiss_plain_to_kiss_m": rms(np.array(plain["positions"]), kiss),
        "peak_memory_mb": max(run["peak_mb"] for run in runs["ours"]),
    }
    for label, positions in (("standstill_max_m", ours), ("kiss_standstill_max_m", kiss)):
        standing = positions[: STANDING_UNTIL.get(folder.name, 0)]
        if len(standing):
            figures[label] = float(np.linalg.norm(standing - standing[0], axis=1).max())
    print(f"\n{folder.name}: CPU ms are medians of {repeats} processes over moving scans, one core")
    for key, value in figures.items():
        print(f"  {key:26s} {value:.4g}")
    return figures


def rms(a: np.ndarray, b: np.ndarray) -> float:
    """RMS distance of two (N, 3) tracks after rigid alignment, metres."""
    T = trajectory.align(b, a)
    return float(np.sqrt(np.mean(np.sum((a @ T[:3, :3].T + T[:3, 3] - b) ** 2, axis=1))))


def in_fresh_process(system: str, folder: Path) -> dict:
    """What a worker process measured: positions, ms per scan, peak memory."""
    command = [sys.executable, __file__, "--worker", system, str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def work(system: str, folder: str) -> int:
    """One run of one system, printed as JSON."""
    os.sched_setaffinity(0, {0})
    scans = decoded(folder)
    if system == "ours":
        step, inputs = ours(), [(scan,) for scan in scans]
    else:
        step = kiss(deskew=system == "kiss")
        inputs = [(scan.points_lidar.astype(np.float64), scan.offsets_s / scan.offsets_s.max()) for scan in scans]
    positions, ms = [], []
    for one in inputs:
        begin = time.process_time()
        T = step(*one)
        ms.append((time.process_time() - begin) * 1e3)
        positions.append(T[:3, 3].tolist())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"positions": positions, "ms": ms, "peak_mb": peak_mb}))
    return 0


def decoded(folder: str) -> list[LidarScan]:
    """Every scan of the folder, in memory."""
    from bev_loc.sources.open import open_source

    return [item for item in open_source(folder, InputConfig()).stream() if isinstance(item, LidarScan)]


def ours():
    """A step of this package's odometry."""
    from bev_loc.odometry.lio import Lio

    lio = Lio(OdometryConfig(min_range_m=MIN_RANGE_M, max_range_m=MAX_RANGE_M))
    return lambda scan: lio.on_scan(scan).T_odom_base


def kiss(deskew: bool):
    """A step of KISS-ICP on float64 points and times from 0 to 1."""
    from kiss_icp.config import load_config
    from kiss_icp.kiss_icp import KissICP

    config = load_config(None)
    config.data.deskew, config.data.min_range, config.data.max_range = deskew, MIN_RANGE_M, MAX_RANGE_M
    config.mapping.voxel_size, config.registration.max_num_threads = VOXEL_M, 1
    odometry = KissICP(config)

    def step(points_lidar: np.ndarray, shares: np.ndarray) -> np.ndarray:
        odometry.register_frame(points_lidar, shares)
        return odometry.last_pose

    return step


if __name__ == "__main__":
    sys.exit(main())

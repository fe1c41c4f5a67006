"""Odometry beside KISS-ICP and RKO-LIO on the same simulated scans and IMU samples, errors against the known truth.

    python benchmarks/lio_vs_peers.py [--worlds town,field] [--lidars hdl64] [--seeds 1,2] [--seconds 60]

Every system gets each scan with its points' times, the true stamps and the true extrinsics, in one thread; its pose
holds at the sweep's end. Ours and the peers keep one setting in all worlds. A world with '=' in it is a whole
simulation, such as 'around,imu_file=FILE'.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import numpy as np  # noqa: E402

from bev_loc.config import InputConfig, OdometryConfig  # noqa: E402
from bev_loc.evaluation.trajectory import associate, compare_pairs  # noqa: E402
from bev_loc.geometry import se3  # noqa: E402
from bev_loc.records import Dropped, ImuSample, LidarScan  # noqa: E402
from bev_loc.sources.open import open_source  # noqa: E402

MIN_RANGE_M, MAX_RANGE_M = 2.0, 100.0


class Ours:
    """This package's odometry in one of its settings."""

    def __init__(self, source, **settings: str) -> None:
        from bev_loc.odometry.lio import Lio

        self.settings = f"min_range {MIN_RANGE_M:g} m, max_range {MAX_RANGE_M:g} m, {settings or 'defaults'}"
        config = OdometryConfig(min_range_m=MIN_RANGE_M, max_range_m=MAX_RANGE_M, **settings)
        self._lio = Lio(config, T_base_lidar=source.T_base_lidar, T_base_imu=source.T_base_imu)
        self.on_imu = self._lio.on_imu

    def on_scan(self, scan: LidarScan) -> np.ndarray | None:
        result = self._lio.on_scan(scan)
        return None if isinstance(result, Dropped) else result.T_odom_base


class Kiss:
    """KISS-ICP, deskewing with the points' times; it has no use for an IMU."""

    def __init__(self, source) -> None:
        from kiss_icp.config import load_config
        from kiss_icp.kiss_icp import KissICP

        config = load_config(None)
        config.data.deskew, config.data.min_range, config.data.max_range = True, MIN_RANGE_M, MAX_RANGE_M
        config.mapping.voxel_size, config.registration.max_num_threads = 1.0, 1
        self.settings = f"deskew, range {MIN_RANGE_M:g}-{MAX_RANGE_M:g} m, voxel 1 m, 1 thread, else defaults"
        self._odometry, self._T_base_lidar = KissICP(config), source.T_base_lidar

    def on_imu(self, sample: ImuSample) -> None:
        """Nothing."""

    def on_scan(self, scan: LidarScan) -> np.ndarray | None:
        self._odometry.register_frame(scan.points_lidar.astype(np.float64), scan.offsets_s / scan.offsets_s.max())
        return self._T_base_lidar @ self._odometry.last_pose @ se3.inverse(self._T_base_lidar)


class Rko:
    """RKO-LIO with its defaults; it starts level by the IMU."""

    def __init__(self, source) -> None:
        from rko_lio.config import LIOConfig
        from rko_lio.lio import LIO

        config = LIOConfig(max_num_threads=1, min_range=MIN_RANGE_M, max_range=MAX_RANGE_M, initialization_phase=True)
        self.settings = str(config)
        self._lio, self._T_base_lidar, self._T_base_imu = LIO(config), source.T_base_lidar, source.T_base_imu

    def on_imu(self, sample: ImuSample) -> None:
        self._lio.add_imu_measurement(sample.acc_m_s2, sample.gyro_rad_s, sample.stamp_ns, self._T_base_imu)

    def on_scan(self, scan: LidarScan) -> np.ndarray | None:
        times_ns = scan.stamp_ns + np.rint(scan.offsets_s.astype(float) * 1e9).astype(np.int64)
        self._lio.register_scan(scan.points_lidar, times_ns, self._T_base_lidar)
        return self._lio.pose()


SYSTEMS: dict[str, Callable] = {
    "ours": Ours,
    "ours, BEV off": lambda source: Ours(source, bev="off"),
    "ours, BEV always": lambda source: Ours(source, bev="always"),
    "KISS-ICP": Kiss,
    "RKO-LIO": Rko,
}


@dataclasses.dataclass(slots=True)
class Run:
    """What one system did on one drive."""

    system: object
    stamps_ns: list[int] = dataclasses.field(default_factory=list)
    poses: list[np.ndarray] = dataclasses.field(default_factory=list)
    ms: list[float] = dataclasses.field(default_factory=list)
    failure: str = ""


def drive(text: str, names: list[str]) -> dict[str, dict]:
    """Every system over one simulation, cast once: figures by name."""
    source = open_source(f"sim:{text}", InputConfig())
    runs = {name: Run(SYSTEMS[name](source)) for name in names}
    for item in source.stream():
        for run in runs.values():
            if run.failure:
                continue
            try:
                step(run, item)
            except RuntimeError as error:  # a peer's own complaint
                run.failure = str(error)
    truth = source.truth()
    return {name: figures(run, truth.stamps_ns, truth.T_truth_base) for name, run in runs.items()}


def step(run: Run, item: object) -> None:
    """One scan or sample into one system, with its CPU time."""
    if isinstance(item, ImuSample):
        run.system.on_imu(item)
    elif isinstance(item, LidarScan):
        begin = time.process_time()
        T = run.system.on_scan(item)
        run.ms.append((time.process_time() - begin) * 1e3)
        if T is not None:
            run.stamps_ns.append(item.stamp_ns + round(float(item.offsets_s.max()) * 1e9))
            run.poses.append(T)


def figures(run: Run, stamps_ns: np.ndarray, T_world_base: np.ndarray) -> dict:
    """ATE, KITTI's segment errors, the error at the end once the starts agree, and CPU time."""
    estimated, truth = associate((np.array(run.stamps_ns), np.array(run.poses)), (stamps_ns, T_world_base))
    errors = compare_pairs(estimated, truth)
    end = se3.inverse(se3.inverse(truth[0]) @ truth[-1]) @ se3.inverse(estimated[0]) @ estimated[-1]
    return {
        "path_m": errors.path_length_m, "ate_m": errors.ate_rmse_m, "kitti_percent": errors.kitti_translation_percent,
        "kitti_deg_per_m": errors.kitti_rotation_deg_per_m, "end_m": float(np.linalg.norm(end[:3, 3])),
        "end_along_m": float(abs(end[0, 3])), "ms": float(np.median(run.ms)), "failure": run.failure, "settings": run.system.settings,
    }  # fmt: skip


def row(name: str, some: list[dict]) -> str:
    """Means over the seeds."""
    def mean(key: str) -> float:
        values = [one[key] for one in some if one[key] is not None]
        return float(np.mean(values)) if values else float("nan")

    path = mean("path_m")
    return (
        f"  {name:17s} ATE {mean('ate_m'):8.4f} m ({100 * mean('ate_m') / path:.3f} % of {path:.0f} m)  segments {mean('kitti_percent'):7.3f} %"
        f" {mean('kitti_deg_per_m'):.5f} deg/m  end {mean('end_m'):8.3f} m (along {mean('end_along_m'):.3f})  {mean('ms'):6.1f} ms"
    )


def main() -> int:
    """Run and print; --json FILE keeps every single figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", default="town,highway,tunnel,field")
    parser.add_argument("--lidars", default="hdl64")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--systems", default="ours,KISS-ICP,RKO-LIO", help=f"of {', '.join(SYSTEMS)}")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.systems.replace(", BEV", "; BEV").split(",")]
    names = [name.replace(";", ",") for name in names]
    try:
        import kiss_icp  # noqa: F401
        import rko_lio  # noqa: F401
    except ImportError as error:
        print(f"{error.name} is not installed: pip install kiss-icp rko_lio", file=sys.stderr)
        return 0
    everything = []
    for world in arguments.worlds.split("+") if "=" in arguments.worlds else arguments.worlds.split(","):
        for lidar in arguments.lidars.split(","):
            results: dict[str, list[dict]] = {name: [] for name in names}
            for seed in arguments.seeds.split(","):
                text = f"{world},lidar={lidar},seed={seed},seconds={arguments.seconds:g}"
                for name, one in drive(text, names).items():
                    results[name].append(one)
                    everything.append({"sim": text, "system": name, **one})
            if len(everything) <= len(names) * len(arguments.seeds.split(",")):
                print("\n".join(f"{name}: {results[name][0]['settings']}" for name in names))
            print(f"{world}, {lidar}, {arguments.seconds:g} s, seeds {arguments.seeds}")
            for name, some in results.items():
                print(row(name, some), *{one["failure"] for one in some if one["failure"]}, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(everything, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

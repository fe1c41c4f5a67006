"""Pose of two scans taken 5 to 20 m apart, beside FPFH with RANSAC (Open3D), KISS-Matcher and MapClosures.

    python benchmarks/partial_overlap.py [--pairs 12] [--sim town,lidar=vlp16] [--map-closures PYTHON]

Scans are deskewed; the query is turned by a random yaw, so that standing still is no answer. Success is an error below
2 m and 5 degrees, for whatever pose a system names; a system that names none has failed. The reference is the
odometry over the gap (hdl64_city) or the truth (simulated). CPU time is of the whole way from two clouds to the pose,
thinning included, all threads together. MapClosures is made for local maps and finds nothing in single scans: it alone
gets all scans within 10 m of either place, so that 20 m apart its maps touch and nearer ones share scans. It wants an
older numpy: give it the Python of its own environment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

os.environ["OMP_NUM_THREADS"] = "1"
set_thread_environment()

import numpy as np  # noqa: E402

from bev_loc.bev.raster import rasterise  # noqa: E402
from bev_loc.clouds.voxels import downsample  # noqa: E402
from bev_loc.config import BevConfig, InputConfig, KeyframeConfig, OdometryConfig, VerifyConfig  # noqa: E402
from bev_loc.evaluation.trajectory import associate  # noqa: E402
from bev_loc.geometry import se3, so3  # noqa: E402
from bev_loc.odometry.lio import Lio  # noqa: E402
from bev_loc.records import Candidate, Dropped, ImuSample, Keyframe, LidarScan  # noqa: E402
from bev_loc.sources.open import open_source  # noqa: E402
from bev_loc.verify.verifier import Verifier  # noqa: E402

APART_M = (5.0, 10.0, 15.0, 20.0)
SUCCESS_M, SUCCESS_DEG = 2.0, 5.0
MAX_RANGE_M = 80.0
LOCAL_MAP_M, LOCAL_MAP_VOXEL_M = 10.0, 0.25  # for MapClosures
FIRST_MOVING_SCAN = 175  # of hdl64_city
ALL_POSES = VerifyConfig(min_inliers=3, min_correlation=0.0, min_structure_px=0)  # a pose for every pair; tests still refuse


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """A deskewed scan and where it was taken."""

    points: np.ndarray  # (N, 3) float32, base frame
    T_odom_base: np.ndarray  # as the odometry has it; levels the scan
    T_ref_base: np.ndarray  # what counts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """Two scans, the query turned."""

    apart_m: float
    match: Scan
    query: Scan

    @property
    def T_match_query(self) -> np.ndarray:
        """The reference."""
        return se3.inverse(self.match.T_ref_base) @ self.query.T_ref_base


@dataclass(slots=True)
class Answers:
    """What one system said about every pair."""

    poses: list[np.ndarray | None] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")))
    parser.add_argument("--sim", nargs="*", default=["town,seconds=30,lidar=hdl64", "town,seconds=30,lidar=vlp16"])
    parser.add_argument("--pairs", type=int, default=6, help="at each distance")
    parser.add_argument("--systems", default="ours;ours, accepted;FPFH + RANSAC;KISS-Matcher;MapClosures")
    parser.add_argument(
        "--map-closures", default=os.environ.get("BEV_LOC_MAP_CLOSURES"), metavar="PYTHON", help="of an environment with map_closures"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    wanted, figures = arguments.systems.split(";"), {}
    drives = {f"sim:{text}": f"sim:{text}" for text in arguments.sim}
    if (arguments.data / "hdl64_city").is_dir():
        drives["hdl64_city"] = str(arguments.data / "hdl64_city")
    else:
        print(f"hdl64_city: not in {arguments.data}; set BEV_LOC_DATA to measure on it")
    for name, text in drives.items():
        drive = scans(text, FIRST_MOVING_SCAN if name == "hdl64_city" else 0)
        pairs = chosen(drive, arguments.pairs)
        print(f"\n{name}: {len(pairs)} pairs", flush=True)
        figures[name] = compared(pairs, drive, wanted, arguments.map_closures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1, default=float) + "\n")


def scans(text: str, first: int) -> list[Scan]:
    """Every scan of a drive from number `first` on, deskewed by the odometry, with the truth where it is known."""
    source = open_source(text, InputConfig())
    T_base_lidar, T_base_imu = (np.eye(4) if T is None else T for T in (source.T_base_lidar, source.T_base_imu))
    lio = Lio(OdometryConfig(), T_base_lidar=T_base_lidar, T_base_imu=T_base_imu)
    results = []
    for item in source.stream():
        if isinstance(item, ImuSample):
            lio.on_imu(item)
        elif isinstance(item, LidarScan) and not isinstance(result := lio.on_scan(item), Dropped):
            results.append(result)
    poses = np.array([result.T_odom_base for result in results])
    truth = source.truth()
    reference = poses
    if truth is not None:
        stamps_ns = np.array([result.stamp_ns for result in results])
        estimated, reference = associate((stamps_ns, poses), (truth.stamps_ns, truth.T_truth_base))
        results = results[len(results) - len(estimated) :]
    return [
        Scan(
            points=result.points_base[np.linalg.norm(result.points_base, axis=1) < MAX_RANGE_M],
            T_odom_base=result.T_odom_base, T_ref_base=T_ref_base,
        )
        for result, T_ref_base in zip(results[first:], reference[first:])
    ]  # fmt: skip


def chosen(drive: list[Scan], count: int) -> list[Pair]:
    """So many pairs at each distance, spread over the drive, or as many as there are."""
    positions, rng, pairs = np.array([scan.T_ref_base[:3, 3] for scan in drive]), np.random.default_rng(0), []
    for apart_m in APART_M:
        away_m = np.linalg.norm(positions[:, None] - positions[None], axis=2)
        found = [(n, n + int(np.argmax(away_m[n, n:] >= apart_m))) for n in range(len(drive))]
        found = [(n, m) for n, m in found if m > n and away_m[n, m] < apart_m + 1.5]
        moved = [pair for k, pair in enumerate(found) if k == 0 or away_m[pair[0], found[k - 1][0]] > 0.05]
        for k in np.unique(np.linspace(0, len(moved) - 1, min(count, len(moved))).round().astype(int)):
            pairs.append(Pair(apart_m=apart_m, match=drive[moved[k][0]], query=turned(drive[moved[k][1]], rng)))
    return pairs


def turned(scan: Scan, rng: np.random.Generator) -> Scan:
    """The scan in a base frame that is turned by a random yaw."""
    T_base_new = se3.from_se2(0.0, 0.0, rng.uniform(-np.pi, np.pi))
    return Scan(
        points=se3.apply(se3.inverse(T_base_new), scan.points).astype(np.float32),
        T_odom_base=scan.T_odom_base @ T_base_new, T_ref_base=scan.T_ref_base @ T_base_new,
    )  # fmt: skip


def compared(pairs: list[Pair], drive: list[Scan], wanted: list[str], map_closures: str | None) -> dict[str, dict]:
    """Runs every system on all pairs and prints a table."""
    figures: dict[str, dict] = {}
    for name in wanted:
        if name == "MapClosures":
            answers, settings = by_map_closures(pairs, drive, map_closures)
        else:
            answers, settings = answered(pairs, *SYSTEMS[name]())
        if answers is None:
            print(f"  {name}: {settings}")
            continue
        figures[name] = one = summary(pairs, answers)
        shares = "  ".join(f"{key} {100 * value:5.1f} %" for key, value in one["success"].items())
        print(
            f"  {name:14s} {shares}  all {100 * one['success_all']:5.1f} %  median {one['median_error_m']:.2f} m"
            f"  wrong {one['named_wrong']:2d}  {one['cpu_ms']:7.1f} ms CPU   [{settings}]",
            flush=True,
        )
    return figures


def summary(pairs: list[Pair], answers: Answers) -> dict:
    """Shares of right poses by distance, how many poses were named and wrong, CPU time."""
    errors = [error(pair, T) for pair, T in zip(pairs, answers.poses)]
    right = np.array([metres < SUCCESS_M and degrees < SUCCESS_DEG for metres, degrees in errors])
    apart = np.array([pair.apart_m for pair in pairs])
    return {
        "success": {f"{apart_m:g} m": float(right[apart == apart_m].mean()) for apart_m in APART_M if (apart == apart_m).any()},
        "success_all": float(right.mean()),
        "median_error_m": float(np.median([metres for (metres, _), good in zip(errors, right) if good] or [np.nan])),
        "named_wrong": int((np.isfinite([metres for metres, _ in errors]) & ~right).sum()),
        "cpu_ms": float(np.median(answers.ms)),
    }


def error(pair: Pair, T_match_query: np.ndarray | None) -> tuple[float, float]:
    """Metres and degrees off the reference; infinite without an answer."""
    if T_match_query is None:
        return np.inf, np.inf
    metres, radians = se3.distance(pair.T_match_query, T_match_query)
    return float(metres), float(np.degrees(radians))


def answered(pairs: list[Pair], solve: Callable[[Pair], np.ndarray | None] | None, settings: str) -> tuple[Answers | None, str]:
    """One system's answers, its first one (compilation, loading) not timed."""
    if solve is None:
        return None, settings
    answers = Answers()
    solve(pairs[0])
    for pair in pairs:
        start_s = time.process_time()
        answers.poses.append(solve(pair))
        answers.ms.append(1e3 * (time.process_time() - start_s))
    return answers, settings


def ours(verify: VerifyConfig = ALL_POSES) -> tuple[Callable, str]:
    """Image to image, then registration, as the verifier of closures does it; a pose for every pair, or accepted ones."""
    bev, keyframes = BevConfig(), KeyframeConfig()

    def keyframe(id: int, scan: Scan) -> Keyframe:
        R_level_kf = so3.level(scan.T_odom_base[:3, :3])
        return Keyframe(
            id=id, session=0, stamp_ns=0, T_odom_kf=scan.T_odom_base, R_level_kf=R_level_kf,
            points_kf=downsample(scan.points, keyframes.voxel_m), image=rasterise(scan.points @ R_level_kf.T.astype(np.float32), bev),
            descriptor=np.zeros(1, np.float32), path_m=0.0,
        )  # fmt: skip

    def solve(pair: Pair) -> np.ndarray | None:
        match, query = keyframe(0, pair.match), keyframe(1, pair.query)
        closure = Verifier(verify, bev).verify(Candidate(query_id=1, match_id=0, distance=0.0), query, match, match.points_kf)
        return closure.T_match_query if closure.accepted or verify is ALL_POSES else None

    tests = "every pose" if verify is ALL_POSES else f"overlap at least {verify.min_overlap}"
    return solve, f"cell {bev.cell_m} m, {bev.range_m:g} m around, GICP; {tests}"


def fpfh() -> tuple[Callable | None, str]:
    """Open3D's global registration with its tutorial's proportions."""
    if not find_spec("open3d"):
        return None, "not installed: pip install open3d"
    import open3d as o3d

    registration, voxel_m = o3d.pipelines.registration, 0.5
    o3d.utility.set_verbosity_level(o3d.utility.VerbosityLevel.Error)

    def prepared(points: np.ndarray) -> tuple:
        cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64))).voxel_down_sample(voxel_m)
        cloud.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=2 * voxel_m, max_nn=30))
        return cloud, registration.compute_fpfh_feature(cloud, o3d.geometry.KDTreeSearchParamHybrid(radius=5 * voxel_m, max_nn=100))

    def solve(pair: Pair) -> np.ndarray | None:
        o3d.utility.random.seed(0)
        (source, source_features), (target, target_features) = prepared(pair.query.points), prepared(pair.match.points)
        result = registration.registration_ransac_based_on_feature_matching(
            source, target, source_features, target_features, True, 1.5 * voxel_m,
            registration.TransformationEstimationPointToPoint(False), 3,
            [registration.CorrespondenceCheckerBasedOnEdgeLength(0.9), registration.CorrespondenceCheckerBasedOnDistance(1.5 * voxel_m)],
            registration.RANSACConvergenceCriteria(100_000, 0.999),
        )  # fmt: skip
        return np.asarray(result.transformation)

    return solve, f"voxel {voxel_m} m, normals {2 * voxel_m} m, FPFH {5 * voxel_m} m, mutual, 3 points, 100,000 tries, confidence 0.999"


def kiss_matcher() -> tuple[Callable | None, str]:
    """KISS-Matcher with its defaults."""
    if not find_spec("kiss_matcher"):
        return None, "not installed: pip install kiss-matcher"
    import kiss_matcher as peer

    config = peer.KISSMatcherConfig()

    def solve(pair: Pair) -> np.ndarray | None:
        solution = peer.KISSMatcher(config).estimate(pair.query.points, pair.match.points)
        return se3.from_parts(np.asarray(solution.rotation), np.asarray(solution.translation)) if solution.valid else None

    return solve, f"defaults: voxel {config.voxel_size} m, {config.num_max_corr} correspondences"


def by_map_closures(pairs: list[Pair], drive: list[Scan], python: str | None) -> tuple[Answers | None, str]:
    """MapClosures with its defaults, on local maps by the reference."""
    if not python:
        return None, "give the Python of an environment with 'numpy<2' and map_closures: --map-closures PYTHON"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.npz"
        clouds = {
            f"{name}{n}": local_map(drive, getattr(pair, name)) for n, pair in enumerate(pairs) for name in ("match", "query")
        }
        np.savez(file, pairs=len(pairs), **clouds)
        worker = Path(__file__).parent / "peers" / "map_closures_pairs.py"
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run([python, str(worker), str(file)], stdout=subprocess.PIPE, env=environment)
    if done.returncode:
        return None, f"{python} failed with code {done.returncode}"
    result = json.loads(done.stdout)
    poses = [None if T is None else np.array(T) for T in result["poses"]]
    settings = f"defaults: {result['settings']}; scans within {LOCAL_MAP_M:g} m, voxel {LOCAL_MAP_VOXEL_M} m"
    return Answers(poses=poses, ms=result["ms"]), settings


def local_map(drive: list[Scan], scan: Scan) -> np.ndarray:
    """(N, 3) float32 in the scan's frame: it and a scan for every metre of the drive around it."""
    T_base_ref, last_m, clouds = se3.inverse(scan.T_ref_base), np.full(3, np.inf), [scan.points]
    for other in drive:
        position_m = other.T_ref_base[:3, 3]
        if np.linalg.norm(position_m - scan.T_ref_base[:3, 3]) < LOCAL_MAP_M and np.linalg.norm(position_m - last_m) > 1.0:
            clouds.append(se3.apply(T_base_ref @ other.T_ref_base, other.points).astype(np.float32))
            last_m = position_m
    return downsample(np.concatenate(clouds), LOCAL_MAP_VOXEL_M)


SYSTEMS: dict[str, Callable] = {
    "ours": ours,
    "ours, accepted": lambda: ours(VerifyConfig()),
    "FPFH + RANSAC": fpfh,
    "KISS-Matcher": kiss_matcher,
}

if __name__ == "__main__":
    sys.exit(main())

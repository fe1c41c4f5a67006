"""Five simulated kilometres with an odometry that drifts by 2 %: what the loops make of it.

A drive through a simulated town that turns at random at each street corner, never back. Scans are cast at the
keyframes only and kept on the disk (`--cache`), so that an interrupted run goes on where it stopped. Odometry is the
true motion from keyframe to keyframe, corrupted; then the whole back end runs: images, places, verification,
consistency, pose graph. The strength of the corruption is set so that KITTI's own measure (mean translation error
over 100 to 800 m) is the percentage asked for:

    wander  the heading errs by white noise per metre, the length by a factor that wanders over some 100 m
    bias    the heading turns to the left by a constant angle per metre, and every length is too long by a constant factor
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bev_loc.clouds.voxels import downsample
from bev_loc.config import Config
from bev_loc.evaluation.trajectory import compare_pairs
from bev_loc.geometry import se3
from bev_loc.geometry.trajectory import path_length_m
from bev_loc.localizer import Localizer
from bev_loc.records import Odometry, OdometryHealth
from bev_loc.sim.caster import Caster
from bev_loc.sim.lidar import preset
from bev_loc.sim.trajectory import plan
from bev_loc.sim.world import WorldOptions
from bev_loc.sim.worlds import town

BLOCKS = 8
KEYFRAME_M, KEYFRAME_RAD = 2.0, np.radians(15.0)
KEPT_M = 0.2  # a cloud is thinned to this on the disk: images count voxels of 0.4 m
CHUNK = 50  # keyframes a file
WANDER_M = 100.0  # length over which the factor on lengths is alike
RIGHT_M, RIGHT_RAD = 1.0, np.radians(3.0)


def wandering(seed: int, steps: int) -> list[tuple[int, int]]:
    """Street corners, a step apart, never straight back and never along the rim, where the town ends."""
    rng, at, before = np.random.default_rng(seed), (BLOCKS // 2, BLOCKS // 2), (-1, -1)
    drive = [at]
    for _ in range(steps):
        around = [(at[0] + dx, at[1] + dy) for dx, dy in ((1, 0), (0, 1), (-1, 0), (0, -1))]
        open_ways = [to for to in around if to != before and 1 <= min(to) and max(to) <= BLOCKS - 1]
        before, at = at, open_ways[rng.integers(len(open_ways))]
        drive.append(at)
    return drive


def keyframe_poses(seed: int, length_m: float) -> tuple[np.ndarray, "town.World"]:
    """(N, 4, 4) T_world_base where keyframes are due along the drive, and its town."""
    options = WorldOptions(seed=seed, blocks=BLOCKS)
    world = town.build_for(options, wandering(seed, int(length_m / 60.0) + 4))
    drive = plan(world.route, world.ground, seed)
    poses, chosen, way_m = drive.poses(np.arange(0.0, drive.duration_s, 0.05)), [], 0.0
    for T in poses:
        metres, radians = se3.distance(chosen[-1], T) if chosen else (np.inf, 0.0)
        if metres >= KEYFRAME_M or radians >= KEYFRAME_RAD:
            way_m += metres if chosen else 0.0
            chosen.append(T)
        if way_m >= length_m:
            break
    return np.array(chosen), world


def clouds(poses: np.ndarray, world, folder: Path, seed: int) -> Iterator[np.ndarray]:
    """(N, 3) float32 points of each keyframe in the base frame, cast while standing; from the disk where they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    caster = None
    for begin in range(0, len(poses), CHUNK):
        file = folder / f"clouds-{begin:05d}.npz"
        if not file.exists():
            caster = caster or Caster(world.mesh, preset("hdl64"))
            cast = []
            for n, T in enumerate(poses[begin : begin + CHUNK], begin):
                sweep = caster.scan(lambda t, T=T: np.repeat(T[None], len(t), 0), 0.0, n, seed, 0)
                points = downsample(sweep.points_lidar[np.isfinite(sweep.points_lidar[:, 0])], KEPT_M)
                cast.append(np.rint(points * 100).astype(np.int16))
            start = np.cumsum([0, *map(len, cast)])
            np.savez_compressed(file.with_suffix(".tmp.npz"), points_cm=np.concatenate(cast), start=start)
            file.with_suffix(".tmp.npz").rename(file)
        with np.load(file) as archive:
            points_cm, start = archive["points_cm"], archive["start"]
        for a, b in zip(start, start[1:]):
            yield (points_cm[a:b] * np.float32(0.01)).astype(np.float32)


def pattern(kind: str, lengths_m: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(N,) radians and (N,) factors of each motion at strength 1: half a per cent or so each."""
    if kind == "bias":
        return np.radians(0.01) * lengths_m, np.full(len(lengths_m), 0.01)
    yaw_rad = np.radians(0.05) * np.sqrt(lengths_m) * rng.normal(size=len(lengths_m))
    factor, factors = 0.0, []
    for length_m in lengths_m:  # a first-order process
        keep = np.exp(-length_m / WANDER_M)
        factor = keep * factor + np.sqrt(1 - keep**2) * 0.01 * rng.normal()
        factors.append(factor)
    return yaw_rad, np.array(factors)


def corrupted(poses: np.ndarray, yaw_rad: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """(N, 4, 4) T_odom_base from the same start, each motion lengthened and then turned about the base's vertical."""
    out = [poses[0]]
    for before, T, yaw, factor in zip(poses, poses[1:], yaw_rad, factors):
        motion = se3.inverse(before) @ T
        motion[:3, 3] *= 1.0 + factor
        out.append(out[-1] @ motion @ se3.from_se2(0.0, 0.0, yaw))
    return se3.inverse(poses[0]) @ np.array(out)


def drifting(poses: np.ndarray, kind: str, percent: float, seed: int) -> tuple[np.ndarray, float]:
    """Odometry whose KITTI translation error is `percent`, and the strength that it took."""
    lengths_m = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    yaw_rad, factors = pattern(kind, lengths_m, np.random.default_rng(seed))
    low, high = 0.0, 20.0
    for _ in range(30):
        strength = 0.5 * (low + high)
        odometry = corrupted(poses, strength * yaw_rad, strength * factors)
        found = compare_pairs(odometry, poses).kitti_translation_percent
        low, high = (strength, high) if found < percent else (low, strength)
    return odometry, strength


def measure(poses: np.ndarray, world, folder: Path, kind: str, percent: float, seed: int, report_every: int = 250) -> str:
    """The back end along one corrupted odometry; a line of the table."""
    T_odom_base, strength = drifting(poses, kind, percent, seed + 100)
    localizer, reasons, step_s = Localizer(Config()), Counter[str](), []
    health = OdometryHealth(points_in=1, points_used=1, matches=1, rmse_m=0.02, iterations=3)
    for n, (T, points) in enumerate(zip(T_odom_base, clouds(poses, world, folder, seed))):
        odometry = Odometry(
            stamp_ns=(n + 1) * 10**8, T_odom_base=T, covariance=np.eye(6) * 1e-4, points_base=points, health=health, is_keyframe=True
        )
        begin = time.process_time()
        step = localizer.on_odometry(odometry)
        step_s.append(time.process_time() - begin)
        reasons.update(closure.reason for closure in step.closures)
        if n % report_every == 0:
            print(f"  {kind} {n} of {len(poses)}, {len(localizer.bundle().closures)} closures", flush=True)
    bundle = localizer.bundle()
    after = np.array([entry.T_map_kf for entry in bundle.entries])
    away = [se3.distance(se3.inverse(poses[c.match_id]) @ poses[c.query_id], c.T_match_query) for c in bundle.closures]
    wrong = sum(metres > RIGHT_M or radians > RIGHT_RAD for metres, radians in away)
    length_m = path_length_m(poses)[-1]
    before, closed = compare_pairs(T_odom_base, poses), compare_pairs(after, poses)
    print(f"  {kind}: {dict(reasons.most_common())}")
    return (
        f"{kind:>7} {strength:8.2f} {before.kitti_translation_percent:7.2f} {before.ate_rmse_m:9.2f} {closed.ate_rmse_m:9.3f} "
        f"{100 * closed.ate_rmse_m / length_m:8.4f} {len(away):9d} {wrong:6d} {1e3 * np.median(step_s):7.0f}"
    )


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drift", nargs="+", choices=("wander", "bias"), default=["wander", "bias"])
    parser.add_argument("--percent", type=float, default=2.0, help="mean translation error over 100 to 800 m; default: %(default)s")
    parser.add_argument("--metres", type=float, default=5000.0)
    parser.add_argument("--seed", type=int, default=1, help="of town, drive and noise")
    parser.add_argument("--cache", type=Path, default=Path("out/closure_drift"))
    arguments = parser.parse_args()
    poses, world = keyframe_poses(arguments.seed, arguments.metres)
    print(
        f"{len(poses)} keyframes over {path_length_m(poses)[-1]:.0f} m of a simulated town of {len(world.mesh.triangles)} triangles",
        flush=True,
    )
    folder = arguments.cache / f"town{arguments.seed}-{arguments.metres:.0f}m"
    rows = [measure(poses, world, folder, kind, arguments.percent, arguments.seed) for kind in arguments.drift]
    print(f"{'drift':>7} strength KITTI % ATE before ATE after % of path closures  wrong CPU ms a keyframe")
    print("\n".join(rows))


if __name__ == "__main__":
    main()

"""Real gaps of a real IMU (KITTI 00), driven through in the simulator with half a second of scans missing too.

    BEV_LOC_DATA=... python benchmarks/lio_imu_gaps.py [--lidar hdl64] [--scans-missing 0.5]

The lidar and the town are simulated along KITTI 00's poses, the IMU samples are the recorded ones. Each gap is entered
after 12 s of driving; the scans are missing in its middle. The recording's first gap covers its start: the odometry
begins in motion without an IMU, all scans there.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import numpy as np  # noqa: E402
from lio.figures import word  # noqa: E402

from bev_loc.config import OdometryConfig  # noqa: E402
from bev_loc.geometry import se3  # noqa: E402
from bev_loc.odometry.lio import Lio  # noqa: E402
from bev_loc.records import ImuSample, LidarScan, Odometry  # noqa: E402
from bev_loc.sim.faults import Fault, disturbed  # noqa: E402
from bev_loc.sim.options import parse  # noqa: E402
from bev_loc.sim.scanner import Scanner  # noqa: E402
from bev_loc.sim.simulation import BEGIN_NS, Simulation, simulate  # noqa: E402
from bev_loc.sim.sweep import Sweep  # noqa: E402

BEFORE_S, AFTER_S, LEAST_GAP_S = 12.0, 7.0, 1.0
ALLOWED_M = 1.0
RECOVERY_S = 5.0  # of driving after the gap, whose own error says whether all is well again


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch without IMU samples, in seconds of the drive."""

    begin_s: float
    end_s: float


def main() -> int:
    """A line per gap."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")), help="with kitti_poses and kitti_imu")
    parser.add_argument("--lidar", default="hdl64")
    parser.add_argument("--scans-missing", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--bev", default=OdometryConfig().bev, choices=("off", "auto", "always"))
    parser.add_argument("--only", type=int, metavar="N", help="gap N, from 1; with every scan's line")
    arguments = parser.parse_args()
    poses, imu = arguments.data / "kitti_poses/00.txt", arguments.data / "kitti_imu/00.npz"
    if not poses.is_file() or not imu.is_file():
        print(f"needs {poses} and {imu}: give --data or set BEV_LOC_DATA")
        return 0
    simulation = simulate(parse(f"around,trajectory={poses},imu_file={imu},lidar={arguments.lidar}"))
    scanner, config = simulation.scanner(), OdometryConfig(bev=arguments.bev)
    print(
        f"simulated {arguments.lidar} along KITTI 00, real IMU; odometry.bev={arguments.bev}, "
        f"else defaults; {arguments.scans_missing:g} s of scans missing"
    )
    start, *inner = gaps(simulation)
    if arguments.only:
        through(simulation, scanner, config, inner[arguments.only - 1], arguments.scans_missing, every_scan=True)
        return 0
    results = drive(simulation, scanner, config, 0.0, start.end_s + AFTER_S, ())
    print(
        f"start in motion, no IMU for {start.end_s:.2f} s at {speed_m_s(simulation, 0.5):.1f} m/s: {opening(simulation, results)}",
        flush=True,
    )
    grown = [through(simulation, scanner, config, gap, arguments.scans_missing) for gap in inner]
    print(f"worst growth over a gap {max(grown):.3f} m (asked: below {ALLOWED_M:g}): {word(max(grown) < ALLOWED_M)}")
    return 0


def gaps(simulation: Simulation) -> list[Gap]:
    """The one at the start, then those inside."""
    t = np.concatenate([[0.0], simulation.imu.t_s])
    return [Gap(begin_s=float(t[k]), end_s=float(t[k + 1])) for k in np.flatnonzero(np.diff(t) > LEAST_GAP_S)]


def through(
    simulation: Simulation, scanner: Scanner, config: OdometryConfig, gap: Gap, missing_s: float, every_scan: bool = False
) -> float:
    """One gap: prints its line, gives the position error grown over it."""
    middle_s = 0.5 * (gap.begin_s + gap.end_s)
    fault = Fault(kind="lidar_gap", at_s=middle_s - 0.5 * missing_s, amount=missing_s)
    results = drive(simulation, scanner, config, max(0.0, gap.begin_s - BEFORE_S), gap.end_s + AFTER_S, (fault,) if missing_s else ())
    t_s = np.array([seconds(one.stamp_ns) for one in results])
    before = int(np.searchsorted(t_s, gap.begin_s)) - 1
    first, rest = int(np.searchsorted(t_s, gap.end_s)), int(np.searchsorted(t_s, gap.end_s + RECOVERY_S))
    errors_m = [error_m(simulation, results[before], one) for one in results[before : first + 1]]
    for t, one in zip(t_s[before:rest], results[before:rest]) if every_scan else ():
        print(
            f"  {t:7.2f} s {speed_m_s(simulation, t):5.1f} m/s "
            f"{error_m(simulation, results[before], one):.3f} m off, {one.health.matches} of "
            f"{one.health.points_used} matched, rmse {one.health.rmse_m:.3f} m, "
            f"{one.health.iterations} iterations, {', '.join(one.health.reasons) or '-'}"
        )
    T = true_pose(simulation, t_s[[before, first]])
    turned_deg = np.degrees(se3.distance(T[0], T[1])[1])
    later_m, way_m = error_m(simulation, results[first], results[rest - 1]), way(simulation, t_s[first], t_s[rest - 1])
    said = sorted({reason for one in results[before + 1 : first + 1] for reason in one.health.reasons})
    healthy_s = next((t_s[k] - gap.end_s for k in range(first, len(results)) if not results[k].health.reasons), float("nan"))
    print(
        f"gap at {gap.begin_s:6.1f} s of {gap.end_s - gap.begin_s:.2f} s, "
        f"{speed_m_s(simulation, middle_s):4.1f} m/s, turning {turned_deg:4.1f} deg: "
        f"grown {errors_m[-1]:.3f} m (at most {max(errors_m):.3f}), next {way_m:.0f} m {later_m:.3f} m off, "
        f"healthy {healthy_s:.2f} s after it; said: {', '.join(said) or 'NOTHING'}",
        flush=True,
    )
    return errors_m[-1]


def opening(simulation: Simulation, results: list[Odometry]) -> str:
    """How the start went."""
    errors_m = [error_m(simulation, results[0], one) for one in results]
    way_m = way(simulation, seconds(results[0].stamp_ns), seconds(results[-1].stamp_ns))
    last = max((k for k, one in enumerate(results) if one.health.reasons), default=-1)
    return (
        f"at most {max(errors_m):.3f} m off on {way_m:.0f} m, {errors_m[-1]:.3f} "
        f"m at the end, last reason said at scan {last} of {len(results)}"
    )


def drive(
    simulation: Simulation, scanner: Scanner, config: OdometryConfig, begin_s: float, end_s: float, faults: tuple[Fault, ...]
) -> list[Odometry]:
    """The odometry's results over a part of the drive."""
    lio = Lio(config, T_base_lidar=np.eye(4), T_base_imu=simulation.T_base_imu)
    results = []
    for item in disturbed(part(simulation, scanner, begin_s, end_s), faults, BEGIN_NS):
        if isinstance(item, ImuSample):
            lio.on_imu(item)
        else:
            results.append(lio.on_scan(LidarScan(stamp_ns=item.stamp_ns, points_lidar=item.points_lidar, offsets_s=item.offsets_s)))
    return [one for one in results if isinstance(one, Odometry)]


def part(simulation: Simulation, scanner: Scanner, begin_s: float, end_s: float) -> Iterator[Sweep | ImuSample]:
    """Sweeps and samples of a part of the drive, in order of arrival."""
    imu, rate_hz = simulation.imu, simulation.lidar.rate_hz
    k = int(np.argmax(imu.t_s >= begin_s))
    for index in range(round(np.ceil(begin_s * rate_hz)), min(round(np.floor(end_s * rate_hz)), simulation.scan_count)):
        while k < len(imu.t_s) and imu.t_s[k] <= (index + 1) / rate_hz:
            yield ImuSample(stamp_ns=simulation.stamp_ns(imu.t_s[k]), gyro_rad_s=imu.gyro_rad_s[k], acc_m_s2=imu.acc_m_s2[k])
            k += 1
        yield scanner.sweep(index)


def seconds(stamp_ns: int) -> float:
    """Of the drive."""
    return (stamp_ns - BEGIN_NS) * 1e-9


def true_pose(simulation: Simulation, t_s: np.ndarray) -> np.ndarray:
    """(N, 4, 4) T_world_base."""
    return simulation.drive.poses(np.asarray(t_s))


def error_m(simulation: Simulation, a: Odometry, b: Odometry) -> float:
    """How far off the motion between two results is."""
    T = true_pose(simulation, [seconds(a.stamp_ns), seconds(b.stamp_ns)])
    return float(se3.distance(se3.inverse(T[0]) @ T[1], se3.inverse(a.T_odom_base) @ b.T_odom_base)[0])


def way(simulation: Simulation, begin_s: float, end_s: float) -> float:
    """Metres driven between two moments."""
    return float(np.linalg.norm(np.diff(true_pose(simulation, np.arange(begin_s, end_s, 0.05))[:, :3, 3], axis=0), axis=1).sum())


def speed_m_s(simulation: Simulation, at_s: float) -> float:
    """Of the base."""
    return float(np.linalg.norm(simulation.drive.motion(np.array([at_s])).v_world))


if __name__ == "__main__":
    raise SystemExit(main())

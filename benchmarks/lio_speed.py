"""CPU time of the odometry per scan of 100,000 points beside its peers, on one thread; and the first scan after a start.

    python benchmarks/lio_speed.py [--repeats 3] [--scans 60]

A simulated town, an HDL-64 whose scans have about 100,000 points, cast before any clock starts. Every system runs in
fresh processes pinned to one core, in turns; the ratios of one run are more reliable than its milliseconds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import numpy as np  # noqa: E402
from lio.figures import word  # noqa: E402
from lio.systems import PEERS, SYSTEMS, Setup, missing_peers  # noqa: E402

from bev_loc.records import ImuSample, LidarScan  # noqa: E402

COLUMNS = 1960  # of the HDL-64, for 100,000 returns in this town
MOVING_FROM = 15  # the drive begins at rest, with an empty map
ASKED = {"ours, BEV off": 5.0, "ours, BEV auto": 2.0, "ours, BEV always": 2.0}


def main() -> int:
    """Cast, run all in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scans", type=int, default=60)
    parser.add_argument("--worker", nargs=2, metavar=("SYSTEM", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(*arguments.worker, arguments.scans)
    names = [name for name in SYSTEMS if not (missing_peers() and name in PEERS)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drive.npz"
        points = cast(file, arguments.scans)
        found: dict[str, list[dict]] = {name: [] for name in names}
        for name in names:
            fresh(name, file, 5)  # compiles what is not yet, so that the processes below find it compiled
        for _ in range(arguments.repeats):
            for name in names:
                found[name].append(fresh(name, file, arguments.scans))
    print(
        f"{cpu_model()}, one thread; simulated town, {points:.0f} points a scan, "
        f"medians over {arguments.repeats} x {arguments.scans - MOVING_FROM} scans"
    )
    medians = {name: float(np.median([np.median(one["ms"][MOVING_FROM:]) for one in some])) for name, some in found.items()}
    for name, some in found.items():
        spread = [float(np.median(one["ms"][MOVING_FROM:])) for one in some]
        ratio = medians["KISS-ICP"] / medians[name] if "KISS-ICP" in medians else float("nan")
        line = (
            f"  {name:17s} {medians[name]:6.1f} ms CPU ({min(spread):.1f} to {max(spread):.1f}), KISS-ICP takes {ratio:5.2f} times as long"
        )
        if name in ASKED:
            line += f" (asked: {ASKED[name]:g}: {word(ratio >= ASKED[name])})"
        print(line)
    for name in ASKED:
        import_s, first_s = (max(one[key] for one in found[name]) for key in ("import_s", "first_s"))
        next_s = max(max(one["wall_s"][1:MOVING_FROM]) for one in found[name])
        print(
            f"  {name:17s} first scan after a start {first_s:.2f} s, slowest of the "
            f"next {MOVING_FROM - 1} {next_s:.2f} s (asked: 1); imports {import_s:.2f} s"
        )
    if missing_peers():
        print(f"no ratios: {', '.join(missing_peers())} not installed")
    return 0


def cast(file: Path, scans: int) -> float:
    """Writes the drive; gives the mean number of points."""
    from bev_loc.sim.lidar import hdl64
    from bev_loc.sim.options import parse
    from bev_loc.sim.simulation import simulate

    simulation = replace(simulate(parse(f"town,seconds={scans / 10:g}")), lidar=hdl64(COLUMNS))
    arrays, samples = {}, []
    for item in simulation.stream():
        if isinstance(item, ImuSample):
            samples.append([item.stamp_ns * 1e-9, *item.gyro_rad_s, *item.acc_m_s2])
        else:
            k = len(arrays) // 3
            arrays |= {f"stamp_{k}": item.stamp_ns, f"points_{k}": item.points_lidar, f"offsets_{k}": item.offsets_s}
    np.savez(file, imu=np.array(samples), T_base_imu=simulation.T_base_imu, **arrays)
    return float(np.mean([len(value) for key, value in arrays.items() if key.startswith("points")]))


def fresh(name: str, file: Path, scans: int) -> dict:
    """What a process of its own measured."""
    command = [sys.executable, __file__, "--scans", str(scans), "--worker", name, str(file)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])


def work(name: str, file: str, count: int) -> NoReturn:
    """One run of one system, printed as JSON."""
    os.sched_setaffinity(0, {0})
    with np.load(file) as drive:
        scans = [
            LidarScan(stamp_ns=int(drive[f"stamp_{k}"]), points_lidar=drive[f"points_{k}"], offsets_s=drive[f"offsets_{k}"])
            for k in range(count)
        ]
        imu, T_base_imu = drive["imu"], drive["T_base_imu"]
    samples = [ImuSample(stamp_ns=round(row[0] * 1e9), gyro_rad_s=row[1:4], acc_m_s2=row[4:]) for row in imu]
    begin = time.perf_counter()
    system = SYSTEMS[name](Setup(T_base_lidar=np.eye(4), T_base_imu=T_base_imu, starts_at_rest=True))
    import_s, ms, wall_s, taken = time.perf_counter() - begin, [], [], 0
    for scan in scans:
        wall, cpu = time.perf_counter(), time.process_time()
        while taken < len(samples) and samples[taken].stamp_ns <= scan.stamp_ns + 10**8:
            system.on_imu(samples[taken])
            taken += 1
        system.on_scan(scan)
        ms.append((time.process_time() - cpu) * 1e3)
        wall_s.append(time.perf_counter() - wall)
    print(json.dumps({"ms": ms, "wall_s": wall_s, "first_s": wall_s[0], "import_s": import_s}), flush=True)
    os._exit(0)  # KISS-ICP prints its own profile at an ordinary end


def cpu_model() -> str:
    """As the kernel names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")


if __name__ == "__main__":
    sys.exit(main())

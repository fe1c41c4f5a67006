"""CPU time of the odometry per scan of 100,000 points beside its peers, on one thread; and the first scan after a start.

    python benchmarks/lio_speed.py [--repeats 4] [--scans 60]

A simulated town, an HDL-64 whose scans have about 100,000 points, cast before any clock starts. Every system runs in
a process of its own, all pinned to one core, and they take turns of five scans, because the same code may take a third longer
a minute later: a ratio is the median over turns of what the systems took for the same scans within a second.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import numpy as np  # noqa: E402
from lio.figures import word  # noqa: E402
from lio.systems import PEERS, SYSTEMS, Setup, missing_peers  # noqa: E402

from bev_loc.records import ImuSample, LidarScan  # noqa: E402

COLUMNS = 1960  # of the HDL-64, for 100,000 returns in this town
TURN = 5  # scans
MOVING_FROM = 3 * TURN  # the drive begins at rest, with an empty map
ASKED = {"ours, BEV off": 5.0, "ours, BEV auto": 2.0, "ours, BEV always": 2.0}


def main() -> int:
    """Cast, run all in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--scans", type=int, default=60, help=f"a multiple of {TURN}")
    parser.add_argument("--worker", nargs=2, metavar=("SYSTEM", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.scans % TURN:
        parser.error(f"--scans must be a multiple of {TURN}")
    if arguments.worker:
        work(*arguments.worker, arguments.scans)
    missing = missing_peers()
    names = [name for name in SYSTEMS if name not in missing]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drive.npz"
        points = cast(file, arguments.scans)
        in_turns(names, file, TURN)  # compiles what is not yet, so that the processes below find it compiled
        found = [in_turns(names, file, arguments.scans) for _ in range(arguments.repeats)]
    ms = {name: np.concatenate([turns_of(one[name].ms) for one in found]) for name in names}  # (turns,) medians
    print(
        f"{cpu_model()}, one thread; simulated town, {points:.0f} points a scan, "
        f"{len(ms[names[0]])} turns of {TURN} scans, the systems one after the other"
    )
    for name in names:
        low, middle, high = np.percentile(ms[name], (10, 50, 90))
        line = f"  {name:17s} {middle:6.1f} ms CPU ({low:.1f} to {high:.1f} in 80 % of turns)"
        if "KISS-ICP" in names:
            low, ratio, high = np.percentile(ms["KISS-ICP"] / ms[name], (10, 50, 90))
            line += f", KISS-ICP takes {ratio:5.2f} times as long ({low:.2f} to {high:.2f})"
            line += f" (asked: {ASKED[name]:g}: {word(ratio >= ASKED[name])})" if name in ASKED else ""
        print(line)
    for name in ASKED:
        import_s, first_s = (max(value) for value in zip(*((one[name].import_s, one[name].wall_s[0]) for one in found)))
        next_s = max(max(one[name].wall_s[1:MOVING_FROM]) for one in found)
        print(
            f"  {name:17s} first scan after a start {first_s:.2f} s, slowest of the "
            f"next {MOVING_FROM - 1} {next_s:.2f} s (asked: 1); imports {import_s:.2f} s"
        )
    if missing:
        print(f"not compared, as not installed: {', '.join(missing)} (pip install {' '.join(PEERS[name] for name in missing)})")
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


@dataclass(slots=True, kw_only=True)
class Run:
    """What one process measured of its scans."""

    import_s: float = 0.0
    ms: list[float] = field(default_factory=list)  # CPU
    wall_s: list[float] = field(default_factory=list)


def turns_of(ms: list[float]) -> np.ndarray:
    """(K,) medians of the turns after the vehicle has started to move."""
    return np.median(np.reshape(ms[MOVING_FROM:], (-1, TURN)), axis=1)


def in_turns(names: list[str], file: Path, scans: int) -> dict[str, Run]:
    """Fresh processes, one per system; while one runs its turn the others wait."""
    workers = {name: start(name, file, scans) for name in names}
    runs = {name: Run(import_s=answer(worker)["import_s"]) for name, worker in workers.items()}
    for _ in range(0, scans, TURN):
        for name, worker in workers.items():
            worker.stdin.write("go\n")
            worker.stdin.flush()
            said = answer(worker)
            runs[name].ms += said["ms"]
            runs[name].wall_s += said["wall_s"]
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return runs


def start(name: str, file: Path, scans: int) -> subprocess.Popen:
    """A worker that says once that it is ready, then answers to every line."""
    command = [sys.executable, __file__, "--scans", str(scans), "--worker", name, str(file)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answer(worker: subprocess.Popen) -> dict:
    """The next line that a worker says, which is JSON; whatever else its system prints is passed over."""
    for line in worker.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise RuntimeError(f"a worker ended early: {' '.join(worker.args)}")


def work(name: str, file: str, count: int) -> NoReturn:
    """One run of one system, a turn for every line of the input."""
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
    print(json.dumps({"import_s": time.perf_counter() - begin}), flush=True)
    taken = 0
    for turn, _ in enumerate(sys.stdin):
        ms, wall_s = [], []
        for scan in scans[turn * TURN : (turn + 1) * TURN]:
            wall, cpu = time.perf_counter(), time.process_time()
            while taken < len(samples) and samples[taken].stamp_ns <= scan.stamp_ns + 10**8:
                system.on_imu(samples[taken])
                taken += 1
            system.on_scan(scan)
            ms.append((time.process_time() - cpu) * 1e3)
            wall_s.append(time.perf_counter() - wall)
        print(json.dumps({"ms": ms, "wall_s": wall_s}), flush=True)
    os._exit(0)  # KISS-ICP prints its own profile at an ordinary end


def cpu_model() -> str:
    """As the kernel names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")


if __name__ == "__main__":
    sys.exit(main())

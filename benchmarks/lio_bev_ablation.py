"""What BEV residuals do: the odometry with them off, auto and always, where planes leave a direction open and elsewhere.

    python benchmarks/lio_bev_ablation.py            # two seeds
    python benchmarks/lio_bev_ablation.py --full     # ten seeds in all worlds; goes on where it ended

All simulated; the three systems run on the same scans and samples. Drives and kept runs are those of lio_vs_peers.
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

from lio.figures import Figures, figures, mean, rms, word  # noqa: E402
from lio.runs import KeptRun, is_kept, runs_of  # noqa: E402
from lio.systems import edition  # noqa: E402
from lio.worlds import KITTI, SIMULATED, drive_text  # noqa: E402

NAMES = ("ours, BEV off", "ours, BEV auto", "ours, BEV always")
OFF, AUTO, _ = NAMES
OPEN_WORLDS = ("tunnel", "field")
HALF, NO_LOSS = 0.5, 1.05  # of the drift along the way; of the error elsewhere
START_S = 3.0  # in which a start may still err: where the filter begins and the map is one scan's


def main() -> int:
    """Run what is missing, print a block per world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="ten seeds, all worlds")
    parser.add_argument("--worlds", default="")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--minutes", type=float, default=1e6, help="start no drive later than this")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")), help="with kitti_poses and kitti_imu")
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/lio"))
    arguments = parser.parse_args()
    worlds = arguments.worlds.split(",") if arguments.worlds else [*OPEN_WORLDS, *(w for w in (*SIMULATED, *KITTI) if w not in OPEN_WORLDS)]
    worlds = worlds if arguments.full or arguments.worlds else list(OPEN_WORLDS)
    seeds = [int(seed) for seed in arguments.seeds.split(",")] if arguments.seeds else range(1, 11) if arguments.full else (1, 2)
    folder, deadline = arguments.out / f"{arguments.seconds:g}s", time.monotonic() + 60 * arguments.minutes
    print(
        f"simulated, {arguments.seconds:g} s a drive, sources {edition(OFF)}; "
        "drift: RMS over 100 m segments; settings but odometry.bev are the defaults"
    )
    for world in worlds:
        texts = [drive_text(world, seed, arguments.seconds, arguments.data) for seed in seeds]
        if None in texts:
            print(f"{world}: needs kitti_poses and kitti_imu in '{arguments.data}'; set BEV_LOC_DATA")
            continue
        runs = []
        for text in texts:
            if time.monotonic() < deadline or all(is_kept(text, name, folder) for name in NAMES):
                runs.append(runs_of(text, list(NAMES), folder))
        if runs:
            print(f"\n{world}, {len(runs)} of {len(texts)} drives", flush=True)
            started = {name: [figures(after_start(one[name])) for one in runs] for name in NAMES}
            report(world, {name: [figures(one[name]) for one in runs] for name in NAMES}, started)
    return 0


def after_start(run: KeptRun) -> KeptRun:
    """The run without its first seconds."""
    late = run.stamps_ns >= run.stamps_ns[0] + START_S * 1e9
    return replace(run, stamps_ns=run.stamps_ns[late], T_odom_base=run.T_odom_base[late], T_truth_base=run.T_truth_base[late])


def report(world: str, found: dict[str, list[Figures]], started: dict[str, list[Figures]]) -> None:
    """A line per setting, and whether `auto` does what it is for; `started`: the same runs after their start."""
    for name, some in found.items():
        lost = sum(one.diverged for one in some)
        print(
            f"  {name:17s} along {rms(some, 'along_percent'):7.4f} % "
            f"(after {START_S:g} s {rms(started[name], 'along_percent'):.4f} %) across "
            f"{rms(some, 'across_percent'):7.4f} %  ATE {mean(some, 'ate_m'):7.4f} m "
            f"(worst {max(one.ate_m for one in some):.3f})  end {mean(some, 'end_m'):7.4f} m (worst {max(one.end_m for one in some):.3f})  "
            f"lost {lost}/{len(some)}  {mean(some, 'ms'):5.1f} ms"
        )
    if world in OPEN_WORLDS:
        ratio = rms(found[AUTO], "along_percent") / rms(found[OFF], "along_percent")
        late = rms(started[AUTO], "along_percent") / rms(started[OFF], "along_percent")
        better = sum(b.along_percent < a.along_percent for a, b in zip(found[OFF], found[AUTO]))
        print(
            f"  -> drift along the way {ratio:.2f} of that without (asked: {HALF}): "
            f"{word(ratio <= HALF)}; after {START_S:g} s {late:.2f}; less in {better} of {len(found[OFF])} drives"
        )
    else:
        ratio = mean(found[AUTO], "ate_m") / mean(found[OFF], "ate_m")
        print(f"  -> ATE {ratio:.2f} of that without (asked: no loss, {NO_LOSS} at most): {word(ratio <= NO_LOSS)}")


if __name__ == "__main__":
    raise SystemExit(main())

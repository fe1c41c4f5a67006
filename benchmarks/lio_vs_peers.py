"""Odometry beside KISS-ICP and RKO-LIO on the same simulated scans and IMU samples, errors against the known truth.

    python benchmarks/lio_vs_peers.py            # a small part, in minutes
    python benchmarks/lio_vs_peers.py --full     # ten seeds in six worlds: an hour, but it goes on where it ended

Every system gets every scan with its points' times, the true stamps and the true mounting, in one thread. Each keeps
one setting in all worlds, but that RKO-LIO is told whether the drive begins at rest. Seed n is driven with the lidar
n modulo 3 of hdl64, vlp16, os1-64; odd seeds begin at rest, even ones in motion (in the tunnel all at rest). On
kitti05 and kitti07 the IMU samples are real (a KITTI drive's), the town around is simulated, and each seed begins
elsewhere on the track, mostly in motion. Runs are kept in --out; a peer's run is made once, ours again whenever our
sources change.
"""

import argparse
import os
import time
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import numpy as np  # noqa: E402
from lio.figures import Figures, figures, mean, word  # noqa: E402
from lio.runs import is_kept, runs_of  # noqa: E402
from lio.systems import OURS, PEERS, SYSTEMS, edition, missing_peers  # noqa: E402
from lio.worlds import KITTI, SIMULATED, DriveText, drive_text  # noqa: E402

RATIO, NEGLIGIBLE_PERCENT, END_PERCENT = 0.8, 0.1, 1.0  # what is asked for
OPEN_WORLDS = ("tunnel", "field")  # where planes leave a direction open: held to the error at the end


def main() -> int:
    """Run what is missing, print the table."""
    arguments = _arguments()
    names = _systems(arguments.systems)
    texts = _drives(arguments)
    deadline = time.monotonic() + 60 * arguments.minutes
    for text in texts:
        if time.monotonic() < deadline and not all(is_kept(text, name, arguments.out) for name in names):
            runs_of(text, names, arguments.out)
            print(f"  {text.name}: done", flush=True)
    complete = [text for text in texts if all(is_kept(text, name, arguments.out) for name in names)]
    _report(complete, names, arguments)
    if len(complete) < len(texts):
        print(f"{len(texts) - len(complete)} of {len(texts)} drives are not done yet: run it again")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="ten seeds, all worlds")
    parser.add_argument("--worlds", default="", help=f"of {', '.join([*SIMULATED, *KITTI])}")
    parser.add_argument("--seeds", default="", help="such as 1,2,3")
    parser.add_argument("--lidar", default="", help="one lidar for all seeds")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--systems", default="", help=f"of {'; '.join(SYSTEMS)}, joined by ';', or peers")
    parser.add_argument("--minutes", type=float, default=1e6, help="start no drive later than this")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")), help="with kitti_poses and kitti_imu")
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks/lio"))
    arguments = parser.parse_args()
    arguments.worlds = (
        arguments.worlds.split(",") if arguments.worlds else [*SIMULATED, *KITTI] if arguments.full else [*SIMULATED, "kitti07"]
    )
    arguments.seeds = (
        [int(seed) for seed in arguments.seeds.split(",")] if arguments.seeds else list(range(1, 11)) if arguments.full else [1]
    )
    arguments.out = arguments.out / f"{arguments.seconds:g}s"
    return arguments


def _systems(text: str) -> list[str]:
    names = [name.strip() for name in text.split(";")] if text else [OURS, *PEERS]
    names = list(PEERS) if names == ["peers"] else names
    if missing := missing_peers():
        print(f"{', '.join(missing)} not installed (pip install {' '.join(PEERS[name] for name in missing)})")
        names = [name for name in names if name not in missing]
    return names


def _drives(arguments: argparse.Namespace) -> list[DriveText]:
    """Seed by seed through all worlds, so that a table of some seeds is there early."""
    texts = []
    for seed in arguments.seeds:
        for world in arguments.worlds:
            text = drive_text(world, seed, arguments.seconds, arguments.data, arguments.lidar)
            if text is not None:
                texts.append(text)
            elif seed == arguments.seeds[0]:
                print(f"{world}: needs kitti_poses and kitti_imu in '{arguments.data}'; set BEV_LOC_DATA")
    return texts


def _report(texts: list[DriveText], names: list[str], arguments: argparse.Namespace) -> None:
    """A block per world: means over the seeds, and what was asked for."""
    if not texts:
        return
    settings = {(name, run.settings) for text in texts for name, run in runs_of(text, names, arguments.out).items()}
    for name, words in sorted(settings):
        print(f"{name}: {words} [{edition(name)}]")
    print(
        "all figures are simulated (KITTI tracks: simulated lidar, real IMU); "
        "means over seeds; ms of CPU are a loaded machine's: see lio_speed"
    )
    for world in arguments.worlds:
        here = [text for text in texts if text.world == world]
        if not here:
            continue
        runs = [runs_of(text, names, arguments.out) for text in here]
        found = {name: [figures(one[name]) for one in runs] for name in names}
        lidars = sorted({text.lidar for text in here})
        print(f"\n{world}: {len(here)} drives of {arguments.seconds:g} s, {', '.join(lidars)}")
        for name, some in found.items():
            print(_row(name, some), *sorted({one[name].failure for one in runs} - {""}))
        if OURS in found:
            print(_verdict(world, found))


def _row(name: str, some: list[Figures]) -> str:
    path = mean(some, "path_m")
    worst = max(some, key=lambda one: one.ate_m if np.isfinite(one.ate_m) else -1.0)
    return (
        f"  {name:17s} ATE {mean(some, 'ate_m'):8.4f} m = "
        f"{100 * mean(some, 'ate_m') / path:7.4f} % of {path:.0f} m (worst {worst.ate_m:.3f})"
        f"  segments {mean(some, 'kitti_percent'):7.3f} % {mean(some, 'kitti_deg_per_m'):.5f} deg/m"
        f"  end {100 * np.mean([one.end_m / one.path_m for one in some]):7.3f} "
        f"% (worst {100 * max(one.end_m / one.path_m for one in some):.3f})"
        f"  lost {sum(one.diverged for one in some)}/{len(some)}  {mean(some, 'ms'):5.1f} ms"
    )


def _verdict(world: str, found: dict[str, list[Figures]]) -> str:
    """What was asked for against what came out."""
    ours = found[OURS]
    lost = sum(one.diverged for one in ours)
    if world in OPEN_WORLDS:
        worst = 100 * max(one.end_m / one.path_m for one in ours)
        said = [f"error at the end at most {worst:.3f} % of the path (asked: {END_PERCENT:g}): {word(worst <= END_PERCENT)}"]
    else:
        said = []
        for key, what in (("ate_m", "ATE"), ("kitti_percent", "segments")):
            best = min((mean(found[name], key) for name in found if name in PEERS), default=float("nan"))
            share = 100 / mean(ours, "path_m") if key == "ate_m" else 1.0
            small = mean(ours, key) * share < NEGLIGIBLE_PERCENT and best * share < NEGLIGIBLE_PERCENT
            ratio = mean(ours, key) / best
            said.append(f"{what} {ratio:.2f} of the better peer's (asked: {RATIO}, or both below 0.1 %): {word(ratio <= RATIO or small)}")
    return "  -> " + "; ".join([*said, f"lost {lost} of {len(ours)}: {word(lost == 0)}"])


if __name__ == "__main__":
    raise SystemExit(main())

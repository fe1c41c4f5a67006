"""Fifty writers of maps are killed (SIGKILL) at random moments: every map opens and checks, nothing before the last keyframe is lost.

Most are processes that only write: the writer of `run`, a keyframe after the other, closures that move all places,
whole tables every few keyframes, so that nearly every moment is inside some file. The others are `bev_loc run` as it is.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from map_scale import drive

from bev_loc.config import BevConfig, Config
from bev_loc.geometry import se3
from bev_loc.maps import writer
from bev_loc.maps.bundle import load_map
from bev_loc.maps.contents import MapBundle, entry
from bev_loc.place.describe import make_describer
from bev_loc.place.keyframes import KeyframeStore
from bev_loc.records import Closure

MOVED_M = 0.02  # what each closure moves the whole map by
LONGEST = 60  # keyframes before a kill
RUN_SOURCE = "sim:town,seconds=40,lidar=vlp16"


def write_for_ever(path: Path) -> None:
    """A map that grows until somebody ends it; says the id of each keyframe that is safe."""
    config = replace(Config(), bev=BevConfig(range_m=20.0))
    describer = make_describer(config.place, config.bev)
    store = KeyframeStore(config.keyframes, config.bev, describer, submap_keyframes=0)
    kinds = [store.make(odometry, id=n, session=0) for n, odometry in enumerate(drive(6, 2000))]
    writer.AT_LEAST = 4
    bundle = MapBundle(entries=(), keyframes={}, closures=(), bev=config.bev, describer=describer.name)
    out, keyframes, closures, sideways_m = writer.MapWriter(path, bundle), {}, [], 0.0
    print("ready", flush=True)
    for id in range(100 * LONGEST):
        keyframes[id] = replace(kinds[id % 6], id=id, stamp_ns=id, T_odom_kf=se3.from_se2(2.0 * id, 0.0, 0.0), path_m=2.0 * id)
        sideways_m += MOVED_M * (id % 3 == 0)
        places = {n: se3.from_se2(2.0 * n, sideways_m, 0.0) for n in keyframes}
        new = (closure_of(id),) if has_closure(id) else ()
        closures += new
        out.append(keyframes[id], places[id], new, places)
        print(id, flush=True)
        if out.checkpoint_is_due:
            entries = tuple(entry(keyframe, places[n]) for n, keyframe in keyframes.items())
            out.checkpoint(replace(bundle, entries=entries, keyframes=keyframes, closures=tuple(closures)))


def has_closure(id: int) -> bool:
    """Every third keyframe closes a loop to the fifth before it."""
    return id % 3 == 0 and id > 5


def closure_of(id: int) -> Closure:
    """The one that keyframe `id` comes with."""
    return Closure(
        query_id=id, match_id=id - 5, accepted=True, reason="accepted", method="keypoints", T_match_query=se3.from_se2(10.0, 0.0, 0.0),
        information=np.eye(6), descriptor_distance=0.1,
    )  # fmt: skip


def kill_writer(path: Path, rng: np.random.Generator) -> int:
    """How many keyframes were safe when it was killed, at whatever it was doing then."""
    process = subprocess.Popen([sys.executable, __file__, "--write", str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(int(rng.integers(1, LONGEST)))]
    assert said[0] == "ready\n", "the writer did not begin"
    time.sleep(float(rng.uniform(0.0, 0.02)))
    os.kill(process.pid, signal.SIGKILL)
    said += process.stdout
    process.wait()
    return len(said) - 1


def kill_run(path: Path, rng: np.random.Generator, source: str) -> int:
    """How many keyframes `bev_loc run` had made and passed on when it was killed."""
    out = path.with_name("out")
    words = ["run", source, "--out", str(out), "--save-map", str(path)]
    process = subprocess.Popen([sys.executable, "-m", "bev_loc", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    target = int(rng.integers(1, LONGEST))
    while process.poll() is None and _keyframes(out) < target:
        time.sleep(0.05)
    time.sleep(float(rng.uniform(0.0, 0.2)))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return max(0, _keyframes(out) - 1)  # the last one is logged before it is written


def _keyframes(out: Path) -> int:
    try:
        return sum(json.loads(line)["event"] == "keyframe" for line in _whole_lines(out / "events.jsonl"))
    except FileNotFoundError:
        return 0


def _whole_lines(file: Path) -> Iterator[str]:
    return (line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n"))


def survived(path: Path, safe: int) -> str:
    """Empty, or what is wrong with the map that a killed writer left."""
    bundle = load_map(path)  # MapError ends the benchmark: every file is compared with its checksum
    ids = [placed.id for placed in bundle.entries]
    if ids != list(range(len(ids))):
        return f"ids {ids}"
    if not safe <= len(ids):
        return f"{len(ids)} keyframes of {safe}"
    if any(bundle.keyframes[id].id != id for id in ids):
        return "keyframes under other ids"
    return ""


def as_written(path: Path, safe: int) -> str:
    """Empty, or what is wrong with the map of a killed writer that had reported so many: it knows more than `survived` asks."""
    bundle = load_map(path)
    count = len(bundle.entries)
    if count > safe + 1:
        return f"{count} keyframes, though {safe} were reported"
    closed = [closure.query_id for closure in bundle.closures]
    if closed not in ([id for id in range(n) if has_closure(id)] for n in (safe, count)):
        return f"closures of {closed} with {safe} keyframes reported"
    sideways_m = np.array([placed.T_map_kf[1, 3] for placed in bundle.entries])  # one closure moved them together
    return f"places apart by {np.ptp(sideways_m):.3f} m" if len(sideways_m) and np.ptp(sideways_m) > 0.5 * MOVED_M else ""


def main() -> None:
    """The table; exit code 1 if a map did not survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="be the writer")
    parser.add_argument("--writers", type=int, default=45)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--source", default=RUN_SOURCE, help="of the runs; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.write:
        return write_for_ever(arguments.write)
    lengths, wrong = [], []
    for number in range(arguments.writers + arguments.runs):
        rng, whole_run = np.random.default_rng([arguments.seed, number]), number >= arguments.writers
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "map"
            safe = kill_run(path, rng, arguments.source) if whole_run else kill_writer(path, rng)
            found = survived(path, safe) or ("" if whole_run else as_written(path, safe))
            lengths.append(len(load_map(path).entries))
            wrong += [f"kill {number}: {found}"] if found else []
    print(f"{arguments.writers} writers and {arguments.runs} runs killed after {min(lengths)} to {max(lengths)} keyframes "
          f"(median {np.median(lengths):.0f}): {len(wrong)} maps damaged or short")  # fmt: skip
    print("\n".join(wrong), end="")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()

"""Real data: every keyframe of a second lap looks for its place in the map of the first, alone and without a prior.

Each keyframe of MulRan's lap 2 is its own start in a new localizer: one cloud, nothing before it, so that neither
lap's odometry can help (lap 2's has twice the scale from keyframe 216 on). One closure is therefore enough here
(`localization.consistent_hits=1`, the verifier alone decides); the default asks for two. The verdict is the table's:
relative to the lap-1 keyframe of the table's row, as the map has it, within 2 m and 5 degrees. Lap-2 keyframes without
a row are reported without a verdict.

Foreign maps: every tenth lap-2 keyframe in a map of a simulated town and in one of hdl64_city, of the same raster, and
the other way round. There nothing may be accepted.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bev_loc.config import Config
from bev_loc.config_io import override_text
from bev_loc.geometry import se3
from bev_loc.localizer import Localizer
from bev_loc.maps.contents import MapBundle
from bev_loc.records import ImuSample, LidarScan, Odometry, OdometryHealth, Step
from bev_loc.sources.base import Source
from bev_loc.sources.open import open_source

LIMIT_M, LIMIT_DEG = 2.0, 5.0
EVERY = 10
_NO_HEALTH = OdometryHealth(points_in=0, points_used=0, matches=0, rmse_m=float("nan"), iterations=0)
TOWN = "sim:town,seed=31,seconds=40,lidar=os1-64"


def mapped(source: Source, config: Config) -> MapBundle:
    """The map that one drive makes."""
    calibration = {} if source.T_base_imu is None else {"T_base_imu": source.T_base_imu}
    localizer = Localizer(config, **calibration)
    for item in source.stream():
        match item:
            case ImuSample():
                localizer.on_imu(item)
            case LidarScan():
                localizer.on_scan(item)
            case Odometry():
                localizer.on_odometry(item)
    return localizer.bundle()


def alone(query: Odometry, bundle: MapBundle, config: Config) -> Step:
    """What a localizer says that has seen this keyframe only."""
    trusting = replace(config, localization=replace(config.localization, consistent_hits=1))
    return Localizer(trusting, known_map=bundle, clock=time.thread_time).on_odometry(query)


def as_queries(bundle: MapBundle, every: int) -> Iterator[Odometry]:
    """Keyframes of a map, each as if it were the first thing seen."""
    for entry in bundle.entries[::every]:
        keyframe = bundle.keyframes[entry.id]
        yield Odometry(
            stamp_ns=keyframe.stamp_ns, T_odom_base=keyframe.T_odom_kf, covariance=np.eye(6) * 1e-4,
            points_base=keyframe.points_kf, health=_NO_HEALTH, is_keyframe=True,
        )  # fmt: skip


def table_of(path: Path) -> dict[int, list[tuple[int, np.ndarray]]]:
    """Lap-2 keyframe -> (lap-1 keyframe, T_first_second) of its rows."""
    rows: dict[int, list[tuple[int, np.ndarray]]] = {}
    for row in np.loadtxt(path, delimiter=","):
        rows.setdefault(int(row[1]), []).append((int(row[0]), np.vstack([row[4:].reshape(3, 4), [0, 0, 0, 1]])))
    return rows


def error(step: Step, rows: list[tuple[int, np.ndarray]], bundle: MapBundle) -> tuple[float, float]:
    """Metres and degrees between an answer and the row that it fits best."""
    T_map_base, T_map_kf = step.T_map_odom @ step.odometry.T_odom_base, bundle.T_map_kf
    found = [se3.distance(T_map_kf[first] @ T_first_second, T_map_base) for first, T_first_second in rows]
    metres, radians = min(found)
    return metres, float(np.degrees(radians))


def laps(folder: Path, config: Config, every: int) -> tuple[MapBundle, list[Odometry]]:
    """The table of both laps; the map of lap 1 and the keyframes of lap 2 for later."""
    first, second = (open_source(str(folder / f"lap{n}.npz"), config.input) for n in (1, 2))
    bundle, rows = mapped(first, config), table_of(folder / "crosslap_pairs.csv")
    queries = [item for item in second.stream() if isinstance(item, Odometry)]
    known, errors, other, reasons, cost_ms = 0, [], 0, Counter(), []
    for n, query in list(enumerate(queries))[::every]:
        step = alone(query, bundle, config)
        cost_ms.append(1e3 * sum(s for name, s in step.stage_s if name in ("verify near", "search", "verify")))
        reasons.update(closure.reason for closure in step.closures)
        answered = step.T_map_odom is not None
        if n not in rows:
            other += answered
            continue
        known += 1
        errors += [(n, *error(step, rows[n], bundle))] if answered else []
    wrong = [e for e in errors if e[1] > LIMIT_M or e[2] > LIMIT_DEG]
    metres, degrees = np.array([e[1:] for e in errors]).T
    print(f"lap 2 in the map of lap 1 ({len(bundle.entries)} keyframes, {config.place.descriptor}), each keyframe alone:")
    print(f"  of {known} in the table: {len(errors) - len(wrong)} within {LIMIT_M:g} m and {LIMIT_DEG:g} degrees, "
          f"{len(wrong)} outside {[(n, round(m, 1)) for n, m, _ in wrong]}, {known - len(errors)} refused")
    print(
        f"  median {np.median(metres):.2f} m, {np.median(degrees):.2f} degrees; "
        f"without a row: {other} of {len(queries[::every]) - known} answered"
    )
    print(
        f"  search and verification: median {np.median(cost_ms):.0f} ms CPU, 95 "
        f"% {np.percentile(cost_ms, 95):.0f} ms; {dict(reasons.most_common())}"
    )
    return bundle, queries


def strangers(name: str, queries: list[Odometry], bundle: MapBundle, config: Config) -> int:
    """How many are accepted where none belongs."""
    steps = [alone(query, bundle, config) for query in queries]
    accepted = sum(closure.accepted for step in steps for closure in step.closures)
    reasons = Counter(closure.reason for step in steps for closure in step.closures)
    print(f"  {name}: {accepted} accepted of {len(queries)} queries, {sum(reasons.values())} candidates; {dict(reasons.most_common())}")
    return accepted


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")))
    parser.add_argument("--every", type=int, default=1, help="only every so-manieth keyframe of lap 2")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    config = override_text(Config(), arguments.set)
    data = arguments.data
    if not (data / "mulran_riverside02").is_dir():
        print(f"mulran_riverside02: not in {data}; set BEV_LOC_DATA to measure on it")
        return
    lap1, lap2 = laps(data / "mulran_riverside02", config, arguments.every)
    worlds = {"a simulated town": mapped(open_source(TOWN, config.input), config)}
    if (data / "hdl64_city").is_dir():
        worlds["hdl64_city"] = mapped(open_source(str(data / "hdl64_city"), config.input), config)
    print(f"foreign maps of the same raster, every {EVERY}th keyframe:")
    wrong = 0
    for name, bundle in worlds.items():
        wrong += strangers(f"lap 2 in {name}", lap2[::EVERY], bundle, config)
        wrong += strangers(f"{name} in lap 1", list(as_queries(bundle, EVERY)), lap1, config)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

"""Localization in a simulated town on another day: random starts, kidnappings, tracking. Everything is simulated.

The map: `pass=map` in summer with one lidar. The other day is winter (no leaves, other parked cars), with another lidar or
the same one: `pass=back` drives all of the way against its direction in the oncoming lane, `pass=other` drives parts of it
in another order, nearly all in the same direction. Whole scans with IMU through the odometry of the
package; every start begins in motion, with an odometry that knows nothing. Each start and each kidnapping is written when it
is done, so that an interrupted run goes on where it stopped (`--out`).
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bev_loc.config import Config
from bev_loc.config_io import override_text
from bev_loc.evaluation.trajectory import compare
from bev_loc.geometry import se3
from bev_loc.geometry.trajectory import path_length_m
from bev_loc.localizer import Localizer
from bev_loc.maps.bundle import load_map, save_map
from bev_loc.maps.contents import MapBundle
from bev_loc.records import ImuSample, LidarScan, State, Step
from bev_loc.sim.options import parse
from bev_loc.sim.simulation import Simulation, simulate

TOWN = "town,seed=21,blocks=5"
DRIVE_M = 10.0  # within which a start must be answered
LIMIT_M, LIMIT_DEG = 2.0, 5.0
NOTICE_S = 3.0
BEFORE_S = 8.0  # of tracking before a kidnapping


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Day:
    """A drive whose scans can be cast from anywhere, and where it is on the way."""

    simulation: Simulation
    scanner: object
    path_m: np.ndarray  # (N,) at the beginning of each scan

    @classmethod
    def of(cls, text: str) -> "Day":
        """The drive of these options."""
        simulation = simulate(parse(text))
        t = simulation.begin_s + np.arange(simulation.scan_count) / simulation.lidar.rate_hz
        return cls(simulation=simulation, scanner=simulation.scanner(), path_m=path_length_m(simulation.drive.poses(t)))

    def pieces(self, first: int, count: int, shift_ns: int = 0) -> Iterator[tuple[ImuSample | LidarScan, np.ndarray]]:
        """`count` scans from `first` on with their IMU samples, each with T_world_base at the item's end."""
        simulation, imu = self.simulation, self.simulation.imu
        period_s, stamps_ns = 1.0 / simulation.lidar.rate_hz, np.array([simulation.stamp_ns(t) for t in imu.t_s])
        at = int(np.searchsorted(stamps_ns, simulation.stamp_ns(simulation.begin_s + first * period_s)))
        for index in range(first, min(first + count, simulation.scan_count)):
            end_s = simulation.begin_s + (index + 1) * period_s
            while at < len(stamps_ns) and stamps_ns[at] <= simulation.stamp_ns(end_s):
                sample = ImuSample(stamp_ns=int(stamps_ns[at]) + shift_ns, gyro_rad_s=imu.gyro_rad_s[at], acc_m_s2=imu.acc_m_s2[at])
                yield sample, np.eye(4)
                at += 1
            sweep = self.scanner.sweep(index)
            last_s = (sweep.stamp_ns - simulation.stamp_ns(0.0)) * 1e-9 + float(sweep.offsets_s.max())
            scan = LidarScan(stamp_ns=sweep.stamp_ns + shift_ns, points_lidar=sweep.points_lidar, offsets_s=sweep.offsets_s)
            yield scan, simulation.drive.poses(np.array([last_s]))[0]


class Town:
    """A map with its place in the world, and how to judge poses in it."""

    def __init__(self, config: Config, bundle: MapBundle, T_map_world: np.ndarray) -> None:
        self.config, self.bundle, self._T_map_world = config, bundle, T_map_world

    def localizer(self, day: Day) -> Localizer:
        """One that knows nothing of its place."""
        return Localizer(
            self.config, known_map=self.bundle, T_base_imu=day.simulation.T_base_imu, clock=time.thread_time
        )

    def error(self, step: Step, T_world_base: np.ndarray) -> tuple[float, float] | None:
        """Metres and degrees; None without a place."""
        if step.T_map_odom is None or step.odometry is None:
            return None
        T_map_base = step.T_map_odom @ step.odometry.T_odom_base
        metres, radians = se3.distance(self._T_map_world @ T_world_base, T_map_base)
        return metres, float(np.degrees(radians))


def make_map(config: Config, lidar: str, out: Path) -> Town:
    """The town mapped, unless it is there already."""
    folder = out / "map"
    if not (out / "map.npy").is_file():
        day = Day.of(f"{TOWN},lidar={lidar}")
        localizer = Localizer(config, T_base_imu=day.simulation.T_base_imu)
        for item, _ in day.pieces(0, day.simulation.scan_count):
            localizer.on_imu(item) if isinstance(item, ImuSample) else localizer.on_scan(item)
        errors = compare(localizer.trajectory(), day.simulation.truth())
        bundle = localizer.bundle()
        save_map(folder, bundle)
        np.save(out / "map.npy", se3.inverse(errors.T_ref_est))
        print(
            f"map: {day.path_m[-1]:.0f} m, {len(bundle.entries)} keyframes, {len(bundle.closures)} closures, ATE {errors.ate_rmse_m:.3f} m"
        )
    return Town(config, load_map(folder), np.load(out / "map.npy"))


def start(town: Town, day: Day, first: int) -> dict:
    """Driving off from scan `first`: when the place was known, and how wrong it was until the ten metres were over."""
    localizer, found, errors, reasons = town.localizer(day), None, [], Counter()
    cost_ms = []
    for item, T_world_base in day.pieces(first, day.simulation.scan_count):
        if isinstance(item, ImuSample):
            localizer.on_imu(item)
            continue
        index = first + sum(1 for _ in errors)
        driven_m = float(day.path_m[min(index + 1, len(day.path_m) - 1)] - day.path_m[first])
        if driven_m > DRIVE_M:
            break
        step = localizer.on_scan(item)
        reasons.update(closure.reason for closure in step.closures)
        cost_ms += _search_ms(step)
        error = town.error(step, T_world_base)
        errors.append(error)
        if error is not None and found is None:
            found = driven_m
    known = [error for error in errors if error is not None]
    return {
        "first": first,
        "found_m": found,
        "first_error": known[0] if known else None,
        "worst_m": max((e[0] for e in known), default=None),
        "worst_deg": max((e[1] for e in known), default=None),
        "given_up": found is not None and errors[-1] is None,
        "reasons": dict(reasons),
        "cost_ms": cost_ms,
    }


def kidnapping(town: Town, day: Day, first: int, there: int) -> dict:
    """Tracking from scan `first`, then in an instant at scan `there`; the IMU feels nothing."""
    localizer, before = town.localizer(day), round(BEFORE_S * day.simulation.lidar.rate_hz)
    state, period_ns = State.SEARCHING, round(1e9 / day.simulation.lidar.rate_hz)
    for item, _ in day.pieces(first, before):
        if isinstance(item, ImuSample):
            localizer.on_imu(item)
        else:
            state = localizer.on_scan(item).state
    tracked, noticed_s, found_m, worst = state is State.TRACKING, None, None, (0.0, 0.0)
    shift_ns, n = (first + before - there) * period_ns, 0
    for item, T_world_base in day.pieces(there, day.simulation.scan_count, shift_ns):
        if isinstance(item, ImuSample):
            localizer.on_imu(item)
            continue
        driven_m = float(day.path_m[min(there + n + 1, len(day.path_m) - 1)] - day.path_m[there])
        n += 1
        if driven_m > 2 * DRIVE_M or found_m is not None:
            break
        step = localizer.on_scan(item)
        error = town.error(step, T_world_base)
        if noticed_s is None and (error is None or error[0] < LIMIT_M):  # it may find the new place at once
            noticed_s = n / day.simulation.lidar.rate_hz
        if noticed_s is not None and error is not None:
            worst = max(worst, error)
            found_m = driven_m if error[0] <= LIMIT_M and error[1] <= LIMIT_DEG else None
    return {"first": first, "there": there, "tracked": tracked, "noticed_s": noticed_s, "found_m": found_m, "worst": worst}


def tracking(town: Town, day: Day, scans: int) -> dict:
    """The whole drive from its beginning: errors of every pose since the place was known."""
    localizer, errors, states, cost_ms, closures = town.localizer(day), [], Counter(), [], Counter()
    for item, T_world_base in day.pieces(0, scans):
        if isinstance(item, ImuSample):
            localizer.on_imu(item)
            continue
        step = localizer.on_scan(item)
        states[step.state.value] += 1
        closures.update(closure.reason for closure in step.closures)
        cost_ms += _search_ms(step)
        error = town.error(step, T_world_base)
        if error is not None:
            errors.append(error)
    metres, degrees = np.array(errors).reshape(-1, 2).T
    quantile = (
        {f"{name}_{q}": float(np.percentile(v, q)) for name, v in (("m", metres), ("deg", degrees)) for q in (50, 95, 100)}
        if errors
        else {}
    )
    return quantile | {"scans": sum(states.values()), "states": dict(states), "cost_ms": cost_ms, "reasons": dict(closures)}


def _search_ms(step: Step) -> list[float]:
    """CPU time of closure search and verification of one keyframe, description left out."""
    return [1e3 * sum(s for name, s in step.stage_s if name in ("verify near", "search", "verify"))] if step.keyframe is not None else []


def kept(path: Path, keys: list[tuple], make: Callable[..., dict]) -> list[dict]:
    """`make` of every key; those done earlier are read from `path`."""
    done = {tuple(row["key"]): row for row in map(json.loads, path.read_text().splitlines())} if path.is_file() else {}
    for key in keys:
        if key not in done:
            done[key] = {"key": list(key)} | make(*key)
            with path.open("a") as file:
                file.write(json.dumps(done[key]) + "\n")
    return [done[key] for key in keys]


def main() -> None:
    """Map once, then starts, kidnappings and tracking on the other day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/localization_sim"))
    parser.add_argument("--starts", type=int, default=10, help="on each drive; 50 for the whole table")
    parser.add_argument("--kidnappings", type=int, default=4, help="on each drive")
    parser.add_argument("--track", type=int, default=300, help="scans of each tracked drive; 0: all")
    parser.add_argument("--passes", nargs="+", default=["other", "back"])
    parser.add_argument("--map-lidar", default="hdl64")
    parser.add_argument("--lidars", nargs="+", default=["os1-64"], help="of the other day")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    config = override_text(Config(), arguments.set)
    arguments.out.mkdir(parents=True, exist_ok=True)
    town = make_map(config, arguments.map_lidar, arguments.out)
    for lidar in arguments.lidars:
        for drive in arguments.passes:
            report(f"{lidar}-{drive}", town, Day.of(f"{TOWN},lidar={lidar},pass={drive},season=1"), arguments)


def report(name: str, town: Town, day: Day, arguments: argparse.Namespace) -> None:
    """One drive's table."""
    rng = np.random.default_rng(5)
    way_m = rng.uniform(2.0, day.path_m[-1] - 25.0, 1000)
    scans = [int(n) for n in np.searchsorted(day.path_m, way_m)]
    rows = kept(arguments.out / f"starts-{name}.jsonl", [(n,) for n in scans[: arguments.starts]], lambda n: start(town, day, n))
    found = [r for r in rows if r["found_m"] is not None]
    wrong = [r for r in found if r["worst_m"] > LIMIT_M or r["worst_deg"] > LIMIT_DEG]
    first = np.array([r["first_error"] for r in found]).reshape(-1, 2)
    cost = [ms for r in rows for ms in r["cost_ms"]]
    reasons = sum((Counter(r["reasons"]) for r in rows), Counter())
    print(
        f"\n{name}: {len(found)} of {len(rows)} starts located within {DRIVE_M:g} "
        f"m, {len(wrong)} wrong by more than {LIMIT_M:g} m or {LIMIT_DEG:g} degrees"
    )
    if found:
        print(
            f"  after {np.median([r['found_m'] for r in found]):.1f} m (median); first "
            f"pose {np.median(first[:, 0]):.3f} m, {np.median(first[:, 1]):.2f} deg"
        )
    if cost:
        print(
            f"  search and verification: median {np.median(cost):.0f} ms CPU, 95 "
            f"% {np.percentile(cost, 95):.0f} ms; {dict(reasons.most_common())}"
        )
    pairs = list(zip(scans[200:], scans[400:]))
    keys = [(a, b) for a, b in pairs if _apart_m(day, a, b) > 60 and day.path_m[-1] - day.path_m[a] > 100][: arguments.kidnappings]
    rows = kept(arguments.out / f"kidnappings-{name}.jsonl", keys, lambda a, b: kidnapping(town, day, a, b))
    rows = [r for r in rows if r["tracked"]]
    noticed = sum(r["noticed_s"] is not None and r["noticed_s"] <= NOTICE_S for r in rows)
    again = sum(r["found_m"] is not None and r["found_m"] <= DRIVE_M for r in rows)
    print(f"  kidnapped while tracking: {len(rows)}; noticed within {NOTICE_S:g} s: {noticed}; found again within {DRIVE_M:g} m: {again}")
    row = kept(
        arguments.out / f"tracking-{name}.jsonl", [(arguments.track,)], lambda n: tracking(town, day, n or day.simulation.scan_count)
    )[0]
    if "m_50" in row:
        print(f"  tracking: {row['m_50']:.3f} m, {row['deg_50']:.2f} deg median; {row['m_95']:.3f}, {row['deg_95']:.2f} 95 %; "
              f"{row['m_100']:.2f}, {row['deg_100']:.2f} worst; {row['states']}; "
              f"{np.median(row['cost_ms']):.0f} ms CPU a keyframe (median)")  # fmt: skip


def _apart_m(day: Day, a: int, b: int) -> float:
    t = day.simulation.begin_s + np.array([a, b]) / day.simulation.lidar.rate_hz
    return float(np.linalg.norm(np.diff(day.simulation.drive.poses(t)[:, :3, 3], axis=0)))


if __name__ == "__main__":
    main()

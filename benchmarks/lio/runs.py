"""Runs of several systems over one simulated drive, cast once, and kept in a folder: what is there is not run again."""

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bev_loc.config import InputConfig
from bev_loc.evaluation.trajectory import associate
from bev_loc.records import ImuSample, LidarScan
from bev_loc.sources.open import open_source

from .systems import SYSTEMS, Setup, System, edition
from .worlds import DriveText


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptRun:
    """What one system said on one drive, beside the truth."""

    stamps_ns: np.ndarray  # (N,)
    T_odom_base: np.ndarray  # (N, 4, 4)
    T_truth_base: np.ndarray  # (N, 4, 4)
    ms: np.ndarray  # (S,) CPU time of every scan with the samples before it
    scans: int
    failure: str  # the system's own complaint, at which it ended
    settings: str
    edition: str
    drive_digest: str  # of the scans and samples that it saw


@dataclass(slots=True)
class _Running:
    system: System
    stamps_ns: list[int] = field(default_factory=list)
    poses: list[np.ndarray] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    since_scan_s: float = 0.0
    failure: str = ""


def runs_of(text: DriveText, names: list[str], folder: Path) -> dict[str, KeptRun]:
    """A run of every system, from the folder where it is still valid, else made now."""
    place = folder / text.name
    kept = {name: run for name in names if (run := _read(place, name, text.sim)) is not None}
    while wanted := _still_wanted(names, kept):
        for name, run in _drive(text, wanted).items():
            kept[name] = run
            _write(place, name, text.sim, run)
    return {name: kept[name] for name in names}


def _still_wanted(names: list[str], kept: dict[str, KeptRun]) -> list[str]:
    """What is missing; all, when some saw an older simulator's drive."""
    missing = [name for name in names if name not in kept]
    return missing or (names if len({run.drive_digest for run in kept.values()}) > 1 else [])


def is_kept(text: DriveText, name: str, folder: Path) -> bool:
    """Whether `runs_of` has this one."""
    return _read(folder / text.name, name, text.sim) is not None


def _drive(text: DriveText, names: list[str]) -> dict[str, KeptRun]:
    source = open_source(f"sim:{text.sim}", InputConfig())
    options = source.simulation.options
    setup = Setup(
        T_base_lidar=source.T_base_lidar, T_base_imu=source.T_base_imu, starts_at_rest=options.start == 0.0 and not options.imu_file
    )
    running = {name: _Running(SYSTEMS[name](setup)) for name in names}
    digest, scans = hashlib.blake2b(digest_size=16), 0
    for item in source.stream():
        scans += isinstance(item, LidarScan)
        _add_to(digest, item, scans)
        for one in running.values():
            if not one.failure:
                _step(one, item)
    truth = source.truth()
    runs = {}
    for name, one in running.items():
        stamps_ns, poses = np.array(one.stamps_ns, np.int64), np.array(one.poses).reshape(-1, 4, 4)
        few = len(poses) < 3  # a peer that gave up at once
        estimated, true = (poses, poses) if few else associate((stamps_ns, poses), (truth.stamps_ns, truth.T_truth_base))
        runs[name] = KeptRun(
            stamps_ns=stamps_ns, T_odom_base=estimated, T_truth_base=true, ms=np.array(one.ms), scans=scans,
            failure=one.failure, settings=one.system.settings, edition=edition(name), drive_digest=digest.hexdigest(),
        )  # fmt: skip
    return runs


def _step(one: _Running, item: object) -> None:
    """One scan or sample into one system, with its CPU time."""
    begin, posed = time.process_time(), None
    try:
        if isinstance(item, ImuSample):
            one.system.on_imu(item)
        else:
            posed = one.system.on_scan(item)
    except (RuntimeError, ValueError) as error:  # a peer's own complaint ends its run, and is printed
        one.failure = f"{type(error).__name__}: {error}"
    one.since_scan_s += time.process_time() - begin
    if isinstance(item, LidarScan):
        one.ms.append(one.since_scan_s * 1e3)
        one.since_scan_s = 0.0
        if posed is not None:
            one.stamps_ns.append(posed.stamp_ns)
            one.poses.append(posed.T_odom_base)


def _add_to(digest: "hashlib._Hash", item: object, scans: int) -> None:
    if isinstance(item, ImuSample):
        digest.update(np.int64(item.stamp_ns).tobytes() + item.gyro_rad_s.tobytes() + item.acc_m_s2.tobytes())
    elif scans % 10 == 1:
        digest.update(item.points_lidar.tobytes())


def _paths(place: Path, name: str) -> tuple[Path, Path]:
    slug = name.lower().replace(",", "").replace(" ", "-")
    return place / f"{slug}.json", place / f"{slug}.npz"


def _write(place: Path, name: str, sim: str, run: KeptRun) -> None:
    place.mkdir(parents=True, exist_ok=True)
    facts, arrays = _paths(place, name)
    facts.unlink(missing_ok=True)
    np.savez_compressed(arrays, stamps_ns=run.stamps_ns, T_odom_base=run.T_odom_base, T_truth_base=run.T_truth_base, ms=run.ms)
    words = {key: getattr(run, key) for key in ("scans", "failure", "settings", "edition", "drive_digest")}
    facts.write_text(json.dumps({"sim": sim, "system": name, **words}, indent=1))  # last: it says that the run is complete


def _read(place: Path, name: str, sim: str) -> KeptRun | None:
    facts, arrays = _paths(place, name)
    if not facts.is_file():
        return None
    words = json.loads(facts.read_text())
    if words.pop("sim") != sim or words.pop("system") != name or words["edition"] != edition(name):
        return None
    with np.load(arrays) as file:
        return KeptRun(**words, **{key: file[key] for key in file})

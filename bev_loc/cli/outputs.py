"""The folder that a run writes: claimed before the work, filled whatever happens during it."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..config import Config
from ..config_io import dump
from ..errors import OutputError
from ..evaluation.run_record import RunRecord
from ..evaluation.trajectory import Trajectory
from ..geometry.trajectory import write_tum
from ..maps.folder import make_folder
from ..thread_environment import thread_environment
from . import events
from .options import plain

FILES = ("odometry.tum", "trajectory.tum", events.FILE, "timing.json", "config.yaml", "report.html", "recording.rrd")


def make_writable(folder: Path) -> None:
    """Makes `folder` if need be; OutputError when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder}: expected a folder that can be written ({error.strerror}); name another with --out"
        ) from None


def claim_folder(folder: Path, force: bool) -> None:
    """Makes `folder` ready for a run: there, writable, without an earlier run's files.

    OutputError when it cannot be written, or when files of these names are in it that no run wrote.
    """
    make_writable(folder)
    present = [name for name in FILES if (folder / name).exists()]
    if present and not force and not events.is_event_log(folder / events.FILE):
        raise OutputError(
            f"{folder}: holds {', '.join(present)}, not written by an earlier run; name another folder with --out, "
            "or overwrite with --force"
        )
    for name in present:
        (folder / name).unlink()


def claim_map(path: Path) -> None:
    """Makes sure, before the work, that a map can be saved to folder `path`: new, empty, or a map to be replaced."""
    if path.is_file():
        raise OutputError(f"{path}: is a file; a map is a folder, name another one with --save-map")
    if path.is_dir() and any(path.iterdir()) and not (path / "map.json").is_file():
        raise OutputError(f"{path}: holds files but no map; name a new or empty folder, or a map, with --save-map")
    make_folder(path)


def write_trajectories(folder: Path, record: RunRecord, trajectory: Trajectory) -> None:
    """odometry.tum and trajectory.tum (optimised, in the map frame)."""
    write_tum(folder / "odometry.tum", *record.odometry)
    write_tum(folder / "trajectory.tum", *trajectory)


def write_timing(folder: Path, record: RunRecord, wall_s: float) -> None:
    """timing.json: the step and its stages."""
    timing = {
        "wall_s": wall_s,
        "scan_ms": milliseconds(record.step_s),
        "stages_ms": {stage: milliseconds(durations) for stage, durations in record.stage_s.items()},
        "environment": thread_environment(),
    }
    (folder / "timing.json").write_text(json.dumps(plain(timing), indent=1) + "\n")


def write_config(folder: Path, config: Config) -> None:
    """config.yaml: what the run used, ready for --config."""
    (folder / "config.yaml").write_text(dump(config))


def milliseconds(durations_s: list[float]) -> dict[str, Any]:
    """Count, total and quantiles of durations, in milliseconds."""
    if not durations_s:
        return {"count": 0}
    ms = np.array(durations_s) * 1e3
    median, p90, p99 = np.percentile(ms, [50, 90, 99])
    return {"count": len(ms), "total": ms.sum(), "median": median, "p90": p90, "p99": p99, "max": ms.max()}

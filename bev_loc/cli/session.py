"""One run from source to results: what `run` and `demo` do."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from tqdm import tqdm

from ..config import Config
from ..errors import EstimateError, OutputError, SourceError
from ..evaluation.report import Report
from ..evaluation.run_record import RunRecord, run_system
from ..evaluation.trajectory import Trajectory, TrajectoryErrors, compare
from ..geometry import se3
from ..growing_map import GrowingMap
from ..localizer import Localizer
from ..maps.bundle import load_map
from ..odometry.calibration import in_words
from ..records import Step
from ..sources.base import Item, Source, mounting
from ..sources.open import open_source
from ..viz.recording import FILE as RERUN_FILE
from ..viz.recording import Recording
from . import outputs
from .events import FILE, EventLog
from .interruption import Interruption


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to: `fields` for machines, `text` for people."""

    fields: dict[str, Any]
    text: str


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """A source, the system and the folder for what comes out."""

    source: Source
    localizer: Localizer
    config: Config
    out: Path
    save_map_path: Path | None = None
    title: str = ""
    growing: GrowingMap | None = None
    recording: Recording | None = None
    record: RunRecord = field(default_factory=RunRecord)
    interrupted: bool = False
    result: Result | None = None
    map_error: str = ""

    @property
    def truth(self) -> Trajectory | None:
        """Stamps and poses of the base in the truth's frame, where the source knows them."""
        truth = self.source.truth()
        return None if truth is None else (truth.stamps_ns, truth.T_truth_base)

    @classmethod
    def prepare(
        cls,
        source_text: str,
        config: Config,
        *,
        out: Path,
        map_path: Path | None = None,
        extend: bool = False,
        save_map_path: Path | None = None,
        force: bool = False,
        title: str = "",
        rerun: bool = False,
    ) -> Self:
        """Everything that can be refused is refused here, before the work."""
        source = open_source(source_text, config.input)
        known_map = load_map(map_path) if map_path else None
        localizer = Localizer(
            config,
            T_base_lidar=mounting(config.input.T_base_lidar, source.T_base_lidar),
            T_base_imu=mounting(config.input.T_base_imu, source.T_base_imu),
            known_map=known_map,
            extend=extend,
            clock=time.perf_counter,
        )
        outputs.claim_folder(out, force)
        growing = None
        if save_map_path:
            outputs.claim_map(save_map_path)
            growing = GrowingMap(save_map_path, localizer, lambda said: print(f"bev_loc: {said}", file=sys.stderr))
        recording = Recording(out / RERUN_FILE, title or source.name, known_map) if rerun else None
        return cls(
            source=source, localizer=localizer, config=config, out=out, save_map_path=save_map_path, title=title,
            growing=growing, recording=recording,
        )  # fmt: skip

    def run(self) -> Result:
        """Runs to the end of the source, or to Ctrl-C; whatever was done by then is written."""
        for note in self.source.notes:
            print(f"bev_loc: {note}", file=sys.stderr)
        outputs.write_config(self.out, self.config)
        events = EventLog(self.out / FILE, self.source)
        start_s = time.perf_counter()
        with Interruption() as interruption:
            try:
                with _progress(self.source.scan_count) as bar:
                    listen = _Listener(events, self.record, bar, self, interruption)
                    run_system(self.source, self.localizer, self.record, clock=time.perf_counter, listen=listen)
            except KeyboardInterrupt:
                self.interrupted = True
                print("bev_loc: interrupted, writing what is there", file=sys.stderr)
            finally:
                if self.recording:
                    self.recording.close(self.localizer)
                self.result = self._write(time.perf_counter() - start_s)
                events.close(**self.result.fields)
        if not self.record.stamps_ns and not self.interrupted:
            why = _counts(self.record.dropped_by_reason) or "the source delivered none"
            raise SourceError(f"{self.source.name}: no scan gave a pose ({why}); {self.out / FILE} names each")
        if self.map_error:
            raise OutputError(f"everything but the map is written: {self.map_error}")
        return self.result

    def _write(self, wall_s: float) -> Result:
        record, trajectory = self.record, self.localizer.trajectory()
        outputs.write_trajectories(self.out, record, trajectory)
        outputs.write_timing(self.out, record, wall_s)
        truth = self._truth_in_map(trajectory)
        bundle = self.localizer.bundle()
        fields: dict[str, Any] = {
            "scans": record.scans,
            "poses": len(record.stamps_ns),
            "dropped": len(record.dropped),
            "dropped_by_reason": record.dropped_by_reason,
            "keyframes": record.keyframes,
            "closures": len(record.accepted),
            "candidates_by_reason": record.closures_by_reason,
            "path_length_m": record.path_length_m,
            "median_ms_per_scan": record.median_ms_per_scan,
            "state": self.localizer.state.value,
            "interrupted": self.interrupted,
            "out": str(self.out),
        } | self._against_truth(trajectory)
        if record.imu:
            fields["imu"] = in_words(record.imu)
        if self.growing:
            self.map_error = self.growing.finish()
            fields["map"] = None if self.map_error else str(self.save_map_path)
        Report(
            title=self.title or self.source.name,
            source=self.source,
            record=record,
            bundle=bundle,
            trajectory=trajectory,
            truth=truth,
            config=self.config,
            result=fields,
            wall_s=wall_s,
        ).write(self.out / "report.html")
        return Result(fields=fields, text=summary(fields))

    def _against_truth(self, trajectory: Trajectory) -> dict[str, float]:
        """Errors of both trajectories where the source knows the truth."""
        found: dict[str, float] = {}
        for name, estimate in (("odometry", self.record.odometry), ("trajectory", trajectory)):
            errors = self._errors(estimate)
            if errors is not None:
                found[f"{name}_ate_rmse_m"] = errors.ate_rmse_m
        return found

    def _truth_in_map(self, trajectory: Trajectory) -> np.ndarray | None:
        """(N, 4, 4) truth laid over the trajectory by the best rigid alignment."""
        errors = self._errors(trajectory)
        return None if errors is None else se3.inverse(errors.T_ref_est) @ self.truth[1]

    def _errors(self, estimate: Trajectory) -> TrajectoryErrors | None:
        """Against the truth; None without one, or with too few poses for an honest figure."""
        try:
            return None if self.truth is None else compare(estimate, self.truth)
        except EstimateError:
            return None


@dataclass(slots=True, eq=False)
class _Listener:
    """Passes every answer to events.jsonl and to the progress bar; ends the run when it was interrupted."""

    events: EventLog
    record: RunRecord
    bar: tqdm
    session: Session
    interruption: Interruption

    def __call__(self, item: Item, step: Step | None) -> None:
        self.events.add(item, step)
        if self.session.growing and step:
            self.session.growing.add(step)
        if self.session.recording and step:
            self.session.recording.add(step, self.session.localizer)
        advance = self.record.scans - self.bar.n
        if advance:
            state = self.record.states[-1][1].value if self.record.states else "-"
            dropped = f", dropped {len(self.record.dropped)}" if self.record.dropped else ""
            closures = sum(closure.accepted for closure in step.closures) if step else 0
            self.bar.closures += closures
            self.bar.set_postfix_str(
                f"keyframes {self.record.keyframes}, closures {self.bar.closures}, {state}{dropped}", refresh=False
            )
            self.bar.update(advance)
        self.interruption.heed()


def _progress(total: int | None) -> tqdm:
    seen = sys.stderr.isatty()
    bar = tqdm(total=total, unit="scan", file=sys.stderr, mininterval=0.1 if seen else 5.0, dynamic_ncols=seen)
    bar.closures = 0
    return bar


def summary(fields: dict[str, Any]) -> str:
    """A run's result for people."""
    lines = [
        f"{fields['poses']} poses of {fields['scans']} scans over {fields['path_length_m']:.1f} m"
        + (f", {fields['median_ms_per_scan']:.1f} ms a scan (median)" if fields["median_ms_per_scan"] is not None else ""),
        f"{fields['keyframes']} keyframes, {fields['closures']} closures; state at the end: {fields['state']}",
    ]
    if fields["dropped"]:
        lines.append(f"dropped: {_counts(fields['dropped_by_reason'])}")
    for name, label in (("odometry", "odometry"), ("trajectory", "optimised trajectory")):
        if f"{name}_ate_rmse_m" in fields:
            lines.append(f"{label} against the truth: {fields[f'{name}_ate_rmse_m']:.3f} m RMS")
    if "imu" in fields:
        lines.append(f"IMU found to be at: {fields['imu']}")
    if fields.get("map"):
        lines.append(f"map: {fields['map']}")
    return "\n".join([*lines, f"report: {fields['out']}/report.html"])


def _counts(by_reason: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in by_reason.items())

"""Drives a source through the system and keeps what it says."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ..geometry.trajectory import path_length_m
from ..localizer import Localizer
from ..records import Closure, Dropped, ImuCalibration, ImuSample, Keyframe, LidarScan, Odometry, State, Step
from ..sources.base import Item, Source
from .trajectory import Trajectory

T = TypeVar("T")


class Thinned(Generic[T]):
    """At most `limit` of the items added, evenly spread over all of them."""

    def __init__(self, limit: int) -> None:
        self._limit, self._stride, self._seen = limit, 1, 0
        self.items: list[T] = []

    def add(self, item: T) -> None:
        """The next item; it may be kept."""
        if self._seen % self._stride == 0:
            self.items.append(item)
        self._seen += 1
        if len(self.items) > self._limit:
            self.items, self._stride = self.items[::2], 2 * self._stride


@dataclass(slots=True, kw_only=True, eq=False)
class RunRecord:
    """What one pass of a source through the system said so far. Grows while it runs, so that nothing is lost."""

    scans: int = 0  # scans that the source held, the unreadable ones included
    imu_samples: int = 0
    stamps_ns: list[int] = field(default_factory=list)  # one a pose
    T_odom_base: list[np.ndarray] = field(default_factory=list)  # (4, 4), one a pose
    dropped: list[Dropped] = field(default_factory=list)  # inputs that gave no pose, and why
    keyframes: int = 0  # made in this run
    closures: list[tuple[int, Closure]] = field(default_factory=list)  # stamp_ns with every candidate tried
    states: list[tuple[int, State]] = field(default_factory=list)  # stamp_ns of every change
    step_s: list[float] = field(default_factory=list)  # one a scan that reached the system
    stage_s: dict[str, list[float]] = field(default_factory=dict)  # by stage, in order of appearance
    warnings: Counter[str] = field(default_factory=Counter)  # reasons of poses that are not healthy
    imu: ImuCalibration | None = None  # as estimated in the end, where it was asked for
    session: int | None = None  # of the keyframes made in this run
    keyframe_stamps_ns: dict[int, int] = field(default_factory=dict)  # by id
    samples: "Thinned[Keyframe]" = field(default_factory=lambda: Thinned(24))
    evidence: "Thinned[tuple[Closure, Keyframe]]" = field(default_factory=lambda: Thinned(24))  # accepted, with queries

    @property
    def odometry(self) -> Trajectory:
        """Stamps (N,) and T_odom_base (N, 4, 4)."""
        return np.array(self.stamps_ns, np.int64), np.array(self.T_odom_base).reshape(-1, 4, 4)

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        """How many inputs gave no pose, by kind, most frequent first."""
        return dict(Counter(dropped.kind for dropped in self.dropped).most_common())

    @property
    def closures_by_reason(self) -> dict[str, int]:
        """How many candidates ended how, most frequent first."""
        return dict(Counter(closure.reason for _, closure in self.closures).most_common())

    @property
    def accepted(self) -> list[Closure]:
        """The closures that were believed."""
        return [closure for _, closure in self.closures if closure.accepted]

    @property
    def path_length_m(self) -> float:
        """Length of the odometry."""
        return float(path_length_m(self.odometry[1])[-1]) if self.T_odom_base else 0.0

    @property
    def median_ms_per_scan(self) -> float | None:
        """Of the whole step from scan to pose; None before the first."""
        return float(np.median(self.step_s) * 1e3) if self.step_s else None

    def add_step(self, step: Step, where: str, seconds: float) -> None:
        """Books one answer of the system to the scan or odometry called `where`."""
        self.step_s.append(seconds)
        for stage, duration in step.stage_s:
            self.stage_s.setdefault(stage, []).append(duration)
        if step.odometry is None:
            kind = ", ".join(step.reasons) or "no pose"
            reason = f"{where}: no pose ({kind}); the scan was left out."
            self.dropped.append(Dropped(where=where, reason=reason, kind=kind, stamp_ns=step.stamp_ns))
        else:
            self.stamps_ns.append(step.odometry.stamp_ns)
            self.T_odom_base.append(step.odometry.T_odom_base)
            self.warnings.update(step.odometry.health.reasons)
            self.imu = step.odometry.health.imu
        if step.keyframe is not None:
            self.keyframes += 1
            self.session = step.keyframe.session
            self.keyframe_stamps_ns[step.keyframe.id] = step.keyframe.stamp_ns
            self.samples.add(step.keyframe)
            for closure in step.closures:
                if closure.accepted:
                    self.evidence.add((closure, step.keyframe))
        self.closures += [(step.stamp_ns, closure) for closure in step.closures]
        if not self.states or self.states[-1][1] is not step.state:
            self.states.append((step.stamp_ns, step.state))


def run_system(
    source: Source,
    localizer: Localizer,
    record: RunRecord,
    *,
    clock: Callable[[], float],
    listen: Callable[[Item, Step | None], None] = lambda item, step: None,
) -> RunRecord:
    """Feeds the whole stream to the localizer and books the answers in `record`.

    `clock` gives seconds. `listen` hears every item with the system's answer (None for IMU samples and
    unreadable items). What `record` holds stays valid when this is interrupted.
    """
    for item in source.stream():
        step = None
        match item:
            case ImuSample():
                localizer.on_imu(item)
                record.imu_samples += 1
            case Dropped():
                record.scans += item.stamp_ns is not None and not item.kind.startswith("imu")
                record.dropped.append(item)
            case LidarScan() | Odometry():
                record.scans += 1
                feed = localizer.on_scan if isinstance(item, LidarScan) else localizer.on_odometry
                start_s = clock()
                step = feed(item)
                where = getattr(item, "name", "") or f"{source.name}, stamp {item.stamp_ns} ns"
                record.add_step(step, where, clock() - start_s)
        listen(item, step)
    return record

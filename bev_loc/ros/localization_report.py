"""What the localization node says of itself on /diagnostics: what came of the poses, counted, and whether it is well."""

from collections import Counter

from ..records import State, Step
from . import diagnostics
from .watched_topic import WatchedTopic
from .worker import Worker


class LocalizationReport:
    """What the node counts, and how its last step went."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.last: Step | None = None  # of this drive
        self._last_found_ns: int | None = None
        self._overlap = 0.0  # of the last closure or fit in the map
        self._keyframe_ms = 0.0  # what the last keyframe took, from image to pose graph

    def take(self, step: Step, took_s: float) -> None:
        """The next step, and how long it took."""
        self.last = step
        if step.keyframe is not None:
            self._keyframe_ms = 1e3 * took_s
        overlaps = [closure.overlap for closure in step.closures if closure.accepted]
        if overlaps:
            self._last_found_ns, self._overlap = step.stamp_ns, max(overlaps)
        self.counts.update({"processed": 1, "keyframes": int(step.keyframe is not None)})
        self.counts.update([*(f"closure: {closure.reason}" for closure in step.closures), *step.reasons])

    def stopped(self, worker: Worker) -> None:
        """Nobody listens any more: what the worker was given and dropped stays counted."""
        self.counts.update(_handed_over(worker))

    def inactive(self, unpaired: int) -> diagnostics.Report:
        """The report of a node that does not listen; `unpaired` messages came without the other half."""
        return diagnostics.Report(level=diagnostics.WARN, message="not active", values=self._values(self.last, unpaired))

    def active(
        self, unpaired: int, worker: Worker, odometry: WatchedTopic, clouds: WatchedTopic, pose_delay_ms: float | None
    ) -> diagnostics.Report:
        """The report of a node that listens; what its topics complain of is logged too."""
        last = self.last
        values = self._values(last, unpaired, worker)
        complaints = [odometry.complaint(), clouds.complaint()]
        for watched, complaint in zip((odometry, clouds), complaints):
            watched.say(complaint)
        values |= {"odometry rate [Hz]": f"{odometry.rate_hz:.1f}", "waiting": worker.waiting,
                   "processing of a keyframe [ms]": self._keyframe_ms}  # fmt: skip
        if pose_delay_ms is not None:
            values["delay of the pose after its stamp [ms]"] = pose_delay_ms
        if last is not None and self._last_found_ns is not None:
            values |= {"since the map was recognised [s]": (last.stamp_ns - self._last_found_ns) * 1e-9, "overlap": self._overlap}
        well = last is not None and last.state is State.TRACKING and not any(complaints)
        message = "; ".join(filter(None, [_state(last), *complaints]))
        return diagnostics.Report(level=diagnostics.OK if well else diagnostics.WARN, message=message, values=values)

    def _values(self, last: Step | None, unpaired: int, worker: Worker | None = None) -> dict[str, object]:
        counts = Counter(self.counts)
        counts["dropped: cloud or odometry missing"] = unpaired
        if worker is not None:
            counts.update(_handed_over(worker))
        return {"state": _state(last), **dict(sorted(counts.items()))}


def _state(last: Step | None) -> str:
    return "nothing received yet" if last is None else last.state.value


def _handed_over(worker: Worker) -> dict[str, int]:
    return {"received": worker.offered, "dropped: too slow": worker.dropped}

"""events.jsonl: one JSON object a line, in order, written while the run goes on."""

import json
from pathlib import Path
from typing import Any, TextIO

from .. import __version__
from ..records import Closure, Dropped, State, Step
from ..sources.base import Item, Source
from .options import plain

FILE = "events.jsonl"


class EventLog:
    """Everything worth knowing about a run: each candidate and its reason, each drop, each change of state."""

    def __init__(self, path: Path, source: Source) -> None:
        self._out: TextIO = open(path, "w", buffering=1)
        self._state: State | None = None
        self._write("run", version=__version__, source=source.name, notes=list(source.notes))

    def add(self, item: Item, step: Step | None) -> None:
        """One item of the stream with the system's answer."""
        if isinstance(item, Dropped):
            self._write("dropped", stamp_ns=item.stamp_ns, kind=item.kind, where=item.where, reason=item.reason)
        if step is None:
            return
        if step.odometry is None:
            where = getattr(item, "name", "")
            self._write("dropped", stamp_ns=step.stamp_ns, kind=", ".join(step.reasons) or "no pose", where=where)
        elif step.odometry.health.reasons:
            self._write("warning", stamp_ns=step.stamp_ns, reasons=list(step.odometry.health.reasons))
        if step.keyframe is not None:
            self._write("keyframe", stamp_ns=step.stamp_ns, id=step.keyframe.id, path_m=step.keyframe.path_m)
        for closure in step.closures:
            self._write("candidate", stamp_ns=step.stamp_ns, **closure_fields(closure))
        if step.state is not self._state:
            self._state = step.state
            self._write("state", stamp_ns=step.stamp_ns, state=step.state.value, T_map_odom=step.T_map_odom)

    def close(self, **result: Any) -> None:
        """Ends the file with the run's result."""
        self._write("end", **result)
        self._out.close()

    def _write(self, event: str, **fields: Any) -> None:
        self._out.write(json.dumps({"event": event} | plain(fields), allow_nan=False) + "\n")


def closure_fields(closure: Closure) -> dict[str, Any]:
    """A candidate's evidence, as events.jsonl and the report show it."""
    names = ("query_id", "match_id", "accepted", "reason", "method", "descriptor_distance", "inliers", "score",
             "overlap", "rmse_m", "T_match_query")  # fmt: skip
    return {name: getattr(closure, name) for name in names}


def is_event_log(path: Path) -> bool:
    """Whether an earlier run wrote this file."""
    try:
        with open(path) as lines:
            return json.loads(next(lines, "null"))["event"] == "run"
    except (OSError, ValueError, TypeError, KeyError):
        return False

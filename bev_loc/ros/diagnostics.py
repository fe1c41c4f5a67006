"""/diagnostics: what a node did, counted, and whether it is well."""

import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

PERIOD_S = 1.0
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One status: a level, a sentence, and named values."""

    level: bytes
    message: str
    values: dict[str, Any]


class Diagnostics:
    """Publishes a node's report once a second."""

    def __init__(self, node: Node, report: Callable[[], Report]) -> None:
        self._node = node
        self._report = report
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # of its own clock: a simulation that stands still must not silence it
        self._timer = node.create_timer(PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """Publish the report now."""
        report = self._report()
        status = DiagnosticStatus(
            level=report.level,
            name=self._node.get_fully_qualified_name().lstrip("/"),
            message=report.message,
            values=[KeyValue(key=key, value=_text(value)) for key, value in {**report.values, **_resources()}.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def _resources() -> dict[str, float]:
    """Peak (Linux counts kilobytes, macOS bytes), and where Linux tells it what is used now; CPU seconds so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    values = {"peak memory [MB]": usage.ru_maxrss * (1 if sys.platform == "darwin" else 2**10) / 1e6}
    if sys.platform == "linux":
        values["memory [MB]"] = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    return values | {"CPU time [s]": usage.ru_utime + usage.ru_stime}


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

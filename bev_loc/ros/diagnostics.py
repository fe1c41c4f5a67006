"""/diagnostics: what a node did, counted, and whether it is well."""

import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
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
            values=[KeyValue(key=key, value=_text(value)) for key, value in {**report.values, **_memory()}.items()],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def _memory() -> dict[str, float]:
    """Linux counts kilobytes, macOS bytes."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"peak memory [MB]": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6}


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

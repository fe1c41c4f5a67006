"""What nodes say on /diagnostics."""

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

_RECEIVED = ("scans received", "images received", "received")
_PROCESSED = ("scans processed", "images processed", "processed")
_NEVER_WHOLE = "dropped: cloud or odometry missing"  # halves of what would have been received


class Statuses:
    """The newest status of every node."""

    def __init__(self, ros: Any) -> None:
        self._received = ros.collect(DiagnosticArray, "/diagnostics")

    def of(self, node: str) -> DiagnosticStatus | None:
        """The newest status of a node, None before there is one."""
        return next((m.status[0] for m in reversed(self._received) if m.status[0].name == node), None)

    def message(self, node: str) -> str:
        """What it says in one sentence."""
        status = self.of(node)
        return status.message if status else ""

    def values(self, node: str) -> dict[str, str]:
        """Its values by name."""
        status = self.of(node)
        return {v.key: v.value for v in status.values} if status else {}

    def settled(self, node: str) -> int | None:
        """How many items it has received, once each of them is processed or counted as dropped; None while one is in hand.

        A status may be from any moment: one with all items received may say nothing yet about what became of the last.
        """
        values = self.values(node)
        received = sum(int(values.get(key, 0)) for key in _RECEIVED)
        ended = [key for key in values if key in _PROCESSED or key.startswith("dropped: ") and key != _NEVER_WHOLE]
        return received if received == sum(int(values[key]) for key in ended) else None

    def count(self, node: str, key: str) -> int:
        """One of its counts, 0 before there is one."""
        return int(self.values(node).get(key, 0))

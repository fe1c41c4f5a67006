"""What nodes say on /diagnostics."""

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus


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

    def count(self, node: str, key: str) -> int:
        """One of its counts, 0 before there is one."""
        return int(self.values(node).get(key, 0))

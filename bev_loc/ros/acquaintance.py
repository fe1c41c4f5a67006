"""Before something is sent once: does everybody who listens know who sends?"""

import time
from collections.abc import Callable, Sequence

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node

_ASK_AGAIN_S = 1.0
_LOOK_AGAIN_S = 0.02
_NAMELESS = ("_NODE_NAME_UNKNOWN_", "_CREATED_BY_BARE_DDS_APP_")  # what rmw says until a process has told its nodes' names
_QUESTION = "get_parameters"  # of no parameter: nearly every node has this service, and the answer is empty


class _Listener:
    """A node that was asked something."""

    def __init__(self, node: Node, name: str) -> None:
        self._client = node.create_client(GetParameters, f"{name}/{_QUESTION}")
        self._answers: list = []
        self._asked_s = 0.0

    def answered(self) -> bool:
        """Whether it has; asks it, and again if that takes long."""
        if any(answer.done() for answer in self._answers):
            return True
        if self._client.service_is_ready() and time.monotonic() - self._asked_s > _ASK_AGAIN_S:
            self._asked_s = time.monotonic()
            self._answers.append(self._client.call_async(GetParameters.Request()))
        return False


def unacquainted(node: Node, topics: Sequence[str], patience_s: float, wait: Callable[[float], bool]) -> list[str]:
    """Names of the nodes that listen to `topics` and may not know yet what `node` publishes there; empty when all do.

    That a listener is known here does not mean that it knows us: it hears nothing that is sent before it does, least of
    all on a best-effort topic. Discovery tells every process about our publishers and subscriptions in the order in
    which they were made. So whoever has answered a client that was made last knows all that was made before.
    A node without the service cannot be asked. `wait` sleeps, and says whether to stop; somebody else spins the node.
    """
    listeners: dict[str, _Listener] = {}
    until_s = time.monotonic() + patience_s
    while True:
        names = _listening(node, topics)
        services = {service for service, _ in node.get_service_names_and_types()}
        for name in names - listeners.keys():
            if f"{name}/{_QUESTION}" in services:
                listeners[name] = _Listener(node, name)
        silent = [name for name in sorted(names) if name.endswith(_NAMELESS) or name in listeners and not listeners[name].answered()]
        if not silent or time.monotonic() > until_s or wait(_LOOK_AGAIN_S):
            return silent


def _listening(node: Node, topics: Sequence[str]) -> set[str]:
    """Full names of the nodes, other than this one; those whose names have not been heard yet end in one of `_NAMELESS`."""
    infos = [info for topic in topics for info in node.get_subscriptions_info_by_topic(topic)]
    return {f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in infos} - {node.get_fully_qualified_name()}

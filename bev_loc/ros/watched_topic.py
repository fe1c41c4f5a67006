"""An input topic: how often messages come, and when they do not, why that may be."""

import time
from collections import deque

from rclpy.node import Node

SILENT_S = 2.0
_SAY_AGAIN_S = 10.0
_LOOK_BACK = 100  # arrivals
_OWN_TOPICS = ("cloud_deskewed", "map_points", "line_segments")  # published by this package, no sensor's


class WatchedTopic:
    """Arrivals on one topic."""

    def __init__(self, node: Node, topic: str, kind: type, argument: str = "") -> None:
        """`kind` is the message type; `argument` the launch argument that names the topic, if there is one."""
        self._node = node
        self._topic = topic
        self._type = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        self._name = kind.__name__
        self._mend = f"set {argument}:= or remap '{topic}'" if argument else f"remap '{topic}'"
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=_LOOK_BACK)  # seconds, messages
        self._since_s = time.monotonic()
        self._said_s, self._said_why = 0.0, ""
        self.received = 0

    def seen(self, count: int = 1) -> None:
        """Messages came, `count` of them at once."""
        self.received += count
        self._arrivals.append((time.monotonic(), count))

    @property
    def silent_s(self) -> float:
        """Seconds since the last message, or since there was anybody to wait for one."""
        return time.monotonic() - (self._arrivals[-1][0] if self._arrivals else self._since_s)

    @property
    def rate_hz(self) -> float:
        """Messages per second as they arrive; 0 when they stopped."""
        arrivals = list(self._arrivals)
        if len(arrivals) < 2 or self.silent_s > SILENT_S or arrivals[-1][0] == arrivals[0][0]:
            return 0.0
        return sum(count for _, count in arrivals[1:]) / (arrivals[-1][0] - arrivals[0][0])

    def announced(self) -> bool:
        """Whether anybody publishes this topic, or one of its type that could be meant."""
        return bool(self._node.count_publishers(self._topic) or self._others())

    def complaint(self) -> str:
        """Why nothing comes, as a sentence; empty while messages come."""
        if self.silent_s < SILENT_S:
            return ""
        resolved = self._node.resolve_topic_name(self._topic)
        shown = f"'{self._topic}'" if resolved == f"/{self._topic}" else f"'{self._topic}' ({resolved})"
        return f"no {self._name} on {shown} for {self.silent_s:.0f} s: {self._why()}"

    def say(self, complaint: str) -> None:
        """Log a complaint: at once when its reason is new, else not too often."""
        now_s, why = time.monotonic(), complaint.partition(": ")[2]
        if complaint and (why != self._said_why or now_s - self._said_s > _SAY_AGAIN_S):
            self._said_s, self._said_why = now_s, why
            self._node.get_logger().warning(complaint)

    def _why(self) -> str:
        publishers = self._node.count_publishers(self._topic)
        if publishers:
            return (
                f"{publishers} publisher{'s' * (publishers > 1)} announced and silent: is the sensor running? "
                "Big clouds are also lost between processes without the shared-memory profile"
            )
        if self._arrivals:
            return "its publisher is gone: did the driver end?"
        others = self._others()
        if others:
            return f"is the topic right? {self._name} topics seen: {', '.join(others)}; {self._mend}"
        return f"no {self._name} topic is published by anybody: is the driver running, in the same ROS_DOMAIN_ID?"

    def _others(self) -> list[str]:
        """Topics of the type that somebody publishes, other than this one."""
        own = self._node.resolve_topic_name(self._topic)
        return sorted(
            name
            for name, types in self._node.get_topic_names_and_types()
            if self._type in types and name != own and name.split("/")[-1] not in _OWN_TOPICS and self._node.count_publishers(name)
        )

"""How topics are delivered: clouds reliably, maps to late joiners too, IMU samples in batches."""

import threading
from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import PointCloud2

CLOUD = QoSProfile(depth=5, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
IMU = QoSProfile(depth=1000, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.BEST_EFFORT)
RESULT = QoSProfile(depth=10, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)  # fmt: skip


class CloudSubscription:
    """Reliable, because most fragments of a best-effort cloud are lost; best effort once a publisher offers no more."""

    def __init__(self, node: Node, topic: str, take: Callable[[Any], None], kind: type = PointCloud2) -> None:
        self._node = node
        self._topic = topic
        self._take = take
        self._kind = kind  # of message
        self._retry = None
        self._subscription = node.create_subscription(
            kind, topic, take, copy(CLOUD),  # an override writes into it
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )  # fmt: skip

    def close(self) -> None:
        """Stop listening."""
        if self._retry is not None:
            self._node.destroy_timer(self._retry)
        self._node.destroy_subscription(self._subscription)

    def _on_incompatible(self, event: object) -> None:
        if self._retry is None:  # outside this callback: it belongs to the subscription that has to go
            self._retry = self._node.create_timer(0.0, self._fall_back)

    def _fall_back(self) -> None:
        self._node.destroy_timer(self._retry)
        self._node.get_logger().warning(
            f"a publisher of '{self._subscription.topic_name}' is best effort: listening so too; "
            "big clouds will arrive incompletely unless it is made reliable or the shared-memory profile is used"
        )
        self._node.destroy_subscription(self._subscription)
        offered = QoSProfile(depth=CLOUD.depth, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._subscription = self._node.create_subscription(self._kind, self._topic, self._take, offered)


class _Unattended(CallbackGroup):
    """Subscriptions that no executor waits for."""

    def can_execute(self, entity: object) -> bool:
        return False

    def beginning_execution(self, entity: object) -> bool:
        return False

    def ending_execution(self, entity: object) -> None:
        pass


class BatchSubscription:
    """Messages taken all at once by `fetch`. One by one, each costs the executor a turn: 1 ms, a fifth of a core at 200 Hz."""

    def __init__(self, node: Node, kind: type, topic: str, take: Callable[[list[Any]], None], profile: QoSProfile) -> None:
        """`take` gets what came since the last `fetch`, oldest first, never an empty list."""
        self._take = take
        self._longest = profile.depth
        self._lock = threading.Lock()
        self._subscription = node.create_subscription(kind, topic, lambda message: None, profile, callback_group=_Unattended())

    def fetch(self) -> None:
        """Take what has come; any thread may ask."""
        handle, messages = self._subscription.handle, []
        with self._lock:
            with handle:
                while len(messages) < self._longest:
                    taken = handle.take_message(self._subscription.msg_type, False)
                    if taken is None:
                        break
                    messages.append(taken[0])
            if messages:
                self._take(messages)

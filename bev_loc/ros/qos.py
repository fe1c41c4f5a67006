"""How topics are delivered: clouds reliably, maps to late joiners too."""

from collections.abc import Callable
from copy import copy
from typing import Any

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

"""Transforms out and in, over tf2's topics. Needs only the messages of tf2_msgs; without them TF is off, and said."""

from types import ModuleType

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from ..geometry import se3
from .conversions import transform_matrix, transform_message

_DYNAMIC = QoSProfile(depth=100)
_STATIC = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_LONGEST_CHAIN = 50


class Tf:
    """Sends transforms, and answers where sensors are mounted (the newest known transform of each pair)."""

    def __init__(self, node: Node, *, send: bool, listen: bool) -> None:
        """Open what is wanted; `available` says whether there is any TF at all."""
        self._node = node
        messages = _tf2_messages()
        self.available = messages is not None
        if messages is None:
            node.get_logger().warning(
                "TF is off: the package tf2_msgs is not installed (apt install ros-$ROS_DISTRO-tf2-msgs); "
                "the topics carry the same poses"
            )
            return
        self._message = messages.TFMessage
        self._parents: dict[str, tuple[str, np.ndarray]] = {}  # child: parent, T_parent_child
        self._statics: dict[str, TransformStamped] = {}
        self._dynamic = None
        if send:
            self._dynamic = node.create_publisher(self._message, "/tf", _DYNAMIC)
            self._static = node.create_publisher(self._message, "/tf_static", _STATIC)
        if listen:
            node.create_subscription(self._message, "/tf", self._take, _DYNAMIC)
            node.create_subscription(self._message, "/tf_static", self._take, _STATIC)

    def send(self, T_a_b: np.ndarray, stamp_ns: int, frame_a: str, frame_b: str) -> None:
        """Send the pose of frame b in frame a, if TF is available and was opened for sending."""
        if self.available and self._dynamic is not None:
            self._dynamic.publish(self._message(transforms=[transform_message(T_a_b, stamp_ns, frame_a, frame_b)]))

    def send_static(self, T_a_b: np.ndarray, frame_a: str, frame_b: str) -> None:
        """Send a pose that never changes; late joiners get it too."""
        if self.available:
            self._statics[frame_b] = transform_message(T_a_b, 0, frame_a, frame_b)
            self._static.publish(self._message(transforms=list(self._statics.values())))

    def lookup(self, frame_a: str, frame_b: str) -> np.ndarray | None:
        """T_a_b by the newest transforms received; None while the two frames are not connected."""
        if not self.available:
            return None
        T_root_a, root_a = self._to_root(frame_a)
        T_root_b, root_b = self._to_root(frame_b)
        return se3.inverse(T_root_a) @ T_root_b if root_a == root_b else None

    def _to_root(self, frame: str) -> tuple[np.ndarray, str]:
        T_root_frame, parents = np.eye(4), dict(self._parents)
        for _ in range(_LONGEST_CHAIN):  # a loop in a broken tree ends here
            if frame not in parents:
                break
            frame, T_parent_child = parents[frame]
            T_root_frame = T_parent_child @ T_root_frame
        return T_root_frame, frame

    def _take(self, message: object) -> None:
        for transform in message.transforms:  # type: ignore[attr-defined]
            T = transform_matrix(transform)
            if T is not None:
                self._parents[transform.child_frame_id.lstrip("/")] = (transform.header.frame_id.lstrip("/"), T)


def _tf2_messages() -> ModuleType | None:
    try:
        import tf2_msgs.msg
    except ImportError:
        return None
    return tf2_msgs.msg

"""Time that goes back: a recording started again, a simulation reset."""

from collections.abc import Callable

from rclpy.clock import ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

_LEAST_S = 1.0


class StampOrder:
    """Stamps of one stream. One that lies far back may be a stray; two in a row are another beginning."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._stray_ns: int | None = None

    def back_s(self, stamp_ns: int) -> float:
        """Seconds by which time went back, said once, at the second such stamp; 0 otherwise."""
        last_ns, stray_ns = self._last_ns, self._stray_ns
        if last_ns is None or stamp_ns > last_ns - _LEAST_S * 1e9:
            self._last_ns, self._stray_ns = stamp_ns if last_ns is None else max(last_ns, stamp_ns), None
            return 0.0
        if stray_ns is None or stamp_ns <= stray_ns:
            self._stray_ns = stamp_ns
            return 0.0
        self._last_ns, self._stray_ns = stamp_ns, None
        return (last_ns - stamp_ns) * 1e-9

    def forget(self) -> None:
        """Whatever comes next is the beginning."""
        self._last_ns = self._stray_ns = None


def on_backward_jump(node: Node, act: Callable[[float], None]) -> object:
    """Call `act` with the seconds by which /clock went back. Keep what is returned as long as it is to be watched."""

    def jumped(jump: TimeJump) -> None:
        back_s = -jump.delta.nanoseconds * 1e-9
        if node.get_clock().ros_time_is_active and back_s >= _LEAST_S:
            act(back_s)

    threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-_LEAST_S), on_clock_change=False)
    assert node.get_clock().clock_type is ClockType.ROS_TIME, "only /clock can go back"
    return node.get_clock().create_jump_callback(threshold, post_callback=jumped)

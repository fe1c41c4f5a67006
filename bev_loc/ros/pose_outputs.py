"""The pose in the map, said as soon as the odometry says its own: it never waits for a keyframe that is compared with the map."""

import threading

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry as OdometryMessage
from rclpy.node import Node

from ..config import Config
from ..graph.pose_graph import covariance_since
from ..records import Fit
from . import qos
from .conversions import pose_matrix, pose_with_covariance, stamp_ns, tangent_covariance
from .tf import Tf

_NEVER_NS = -(2**62)


class PoseOutputs:
    """`pose` and TF: the last known T_map_odom times what the odometry says. Called by two threads.

    The callbacks bring odometry; the worker brings T_map_odom, which is some keyframes younger or older than
    the odometry. Nothing goes out while the place is not known, and no stamp goes out twice or backwards.
    """

    def __init__(self, node: Node, config: Config, tf: Tf) -> None:
        self._frames, self._graph, self._tf, self._clock = config.ros, config.graph, tf, node.get_clock()
        self.delay_ms: float | None = None  # of the last pose, from its stamp to when it went out
        self._pose = node.create_publisher(PoseWithCovarianceStamped, "pose", qos.RESULT)
        self._lock = threading.Lock()
        self._T_map_odom: np.ndarray | None = None
        self._fit: Fit | None = None  # of that place; None: it is as sure as the odometry
        self._newest_ns = _NEVER_NS  # of the odometry that came
        self._shown_ns = _NEVER_NS  # of the pose that went out last
        self._begun_ns = _NEVER_NS  # what is known of the place before this moment holds no longer

    def on_odometry(self, message: OdometryMessage) -> None:
        """Say where that is in the map, if the place is known. What cannot be used is left to whoever counts it."""
        if message.child_frame_id != self._frames.base_frame:
            return
        with self._lock:
            stamp = stamp_ns(message.header.stamp)
            if stamp > self._newest_ns:
                self._newest_ns = stamp
                self._show(message, stamp)

    def on_begun(self, stamp_ns: int) -> None:
        """The odometry began anew at that moment: its place is not known until the worker finds it."""
        with self._lock:
            if self._newest_ns > _NEVER_NS:
                self._begun_ns, self._T_map_odom, self._fit = stamp_ns, None, None

    def place(self, T_map_odom: np.ndarray | None, fit: Fit | None = None, message: OdometryMessage | None = None) -> None:
        """What the worker found out; with the odometry that it was found for, which may not have been shown yet."""
        with self._lock:
            stamp = self._newest_ns if message is None else stamp_ns(message.header.stamp)
            if stamp < self._begun_ns:
                return
            self._T_map_odom, self._fit = T_map_odom, fit
            if message is not None:
                self._show(message, stamp)

    def forget(self) -> None:
        """Time went back, or nobody listens any more: whatever comes next is the beginning."""
        with self._lock:
            self._T_map_odom = self._fit = None
            self._newest_ns = self._shown_ns = self._begun_ns = _NEVER_NS

    def _show(self, message: OdometryMessage, stamp: int) -> None:
        T_odom_base = pose_matrix(message.pose.pose)
        if self._T_map_odom is None or T_odom_base is None or stamp <= self._shown_ns:
            return
        self._shown_ns = stamp
        frames, T_map_base = self._frames, self._T_map_odom @ T_odom_base
        if frames.standalone_tf:
            self._tf.send(T_map_base, stamp, frames.map_frame, frames.base_frame)
        else:
            self._tf.send(self._T_map_odom, stamp, frames.map_frame, frames.odom_frame)
        if self._fit is None:
            covariance = tangent_covariance(message.pose.covariance, T_odom_base)
        else:
            covariance = covariance_since(self._fit, T_odom_base, self._graph)
        self._pose.publish(pose_with_covariance(T_map_base, covariance, stamp, frames.map_frame))
        self.delay_ms = (self._clock.now().nanoseconds - stamp) * 1e-6

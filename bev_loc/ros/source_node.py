"""Replays a recording as if the sensors were there: `points`, `imu`, `/clock`, `/tf_static`."""

from ..thread_environment import set_thread_environment
from .client_library import require_ros

set_thread_environment()  # numpy's thread pools read it once, when they load
require_ros()

import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import numpy as np
from nav_msgs.msg import Odometry as OdometryMessage
from rclpy.duration import Duration
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, PointCloud2
from std_msgs.msg import String

from ..geometry import se3
from ..records import Dropped, ImuSample, LidarScan, Odometry
from ..sources.base import Item, Source, scan_end_ns
from ..sources.open import open_source
from . import diagnostics, qos
from .acquaintance import unacquainted
from .conversions import cloud_message, header, imu_message, odometry_message
from .params import Parameters
from .runner import run
from .tf import Tf

_ACQUAINTED_S = 10.0  # for every listener to answer; they do at once, but on a machine that has much else to do
_MATCH_S = 0.5  # for the listeners to know each other too
_FOLLOW_S = 4.0  # back-pressure waits this long for the odometry of a scan: it may have been dropped; DDS repeats after 3 s
_UNANSWERED = "scans without"  # followed by the topic


class SourceNode:
    """One recording, from its first item to its last; then the process ends."""

    def __init__(self) -> None:
        self.node = Node("source_node", automatically_declare_parameters_from_overrides=True)
        self.finished = False
        self._parameters = Parameters(self.node, "source_node")
        config = self._parameters.config
        self._frames = config.ros
        self._source: Source = open_source(self._parameters.own("source"), config.input)
        for note in self._source.notes:
            self.node.get_logger().info(note)
        self._counts: Counter[str] = Counter()
        self._points = self.node.create_publisher(PointCloud2, "points", qos.CLOUD)
        self._items = self._source.stream()
        self._first = _until_first_scan(self._items)  # shows whether there is an IMU: nothing is announced that is not there
        kinds = {type(item) for item in self._first}
        self._imu = self.node.create_publisher(Imu, "imu", 100) if ImuSample in kinds else None
        if Odometry in kinds:  # a recording that brings its own takes the place of odometry_node
            self._odometry = self.node.create_publisher(OdometryMessage, "odometry", qos.RESULT)
            self._deskewed = self.node.create_publisher(PointCloud2, "cloud_deskewed", qos.CLOUD)
        self._clock = self.node.create_publisher(Clock, "/clock", 10) if self._parameters.own("clock") else None
        self._followed = {"odometry": threading.Semaphore(0), "state": threading.Semaphore(0)}
        if self._parameters.own("rate") == 0:
            for topic, message_type in (("odometry", OdometryMessage), ("state", String)):
                release = self._followed[topic].release
                self.node.create_subscription(message_type, topic, lambda _, release=release: release(), qos.RESULT)
        self._announce_mounts()
        self._diagnostics = diagnostics.Diagnostics(self.node, self._report)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._replay, name="replay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop replaying; say the final counts."""
        self._stopping.set()
        self._thread.join()
        self._diagnostics.publish()

    def _announce_mounts(self) -> None:
        """Frames of the sensors, and where they are mounted; a sensor without a calibration is the base."""
        given, base_frame = self._parameters.config.input, self._frames.base_frame
        tf = Tf(self.node, send=True, listen=False)
        self._sensor_frames = {}
        for frame, xyz_rpy, T_of_source in (
            ("lidar", given.T_base_lidar, self._source.T_base_lidar),
            ("imu", given.T_base_imu, self._source.T_base_imu),
        ):
            T_base_sensor = se3.from_xyz_rpy(xyz_rpy) if xyz_rpy else T_of_source
            known = T_base_sensor is not None and not np.array_equal(T_base_sensor, np.eye(4))
            self._sensor_frames[frame] = frame if known else base_frame
            if known:
                tf.send_static(T_base_sensor, base_frame, frame)

    def _replay(self) -> None:
        self._wait_for_listeners()
        begin_s, begin_ns, rate = time.monotonic(), None, self._parameters.own("rate")
        for item in chain(self._first, self._items):
            time_ns = _time_ns(item)
            if time_ns is not None and rate > 0:
                begin_ns = time_ns if begin_ns is None else begin_ns
                self._stopping.wait(max(0.0, begin_s + (time_ns - begin_ns) * 1e-9 / rate - time.monotonic()))
            if self._stopping.is_set():
                return
            if time_ns is not None and self._clock is not None:
                self._clock.publish(Clock(clock=header(time_ns, "").stamp))
            self._forget_followers()
            self._publish(item)
            if rate == 0 and isinstance(item, LidarScan):
                self._wait_for_followers()
        self._points.wait_for_all_acked(Duration(seconds=5))
        unanswered = "".join(f", {count} {key}" for key, count in self._counts.items() if key.startswith(_UNANSWERED))
        self.node.get_logger().info(f"replayed {self._counts['scans']} scans of {self._source.name}{unanswered}")
        self.finished = True

    def _publish(self, item: Item) -> None:
        match item:
            case LidarScan():
                frame = self._sensor_frames["lidar"]
                self._points.publish(cloud_message(item.points_lidar, item.stamp_ns, frame, item.offsets_s))
                self._counts["scans"] += 1
            case ImuSample():
                if self._imu is not None:
                    self._imu.publish(imu_message(item, self._sensor_frames["imu"]))
                self._counts["imu samples"] += 1
            case Odometry():
                frames = self._frames
                self._odometry.publish(odometry_message(item, frames.odom_frame, frames.base_frame))
                self._deskewed.publish(cloud_message(item.points_base, item.stamp_ns, frames.base_frame))
                self._counts["odometry"] += 1
            case Dropped():
                self._counts[f"dropped: {item.kind}"] += 1
                self.node.get_logger().warning(item.reason)

    def _wait_for_listeners(self) -> None:
        topics, until_s = self._parameters.own("wait_for").split(), time.monotonic() + self._parameters.own("wait_s")
        while (absent := [topic for topic in topics if not self.node.count_subscribers(topic)]) and time.monotonic() < until_s:
            if self._stopping.wait(0.05):
                return
        if absent:
            self.node.get_logger().warning(f"nobody listens to {', '.join(absent)}: what is replayed from here on is lost there")
        silent = unacquainted(self.node, topics, _ACQUAINTED_S, self._stopping.wait)
        if silent:
            self.node.get_logger().warning(f"no answer from {', '.join(silent)}: what is replayed first may be lost there")
        self._stopping.wait(_MATCH_S)

    def _wait_for_followers(self) -> None:
        """Back-pressure: the next scan goes out when every running node has done this one, or will not."""
        for topic, done in self._followed.items():
            if self.node.count_publishers(topic) and not done.acquire(timeout=_FOLLOW_S):
                self._counts[f"{_UNANSWERED} {topic}"] += 1
                return

    def _forget_followers(self) -> None:
        for done in self._followed.values():
            while done.acquire(blocking=False):
                pass  # what came late belongs to an earlier scan

    def _report(self) -> diagnostics.Report:
        total = self._source.scan_count
        message = f"{self._counts['scans']} of {'?' if total is None else total} scans"
        return diagnostics.Report(level=diagnostics.OK, message=message, values=dict(self._counts))


def _until_first_scan(items: Iterator[Item]) -> list[Item]:
    """The items taken: all up to the first with points."""
    taken = []
    for item in items:
        taken.append(item)
        if isinstance(item, LidarScan | Odometry):
            break
    return taken


def _time_ns(item: Item) -> int | None:
    """When a sensor would have sent the item: a scan at its last return."""
    return scan_end_ns(item) if isinstance(item, LidarScan) else item.stamp_ns


def main() -> None:
    """The executable; ends the process."""
    raise SystemExit(run(SourceNode))


if __name__ == "__main__":
    main()

"""Clouds and IMU in; odometry, deskewed cloud and odom -> base out."""

from ..thread_environment import set_thread_environment
from .client_library import require_ros

set_thread_environment()  # numpy's thread pools read it once, when they load
require_ros()

import time
from collections import Counter

from nav_msgs.msg import Odometry as OdometryMessage
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Imu, PointCloud2
from std_msgs.msg import Header

from ..localizer import RESTARTED
from ..odometry.calibration import in_words
from ..records import Dropped, Odometry
from . import diagnostics, qos
from .conversions import cloud_message, header, odometry_message
from .odometry_run import OdometryRun
from .params import Parameters
from .runner import run
from .tf import Tf
from .time_jump import on_backward_jump
from .warm_up import warm_up_odometry
from .watched_topic import WatchedTopic
from .worker import Worker

_FETCH_S = 0.1
_LATE_MS, _OTHER_CLOCK_MS = 500.0, 60e3  # of an odometry after its scan; later than a minute is a recording, not a delay
_SAY_INPUT_AFTER = 20  # scans: their rate is known then
_MOST_WAITING = 4  # scans: being late for a moment costs less than a hole in the motion


class OdometryNode:
    """`points`, `imu` -> `odometry`, `cloud_deskewed`, TF."""

    def __init__(self) -> None:
        self.node = Node("odometry_node", automatically_declare_parameters_from_overrides=True)
        self.finished = False
        config = Parameters(self.node, "odometry_node").config
        self._frames = config.ros
        warm_up_odometry(config.odometry)
        self._tf = Tf(self.node, send=config.ros.publish_tf and not config.ros.standalone_tf, listen=True)
        self._imu = qos.BatchSubscription(self.node, Imu, "imu", self._on_imu, qos.IMU)
        self._run = OdometryRun(self.node, self._tf, config, self._imu.fetch)
        self._published, self._late, self._last_ms, self._delay_ms = 0, 0, 0.0, 0.0
        self._last: Odometry | None = None
        self._input_said = False
        self._dropped: Counter[str] = Counter()  # scans without a pose, by reason
        self._degraded: Counter[str] = Counter()  # poses that are to be doubted, by reason
        self._begun = self.node.create_publisher(Header, "odometry_begun", qos.RESULT)
        self._odometry = self.node.create_publisher(OdometryMessage, "odometry", qos.RESULT)
        self._cloud = self.node.create_publisher(PointCloud2, "cloud_deskewed", qos.CLOUD)
        self._worker: Worker[tuple[PointCloud2, int]] = Worker("odometry", self._on_scan, _MOST_WAITING)
        self._points_seen = WatchedTopic(self.node, "points", PointCloud2, "points_topic")
        self._imu_seen = WatchedTopic(self.node, "imu", Imu, "imu_topic")
        self._diagnostics = diagnostics.Diagnostics(self.node, self._report)
        self._jumps = on_backward_jump(self.node, self._on_jump)
        # without scans nobody else asks for samples; of its own clock, as a simulation's may stand still
        self._timer = self.node.create_timer(_FETCH_S, self._imu.fetch, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._points = qos.CloudSubscription(self.node, "points", self._on_points)

    def close(self) -> None:
        """Finish the scan in hand; say the final counts."""
        self._worker.stop()
        self._diagnostics.publish()

    def _on_points(self, message: PointCloud2) -> None:
        self._points_seen.seen()
        self._worker.offer((message, self.node.get_clock().now().nanoseconds))

    def _on_imu(self, messages: list[Imu]) -> None:
        self._imu_seen.seen(len(messages))
        for message in messages:
            self._run.on_imu(message)

    def _on_jump(self, back_s: float) -> None:
        self.node.get_logger().warning(f"/clock jumped back by {back_s:.1f} s: the odometry starts anew")
        self._worker.clear()
        with self._worker.lock:
            self._run.begin_anew()

    def _on_scan(self, arrived: tuple[PointCloud2, int]) -> None:
        begin_s = time.monotonic()
        result = self._run.on_scan(*arrived)
        if isinstance(result, Dropped):
            self._dropped[result.kind] += 1
            self.node.get_logger().warning(f"scan dropped: {result.reason}", throttle_duration_sec=5.0)
            return
        self._publish(result)
        self._last_ms = 1e3 * (time.monotonic() - begin_s)
        self._delay_ms = (self.node.get_clock().now().nanoseconds - result.stamp_ns) * 1e-6
        self._late += _LATE_MS < self._delay_ms < _OTHER_CLOCK_MS

    def _publish(self, odometry: Odometry) -> None:
        frames, first = self._frames, self._last is None
        self._last = odometry
        self._degraded.update(odometry.health.reasons)
        if first:
            self.node.get_logger().info(self._run.start_note)
        if first or RESTARTED in odometry.health.reasons:  # the way from the pose before is not known
            self._begun.publish(header(odometry.stamp_ns, frames.odom_frame))
        self._tf.send(odometry.T_odom_base, odometry.stamp_ns, frames.odom_frame, frames.base_frame)
        self._odometry.publish(odometry_message(odometry, frames.odom_frame, frames.base_frame))
        self._cloud.publish(cloud_message(odometry.points_base, odometry.stamp_ns, frames.base_frame))
        self._published += 1

    def _complaints(self) -> list[str]:
        """What keeps the node from working, worst first; logged too, not too often."""
        points = self._points_seen.complaint()
        imu = self._imu_seen.complaint() if self._run.uses_imu or self._imu_seen.announced() else ""
        self._points_seen.say(points)
        self._imu_seen.say(imu)
        return [text for text in (points, self._run.missing_transform, imu) if text]

    def _say_input(self, detected: dict[str, object]) -> None:
        if not self._input_said and self._points_seen.received >= _SAY_INPUT_AFTER:
            self._input_said = True
            self.node.get_logger().info("input: " + "; ".join(f"{key}: {value}" for key, value in detected.items()))

    def _report(self) -> diagnostics.Report:
        worker, last, complaints = self._worker, self._last, self._complaints()
        detected = {
            "scan rate [Hz]": f"{self._points_seen.rate_hz:.1f}",
            "imu rate [Hz]": f"{self._imu_seen.rate_hz:.1f}",
            **self._run.notes(),
        }
        self._say_input(detected)
        values = {
            "scans received": worker.offered,
            "scans processed": self._published,
            "late: half a second or more after scan end": self._late,
            "dropped: too slow": worker.dropped,
            "imu samples received": self._imu_seen.received,
            "TF": "on" if self._tf.available else "off",
            **detected,
            **{f"dropped: {reason}": count for reason, count in sorted(self._dropped.items())},
            **{f"degraded: {reason}": count for reason, count in sorted(self._degraded.items())},
        }
        if last is None:
            return diagnostics.Report(level=diagnostics.WARN, message="; ".join(complaints) or "no odometry yet", values=values)
        health = last.health
        values |= {"points used": health.points_used, "matches": health.matches, "residual rms [m]": health.rmse_m,
                   "degenerate directions": health.degenerate_directions, "processing [ms]": self._last_ms,
                   "delay after scan end [ms]": self._delay_ms}  # fmt: skip
        if health.imu:
            values["imu found to be at"] = in_words(health.imu)
        doubts = [*complaints, *health.reasons]
        return diagnostics.Report(
            level=diagnostics.WARN if doubts else diagnostics.OK, message="; ".join(doubts) or "tracking", values=values
        )


def main() -> None:
    """The executable; ends the process."""
    raise SystemExit(run(OdometryNode))


if __name__ == "__main__":
    main()

"""Clouds and IMU in; odometry, deskewed cloud and odom -> base out."""

from ..thread_environment import set_thread_environment
from .client_library import require_ros

set_thread_environment()  # numpy's thread pools read it once, when they load
require_ros()

from collections import Counter

import numpy as np
from nav_msgs.msg import Odometry as OdometryMessage
from rclpy.node import Node
from sensor_msgs.msg import Imu, PointCloud2

from ..odometry.lio import Lio
from ..records import Dropped, LidarScan, Odometry
from ..sources.base import scan_end_ns
from . import diagnostics, qos
from .conversions import cloud_message, imu_sample, odometry_message
from .extrinsics import Mount
from .imu_queue import ImuQueue
from .params import Parameters
from .runner import run
from .scan_reader import ScanReader
from .tf import Tf
from .warm_up import warm_up_odometry
from .worker import Worker

_IMU_SCANS = 20  # so many scans wait for the first sample and the mount of an IMU that is announced


class OdometryNode:
    """`points`, `imu` -> `odometry`, `cloud_deskewed`, TF."""

    def __init__(self) -> None:
        self.node = Node("odometry_node", automatically_declare_parameters_from_overrides=True)
        self.finished = False
        self._config = Parameters(self.node, "odometry_node").config
        config, ros = self._config, self._config.ros
        warm_up_odometry(config.odometry)
        self._tf = Tf(self.node, send=ros.publish_tf, listen=True)
        self._lidar = Mount(self.node, self._tf, "input.T_base_lidar", config.input.T_base_lidar, ros.base_frame)
        self._imu = Mount(self.node, self._tf, "input.T_base_imu", config.input.T_base_imu, ros.base_frame)
        self._imu_frame: str | None = None
        self._use_imu = False
        self._lio: Lio | None = None
        self._published = 0
        self._last: Odometry | None = None
        self._dropped: Counter[str] = Counter()  # scans without a pose, by reason
        self._degraded: Counter[str] = Counter()  # poses that are to be doubted, by reason
        self._odometry = self.node.create_publisher(OdometryMessage, "odometry", qos.RESULT)
        self._cloud = self.node.create_publisher(PointCloud2, "cloud_deskewed", qos.CLOUD)
        self._reader = ScanReader(config.input, "points")
        self._samples = ImuQueue()
        self._worker: Worker[tuple[PointCloud2, int]] = Worker("odometry", self._on_scan)
        self._diagnostics = diagnostics.Diagnostics(self.node, self._report)
        self.node.create_subscription(Imu, "imu", self._on_imu, qos.IMU)
        self._points = qos.CloudSubscription(self.node, "points", self._on_points)

    def close(self) -> None:
        """Finish the scan in hand; say the final counts."""
        self._worker.stop()
        self._diagnostics.publish()

    def _on_points(self, message: PointCloud2) -> None:
        self._worker.offer((message, self.node.get_clock().now().nanoseconds))

    def _on_imu(self, message: Imu) -> None:
        self._imu_frame = message.header.frame_id
        self._samples.add(imu_sample(message))

    def _on_scan(self, arrived: tuple[PointCloud2, int]) -> None:
        message, arrival_ns = arrived
        first = not self._reader.note
        scan = self._reader.read(message, arrival_ns)
        if first and self._reader.note:
            self.node.get_logger().info(self._reader.note)
        result = scan if isinstance(scan, Dropped) else self._follow(scan, message.header.frame_id)
        if isinstance(result, Dropped):
            self._dropped[result.kind] += 1
            self.node.get_logger().warning(f"scan dropped: {result.reason}", throttle_duration_sec=5.0)
        else:
            self._publish(result)

    def _follow(self, scan: LidarScan, lidar_frame: str) -> Odometry | Dropped:
        if self._lio is None:
            started = self._start(lidar_frame)
            if isinstance(started, Dropped):
                return started
            self._lio = started
        samples = self._samples.take_until(scan_end_ns(scan))
        for sample in samples if self._use_imu else ():
            self._lio.on_imu(sample)
        return self._lio.on_scan(scan)

    def _start(self, lidar_frame: str) -> Lio | Dropped:
        """The odometry, once it is known where the lidar is mounted and whether an IMU takes part."""
        T_base_lidar = self._lidar.of(lidar_frame)
        if T_base_lidar is None:
            return Dropped(where="points", kind="no transform", reason=f"it is not known where '{lidar_frame}' is mounted")
        T_base_imu = None if self._imu_frame is None else self._imu.of(self._imu_frame)
        announced = self._imu_frame is not None or self.node.count_publishers("imu") > 0
        if announced and T_base_imu is None and self._dropped["waiting for imu"] < _IMU_SCANS:
            missing = "message" if self._imu_frame is None else f"transform from '{self._imu_frame}' to the base"
            return Dropped(where="imu", kind="waiting for imu", reason=f"'imu' is announced, but no {missing} came yet")
        self._use_imu = T_base_imu is not None
        self.node.get_logger().info(f"odometry starts {'with' if self._use_imu else 'without'} an IMU")
        return Lio(
            self._config.odometry,
            T_base_lidar=T_base_lidar,
            T_base_imu=np.eye(4) if T_base_imu is None else T_base_imu,
            initial_rpy=self._config.input.initial_rpy,
        )

    def _publish(self, odometry: Odometry) -> None:
        frames, first = self._config.ros, self._last is None
        self._last = odometry
        self._degraded.update(odometry.health.reasons)
        if first:
            self.node.get_logger().info(self._lio.start_note)
        self._tf.send(odometry.T_odom_base, odometry.stamp_ns, frames.odom_frame, frames.base_frame)
        self._odometry.publish(odometry_message(odometry, frames.odom_frame, frames.base_frame))
        self._cloud.publish(cloud_message(odometry.points_base, odometry.stamp_ns, frames.base_frame))
        self._published += 1

    def _report(self) -> diagnostics.Report:
        worker, last = self._worker, self._last
        values = {
            "scans received": worker.offered,
            "scans processed": self._published,
            "dropped: too slow": worker.dropped,
            "imu samples received": self._samples.received,
            "TF": "on" if self._tf.available else "off",
            "point times": self._reader.note or "no cloud yet",
            **{f"dropped: {reason}": count for reason, count in sorted(self._dropped.items())},
            **{f"degraded: {reason}": count for reason, count in sorted(self._degraded.items())},
        }
        if last is None:
            return diagnostics.Report(level=diagnostics.WARN, message="no odometry yet", values=values)
        health = last.health
        values |= {"points used": health.points_used, "matches": health.matches, "residual rms [m]": health.rmse_m,
                   "degenerate directions": health.degenerate_directions}  # fmt: skip
        message = ", ".join(health.reasons) or "tracking"
        return diagnostics.Report(level=diagnostics.WARN if health.reasons else diagnostics.OK, message=message, values=values)


def main() -> None:
    """The executable; ends the process."""
    raise SystemExit(run(OdometryNode))


if __name__ == "__main__":
    main()

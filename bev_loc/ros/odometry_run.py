"""The odometry inside its node: begun once it is known where the sensors are, begun anew when time goes back."""

from collections import Counter
from collections.abc import Callable

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Imu, PointCloud2

from ..config import Config
from ..odometry.lio import Lio
from ..records import Dropped, LidarScan, Odometry
from ..sources.base import scan_end_ns
from .conversions import imu_sample
from .extrinsics import Mount
from .imu_queue import ImuQueue
from .scan_reader import ScanReader
from .tf import Tf
from .time_jump import StampOrder

_IMU_SCANS = 20  # so many scans wait for the first sample and the mount of an IMU that is announced


class OdometryRun:
    """Messages in, odometry out. `on_imu` may be called by another thread than the rest."""

    def __init__(self, node: Node, tf: Tf, config: Config, fetch_imu: Callable[[], None] = lambda: None) -> None:
        """`fetch_imu` brings the samples that have come so far, by calling `on_imu`."""
        self._node, self._tf, self._config = node, tf, config
        given, base_frame = config.input, config.ros.base_frame
        self._lidar = Mount(node, tf, "input.T_base_lidar", given.T_base_lidar, base_frame)
        self._imu = Mount(node, tf, "input.T_base_imu", given.T_base_imu, base_frame)
        self._reader = ScanReader(config.input, "points")
        self._fetch_imu = fetch_imu
        self._samples = ImuQueue(fetch_imu)
        self._stamps = StampOrder()
        self._lio: Lio | None = None
        self._waited = 0  # scans, for an IMU
        self._anew = False  # the next scan begins a new run
        self._lidar_frame = ""  # of the run
        self._imu_frame: str | None = None  # of the first samples
        self.uses_imu = False
        self.dropped_imu: Counter[str] = Counter()  # samples, by reason
        self.restarts = 0
        self.imu_note = ""

    def on_imu(self, message: Imu) -> None:
        """Take a sample, unless it says that it has no accelerations or comes from another frame."""
        if message.linear_acceleration_covariance[0] == -1.0 or message.angular_velocity_covariance[0] == -1.0:
            self.dropped_imu["imu: says that it measures no accelerations or rates"] += 1
            return
        self._imu_frame = message.header.frame_id if self._imu_frame is None else self._imu_frame
        if message.header.frame_id != self._imu_frame:
            self.dropped_imu[f"imu: frame is not '{self._imu_frame}'"] += 1
            return
        self._samples.add(imu_sample(message))

    def on_scan(self, message: PointCloud2, arrival_ns: int) -> Odometry | Dropped:
        """The pose at the end of a scan, or why there is none."""
        if self._lio is None:
            self._fetch_imu()  # whether there is an IMU, and in which frame, is asked before its samples are
        first = not self._reader.note
        scan = self._reader.read(message, arrival_ns)
        if first and self._reader.note:
            self._node.get_logger().info(self._reader.note)
        if isinstance(scan, Dropped):
            return scan
        back_s = self._stamps.back_s(scan.stamp_ns)
        if back_s:
            self._node.get_logger().warning(f"stamps on 'points' jumped back by {back_s:.1f} s: the odometry starts anew")
            self.begin_anew()
        if self._anew:
            self._lio, self._anew, self._waited = None, False, 0
            self.restarts += 1
        return self._follow(scan, message.header.frame_id)

    def begin_anew(self) -> None:
        """The next scan is the first of a new run: nothing of the old one is used."""
        self._stamps.forget()
        self._anew = True

    def notes(self) -> dict[str, str | int]:
        """What was detected about the input, and what waits for what."""
        imu = "not used" if not self.uses_imu else self.imu_note or "used, unit not yet known"
        return {
            "point times": self._reader.note or "no cloud yet",
            "lidar frame": self._lidar_frame or "unknown",
            "imu": imu,
            "imu frame": self._imu_frame or "unknown",
            "imu samples dropped: stamps seconds ahead of the scans": self._samples.ahead,
            "imu samples dropped: no scan fetched them": self._samples.dropped,
            "clouds thinned to a million points": self._reader.thinned,
            "runs": self.restarts + 1,
            **{f"dropped {reason}": count for reason, count in sorted(self.dropped_imu.items())},
        }

    @property
    def missing_transform(self) -> str:
        """A sentence about the mount that is waited for; empty when none is."""
        return self._lidar.missing or ("" if self._lio is not None else self._imu.missing)

    @property
    def start_note(self) -> str:
        """How the run started."""
        return "" if self._lio is None else self._lio.start_note

    def _follow(self, scan: LidarScan, lidar_frame: str) -> Odometry | Dropped:
        if self._lio is None:
            started = self._start(lidar_frame)
            if isinstance(started, Dropped):
                return started
            self._lio, self._lidar_frame = started, lidar_frame
        if lidar_frame != self._lidar_frame:
            reason = f"its frame is '{lidar_frame}', the odometry was begun with '{self._lidar_frame}'; remap one of two drivers"
            return Dropped(where="points", kind="foreign frame", reason=reason, stamp_ns=scan.stamp_ns)
        for sample in self._samples.take_until(scan_end_ns(scan)):
            if self.uses_imu:
                self._lio.on_imu(sample)
        result = self._lio.on_scan(scan)
        if self.uses_imu and not self.imu_note:
            self.imu_note = self._lio.imu_note
        return result

    def _start(self, lidar_frame: str) -> Lio | Dropped:
        """The odometry, once it is known where the lidar is mounted and whether an IMU takes part."""
        T_base_lidar = self._lidar.of(lidar_frame)
        if T_base_lidar is None:
            return Dropped(where="points", kind="no transform", reason=self._lidar.missing)
        T_base_imu = None if self._imu_frame is None else self._imu.of(self._imu_frame)
        announced = self._imu_frame is not None or self._node.count_publishers("imu") > 0
        hopeless = self._imu_frame is not None and not self._tf.available  # a transform could never come
        if announced and T_base_imu is None and not hopeless and self._waited < _IMU_SCANS:
            self._waited += 1
            missing = "message" if self._imu_frame is None else f"transform from '{self._imu_frame}' to the base"
            return Dropped(where="imu", kind="waiting for imu", reason=f"'imu' is announced, but no {missing} came yet")
        self.uses_imu = T_base_imu is not None
        self._node.get_logger().info(f"odometry starts {'with' if self.uses_imu else 'without'} an IMU")
        return Lio(
            self._config.odometry,
            T_base_lidar=T_base_lidar,
            T_base_imu=np.eye(4) if T_base_imu is None else T_base_imu,
            initial_rpy=self._config.input.initial_rpy,
        )

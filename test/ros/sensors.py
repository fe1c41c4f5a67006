"""A lidar and an IMU driving through the boxes of the odometry tests, as topics."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from odometry.box_world import scan, street
from ros.street_drive import FIRST_STAMP_NS, T_world_lidar
from sensor_msgs.msg import Imu, PointCloud2

from bev_loc.records import ImuSample
from bev_loc.ros import qos
from bev_loc.ros.conversions import cloud_message, imu_message, stamp_ns

PERIOD_NS = 100_000_000


@dataclass
class Sensors:
    """Publishes sweep after sweep; `shift_s` moves the stamps, `frame` is the sensors' frame."""

    ros: Any
    points_topic: str = "points"
    imu_topic: str = "imu"
    frame: str = "base_link"
    g: float = 9.81  # what the accelerometer calls one g
    shift_s: float = 0.0
    start_s: float = 0.0  # along the drive
    sweeps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.points = self.ros.node.create_publisher(PointCloud2, self.points_topic, qos.CLOUD)
        self.imu = self.ros.node.create_publisher(Imu, self.imu_topic, 100)
        self._boxes, self._rng = street(), np.random.default_rng(5)

    def matched(self) -> bool:
        """Whether somebody listens to both."""
        return bool(self.points.get_subscription_count() and self.imu.get_subscription_count())

    def stamp_ns(self, sweep: int) -> int:
        """Begin of a sweep."""
        return FIRST_STAMP_NS + sweep * PERIOD_NS + round(self.shift_s * 1e9)

    def cloud(self, sweep: int) -> PointCloud2:
        """One sweep."""
        taken = scan(self._boxes, T_world_lidar, self.start_s + 0.1 * sweep, self._rng)
        return cloud_message(taken.points_lidar, self.stamp_ns(sweep), self.frame, taken.offsets_s)

    def send(self) -> None:
        """The next sweep with its samples, the last of them after its end."""
        begin_ns = self.stamp_ns(self.sweeps)
        for k in range(11):
            up = np.array([0.0, 0.0, self.g])
            self.imu.publish(imu_message(ImuSample(stamp_ns=begin_ns + k * 10**7, gyro_rad_s=np.zeros(3), acc_m_s2=up), self.frame))
        self.points.publish(self.cloud(self.sweeps))
        self.sweeps += 1

    def send_and_hear(self, odometry: list) -> None:
        """The next sweep, and its odometry: what was sent before has been dealt with then, and nothing waits."""
        middle_ns = self.stamp_ns(self.sweeps) + PERIOD_NS // 2
        self.send()
        self.ros.spin_until(lambda: odometry and stamp_ns(odometry[-1].header.stamp) > middle_ns, "the odometry of the last sweep")

    def send_until(self, condition: Any, what: str, most: int = 30) -> None:
        """Sweep after sweep, a little apart, until `condition` holds."""
        for _ in range(most):
            self.send()
            self.ros.spin_for(0.1)
            if condition():
                return
        self.ros.spin_until(condition, what)

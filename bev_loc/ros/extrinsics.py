"""Where a sensor is mounted: as configured, else by equal frame names, else by TF; never guessed."""

import numpy as np
from rclpy.node import Node

from ..geometry import se3
from .tf import Tf


class Mount:
    """T_base_sensor of one sensor."""

    def __init__(self, node: Node, tf: Tf, key: str, given: tuple[float, ...], base_frame: str) -> None:
        """`key` is the configuration's key of the mount, `given` its value (empty: not given)."""
        self._node = node
        self._tf = tf
        self._key = key
        self._base_frame = base_frame
        self._T_base_sensor = se3.from_xyz_rpy(given) if given else None
        self._warned: set[str] = set()

    @property
    def given(self) -> bool:
        """Known before any message came."""
        return self._T_base_sensor is not None

    def of(self, sensor_frame: str) -> np.ndarray | None:
        """(4, 4) T_base_sensor, None while it is not known; the first time that is said, with both frames."""
        if self._T_base_sensor is not None:
            return self._T_base_sensor
        if sensor_frame == self._base_frame:
            return np.eye(4)
        T_base_sensor = self._tf.lookup(self._base_frame, sensor_frame)
        if T_base_sensor is None and sensor_frame not in self._warned:
            self._warned.add(sensor_frame)
            self._node.get_logger().warning(
                f"no transform from '{sensor_frame}' to '{self._base_frame}': messages are dropped until there is one; "
                f"publish it on /tf_static or set {self._key}"
            )
        return T_base_sensor

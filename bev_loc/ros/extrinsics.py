"""Where a sensor is mounted: as configured, else by equal frame names, else by TF; never guessed."""

import time

import numpy as np
from rclpy.node import Node

from ..geometry import se3
from .tf import Tf

_SAY_AGAIN_S = 10.0


class Mount:
    """T_base_sensor of one sensor."""

    def __init__(self, node: Node, tf: Tf, key: str, given: tuple[float, ...], base_frame: str) -> None:
        """`key` is the configuration's key of the mount, `given` its value (empty: not given)."""
        self._node = node
        self._tf = tf
        self._key = key
        self._base_frame = base_frame
        self._T_base_sensor = se3.from_xyz_rpy(given) if given else None
        self._said_s = -_SAY_AGAIN_S
        self.missing = ""  # a sentence with both frames, while a transform is waited for

    @property
    def given(self) -> bool:
        """Known before any message came."""
        return self._T_base_sensor is not None

    def of(self, sensor_frame: str) -> np.ndarray | None:
        """(4, 4) T_base_sensor, None while it is not known; that is said again and again, with both frames."""
        self.missing = ""
        if self._T_base_sensor is not None:
            return self._T_base_sensor
        if sensor_frame == self._base_frame:
            return np.eye(4)
        T_base_sensor = self._tf.lookup(self._base_frame, sensor_frame)
        if T_base_sensor is None:
            self.missing = (
                f"no transform from '{sensor_frame}' to '{self._base_frame}': messages are dropped until there is one; "
                f"publish it on /tf_static or set {self._key}"
            )
            if time.monotonic() - self._said_s > _SAY_AGAIN_S:
                self._said_s = time.monotonic()
                self._node.get_logger().warning(self.missing)
        return T_base_sensor

"""Clouds from a topic as scans: how their points are timed is read off the first one, as in a recording."""

import numpy as np
from sensor_msgs.msg import PointCloud2

from ..clouds import point_cloud2
from ..clouds.damaged import DamagedScan
from ..config import InputConfig
from ..errors import SourceError
from ..records import Dropped, LidarScan
from ..sources.point_scans import FirstCloud, ScanReading, decide_reading
from .conversions import stamp_ns

_MOST_POINTS = 1_000_000  # four times what the densest sensors give; more would only make the scan late


class ScanReader:
    """Reads one topic."""

    def __init__(self, config: InputConfig, topic: str) -> None:
        self._config = config
        self._topic = topic
        self._reading: ScanReading | None = None
        self.thinned = 0  # clouds of which only every n-th point was read

    @property
    def note(self) -> str:
        """How the points are timed, as a sentence; empty before the first cloud."""
        return self._reading.note if self._reading else ""

    def read(self, message: PointCloud2, arrival_ns: int) -> LidarScan | Dropped:
        """The scan in a message that arrived at `arrival_ns`, or why it cannot be read."""
        stamp = stamp_ns(message.header.stamp)
        try:
            points = self._bounded(point_cloud2.structured(message))
            if self._reading is None and len(points):
                first = FirstCloud(points=points, stamp_ns=stamp, arrival_ns=arrival_ns)
                self._reading = decide_reading([first], f"topic '{self._topic}'", self._config)
            if self._reading is None:
                raise DamagedScan("empty scan", "holds no points; check the driver")
            return self._reading.scan(points, stamp, self._topic)
        except DamagedScan as error:
            kind, reason = error.kind, error.reason
        except SourceError as error:  # the configured field is not there: another driver may come
            kind, reason = "no point times", str(error)
        return Dropped(where=self._topic, reason=reason, kind=kind, stamp_ns=stamp)

    def _bounded(self, points: np.ndarray) -> np.ndarray:
        every = -(-len(points) // _MOST_POINTS)
        self.thinned += every > 1
        return points[::every] if every > 1 else points

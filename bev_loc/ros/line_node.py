"""Camera images in; line segments in the image's own pixels out, and a picture of them when somebody looks."""

from ..thread_environment import set_thread_environment
from .client_library import require_ros

set_thread_environment()  # numpy's thread pools read it once, when they load
require_ros()

import array
import time
from collections import Counter

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from ..config import Config
from ..lines.detector import LineSegments, make_detector, use_one_thread
from ..lines.drawing import drawn
from ..lines.pictures import DamagedImage, decoded, from_raw
from . import diagnostics, qos
from .params import Parameters
from .runner import run
from .worker import Worker

FIELDS = ("x1", "y1", "x2", "y2", "score")


class LineNode:
    """`image` or `image/compressed` -> `line_segments`, `line_image`. When it is too slow, the newest image wins."""

    def __init__(self) -> None:
        self.node = Node("line_node", automatically_declare_parameters_from_overrides=True)
        self.finished = False
        use_one_thread()
        parameters = Parameters(self.node, "line_node")
        parameters.on_change = self._adopt
        self._detector = make_detector(parameters.config.lines)
        self._detector.detect(np.zeros((64, 64, 3), np.uint8))  # compiles now, not on the first image
        self._processed, self._last_ms, self._last_count = 0, 0.0, 0
        self._dropped: Counter[str] = Counter()
        self._segments = self.node.create_publisher(PointCloud2, "line_segments", qos.RESULT)
        self._picture = self.node.create_publisher(Image, "line_image", qos.RESULT)
        self._worker: Worker[Image | CompressedImage] = Worker("lines", self._on_image, most_waiting=1)
        self._diagnostics = diagnostics.Diagnostics(self.node, self._report)
        self._subscriptions = {
            kind: qos.CloudSubscription(self.node, topic, self._on_message, kind)
            for topic, kind in (("image", Image), ("image/compressed", CompressedImage))
        }

    def close(self) -> None:
        """Finish the image in hand; say the final counts."""
        self._worker.stop()
        self._diagnostics.publish()

    def _adopt(self, config: Config) -> None:
        self._detector.config = config.lines

    def _on_message(self, message: Image | CompressedImage) -> None:
        """A camera that offers both transports is heard on the one that spoke first."""
        for kind in [kind for kind in self._subscriptions if not isinstance(message, kind)]:
            self._subscriptions.pop(kind).close()
        if type(message) in self._subscriptions:
            self._worker.offer(message)

    def _on_image(self, message: Image | CompressedImage) -> None:
        begin_s = time.monotonic()
        try:
            image = _pixels(message)
            segments = self._detector.detect(image)
        except DamagedImage as error:
            self._dropped[error.kind] += 1
            self.node.get_logger().warning(f"image dropped: {error.reason}", throttle_duration_sec=5.0)
            return
        self._segments.publish(segments_message(segments, message.header))
        if self._picture.get_subscription_count() > 0:
            self._picture.publish(_picture_message(drawn(image, segments), message.header))
        self._processed += 1
        self._last_ms, self._last_count = 1e3 * (time.monotonic() - begin_s), len(segments.score)

    def _report(self) -> diagnostics.Report:
        worker = self._worker
        values = {
            "detector": self._detector.name,
            "images received": worker.offered,
            "images processed": self._processed,
            "dropped: too slow": worker.dropped,
            **{f"dropped: {kind}": count for kind, count in sorted(self._dropped.items())},
            "segments": self._last_count,
            "last image [ms]": self._last_ms,
        }
        if self._processed == 0:
            return diagnostics.Report(level=diagnostics.WARN, message="no image yet", values=values)
        return diagnostics.Report(level=diagnostics.OK, message="detecting", values=values)


def _pixels(message: Image | CompressedImage) -> np.ndarray:
    """(H, W, 3) uint8 RGB; raises DamagedImage."""
    if isinstance(message, CompressedImage):
        return decoded(bytes(message.data), f"compressed image ({message.format or 'no format named'})")
    data = np.frombuffer(message.data, np.uint8)
    return from_raw(data, message.encoding, message.height, message.width, message.step, bool(message.is_bigendian))


def segments_message(segments: LineSegments, header: Header) -> PointCloud2:
    """One point per segment, float32 fields x1 y1 x2 y2 score, with the image's header."""
    values = np.concatenate([segments.xyxy, segments.score[:, None]], axis=1).astype(np.float32)
    step = 4 * len(FIELDS)
    return PointCloud2(
        header=header,
        height=1,
        width=len(values),
        fields=[PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate(FIELDS)],
        is_bigendian=False,
        point_step=step,
        row_step=step * len(values),
        data=array.array("B", values.tobytes()),  # rclpy checks anything else byte by byte
        is_dense=True,
    )


def _picture_message(image: np.ndarray, header: Header) -> Image:
    height, width = image.shape[:2]
    return Image(header=header, height=height, width=width, encoding="rgb8", is_bigendian=0, step=3 * width,
                 data=array.array("B", image.tobytes()))  # fmt: skip


def main() -> None:
    """The executable; ends the process."""
    raise SystemExit(run(LineNode))


if __name__ == "__main__":
    main()

"""line_node as users run it: camera images in, segments out."""

import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from ros.status import Statuses
from sensor_msgs.msg import CompressedImage, Image, PointCloud2

from bev_loc.config import LinesConfig
from bev_loc.lines.detector import make_detector

pytestmark = pytest.mark.ros
BOX = np.array([[120, 90], [380, 110], [360, 300], [140, 280]])


def picture() -> np.ndarray:
    """(375, 500) grey: a bright quadrangle on a dark ground."""
    image = np.full((375, 500), 70, np.uint8)
    return cv2.fillConvexPoly(image, BOX.astype(np.int32), 190, cv2.LINE_AA)


def image_message(values: np.ndarray, encoding: str, second: int) -> Image:
    message = Image(height=values.shape[0], width=values.shape[1], encoding=encoding, step=values[0].nbytes,
                    data=array.array("B", values.tobytes()))  # fmt: skip
    message.header.frame_id, message.header.stamp.sec = "camera", second
    return message


def compressed_message(second: int) -> CompressedImage:
    _, data = cv2.imencode(".png", picture())
    message = CompressedImage(format="mono8; png compressed", data=array.array("B", data.tobytes()))
    message.header.frame_id, message.header.stamp.sec = "camera", second
    return message


def segments(cloud: PointCloud2) -> np.ndarray:
    """(N, 5), by the names of the fields."""
    assert [field.name for field in cloud.fields] == ["x1", "y1", "x2", "y2", "score"]
    return np.frombuffer(cloud.data, np.float32).reshape(cloud.width, 5)


def shows_the_box(found: np.ndarray) -> bool:
    sides = np.concatenate([BOX, np.roll(BOX, -1, 0)], axis=1)
    ends = np.stack([found[:, :4], found[:, [2, 3, 0, 1]]])
    return all(np.abs(ends - side).max(axis=2).min() < 4.0 for side in sides)


@pytest.fixture(scope="module", autouse=True)
def lines_compiled() -> None:
    """The detector's kernels are in Numba's cache, see `compiled`."""
    make_detector(LinesConfig()).detect(picture())


class Camera:
    """Publishes on one transport and watches the node."""

    def __init__(self, ros, kind: type, topic: str) -> None:
        self.ros = ros
        self.found = ros.collect(PointCloud2, "line_segments")
        self.statuses = Statuses(ros)
        self._publisher = ros.node.create_publisher(kind, topic, 5)
        self.node = ros.start("line_node")
        ros.meet("line_node")
        ros.spin_until(self._publisher.get_subscription_count, "subscription of the images")

    def show(self, message) -> PointCloud2:
        """The answer to one image."""
        before = len(self.found)
        self._publisher.publish(message)
        self.ros.spin_until(lambda: len(self.found) > before, "segments")
        return self.found[-1]

    def send(self, message) -> None:
        self._publisher.publish(message)

    def counted(self, key: str) -> int:
        """A count of the newest diagnostics."""
        return self.statuses.count("line_node", key)


def test_segments_come_with_the_images_header_and_in_its_pixels_and_the_picture_only_when_watched(ros):
    camera = Camera(ros, Image, "image")
    cloud = camera.show(image_message(picture(), "mono8", 7))
    assert (cloud.header.frame_id, cloud.header.stamp.sec) == ("camera", 7)
    assert shows_the_box(segments(cloud))
    pictures = ros.collect(Image, "line_image")
    ros.meet("line_node")  # it draws for those whom it knows
    camera.show(image_message(np.repeat(picture()[..., None], 3, axis=2), "bgr8", 8))
    ros.spin_until(lambda: pictures and pictures[-1].header.stamp.sec == 8, "the picture")
    assert (pictures[-1].encoding, pictures[-1].height, pictures[-1].width) == ("rgb8", 375, 500)


def test_a_compressed_image_serves_as_well(ros):
    camera = Camera(ros, CompressedImage, "image/compressed")
    assert shows_the_box(segments(camera.show(compressed_message(3))))


def test_bad_images_are_counted_by_name_and_the_next_good_one_is_served(ros):
    camera = Camera(ros, Image, "image")
    camera.show(image_message(picture(), "mono8", 1))
    camera.send(image_message(picture(), "jpeg2000", 2))
    ros.spin_until(lambda: camera.counted("dropped: unsupported encoding") == 1, "the count of the encoding")
    short = image_message(picture(), "mono8", 3)
    short.data = short.data[:1000]
    camera.send(short)
    ros.spin_until(lambda: camera.counted("dropped: truncated picture") == 1, "the count of the cut image")
    assert shows_the_box(segments(camera.show(image_message(picture(), "mono8", 4))))
    assert "'jpeg2000' is not supported; supported: mono8" in camera.node.output


def test_a_parameter_changes_while_running_and_a_wrong_value_is_refused(ros):
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    camera = Camera(ros, Image, "image")
    assert len(segments(camera.show(image_message(picture(), "mono8", 1)))) >= 4

    def set_length(value: float):
        request = SetParameters.Request(parameters=[Parameter("lines.min_length_px", value=value).to_parameter_msg()])
        return ros.call(SetParameters, "line_node/set_parameters", request).results[0]

    assert not set_length(-1.0).successful
    assert set_length(900.0).successful
    assert len(segments(camera.show(image_message(picture(), "mono8", 2)))) == 0


def test_a_flood_of_images_is_dropped_not_queued(ros):
    camera = Camera(ros, Image, "image")
    camera.show(image_message(picture(), "mono8", 0))
    big = image_message(np.tile(picture(), (4, 4)), "mono8", 0)
    for second in range(1, 41):
        big.header.stamp.sec = second
        camera.send(big)
    ros.spin_until(lambda: camera.found[-1].header.stamp.sec == 40, "the newest image")
    ros.spin_until(
        lambda: camera.statuses.settled("line_node") and camera.counted("images processed") == len(camera.found),
        "every image accounted for, the newest too",
    )


@pytest.mark.bench
def test_odometry_drops_no_more_scans_with_line_node_at_ten_wide_images_a_second_beside_it(ros):
    """1242 x 375 at 10 Hz, beside a simulated drive at its own speed, with localization."""
    import time

    from nav_msgs.msg import Odometry

    pytest.importorskip("open3d", reason="the simulator needs open3d")
    drive, scans = "sim:town,seconds=15,lidar=vlp16", 150
    wide = image_message(np.tile(picture(), (1, 3))[:, :1242].copy(), "mono8", 1)
    found = ros.collect(PointCloud2, "line_segments")
    publisher = ros.node.create_publisher(Image, "image", 5)
    dropped = {}
    for beside in (False, True):
        poses = ros.collect(Odometry, "odometry")
        nodes = [ros.start("odometry_node"), ros.start("localization_node")] + [ros.start("line_node")] * beside
        ros.spin_until(lambda: ros.node.count_subscribers("points") and ros.node.count_subscribers("cloud_deskewed"), "the nodes")
        if beside:
            ros.spin_until(lambda: publisher.get_subscription_count() > 0, "line_node")
        source = ros.start("source_node", source=drive, rate=1.0, wait_for="'points cloud_deskewed'")
        due_s = time.monotonic()
        while source.running:
            if beside and time.monotonic() >= due_s:
                publisher.publish(wide)
                due_s += 0.1
            ros.spin_for(0.01)
        ros.spin_for(2.0)
        dropped[beside] = scans - len(poses)
        for node in nodes:
            node.kill()
    print(f"scans without odometry: alone {dropped[False]}, beside line_node {dropped[True]}, segments for {len(found)} images")
    assert len(found) > 0.8 * scans
    assert dropped[True] <= dropped[False]

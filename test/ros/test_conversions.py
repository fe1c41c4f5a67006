"""Records become messages and come back the same."""

import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: source it, or pip install the wheels the README lists")

from geometry_msgs.msg import Pose
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Imu, PointCloud2, PointField

from bev_loc.clouds.damaged import DamagedScan
from bev_loc.config import InputConfig
from bev_loc.geometry import se3, so3
from bev_loc.records import BevImage, Dropped, ImuSample, Odometry, OdometryHealth
from bev_loc.ros import conversions
from bev_loc.ros.scan_reader import ScanReader

pytestmark = pytest.mark.ros
STAMP_NS = 1_700_000_000_123_456_789


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def T_a_b(rng) -> np.ndarray:
    return se3.exp(rng.normal(size=6))


def wire(message):
    """The message as it arrives."""
    return deserialize_message(serialize_message(message), type(message))


def odometry(rng, T) -> Odometry:
    root = rng.normal(size=(6, 6))
    points = rng.normal(size=(500, 3)).astype(np.float32)
    return Odometry(
        stamp_ns=STAMP_NS, T_odom_base=T, covariance=root @ root.T, points_base=points, v_odom_base=rng.normal(size=3),
        health=OdometryHealth(points_in=500, points_used=400, matches=300, rmse_m=0.1, iterations=4),
    )  # fmt: skip


def test_a_stamp_keeps_its_nanoseconds():
    assert conversions.stamp_ns(conversions.header(STAMP_NS, "").stamp) == STAMP_NS


def test_a_scan_comes_back_with_its_times(rng):
    points = rng.normal(size=(1000, 3)).astype(np.float32)
    offsets_s = np.sort(rng.uniform(0, 0.1, 1000)).astype(np.float32)
    offsets_s[0] = 0.0
    message = wire(conversions.cloud_message(points, STAMP_NS, "lidar", offsets_s))
    scan = ScanReader(InputConfig(), "points").read(message, STAMP_NS + 10**9)
    assert scan.stamp_ns == STAMP_NS
    np.testing.assert_array_equal(scan.points_lidar, points)
    np.testing.assert_array_equal(scan.offsets_s, offsets_s)


def test_a_cloud_without_times_is_taken_as_compensated_and_that_is_said(rng):
    points = rng.normal(size=(100, 3)).astype(np.float32)
    reader = ScanReader(InputConfig(), "points")
    scan = reader.read(conversions.cloud_message(points, STAMP_NS, "lidar"), STAMP_NS)
    assert scan.offsets_s is None and "compensated" in reader.note


def test_nan_points_stay_in_step_with_their_times(rng):
    points = rng.normal(size=(100, 3)).astype(np.float32)
    points[::7] = np.nan
    offsets_s = np.linspace(0, 0.1, 100, dtype=np.float32)
    scan = ScanReader(InputConfig(), "points").read(conversions.cloud_message(points, STAMP_NS, "lidar", offsets_s), STAMP_NS)
    finite = np.isfinite(points).all(1)
    first = offsets_s[finite][0]
    assert scan.stamp_ns == pytest.approx(STAMP_NS + first * 1e9, abs=10)
    np.testing.assert_allclose(scan.offsets_s[finite], offsets_s[finite] - first, atol=1e-8)


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("truncated scan", lambda m: setattr(m, "data", array.array("B", bytes(m.data)[:100]))),
        ("malformed cloud", lambda m: setattr(m, "point_step", 4)),
        ("no positions", lambda m: setattr(m, "fields", [PointField(name="q", offset=0, datatype=7, count=1)])),
        ("empty scan", lambda m: (setattr(m, "width", 0), setattr(m, "data", array.array("B")))),
    ],
)
def test_a_spoilt_cloud_is_dropped_with_its_reason(rng, kind, spoil):
    message = conversions.cloud_message(rng.normal(size=(100, 3)), STAMP_NS, "lidar")
    spoil(message)
    dropped = ScanReader(InputConfig(), "points").read(message, STAMP_NS)
    assert isinstance(dropped, Dropped) and dropped.kind == kind and dropped.where == "points" and dropped.reason


def test_a_configured_time_field_that_is_missing_is_named(rng):
    message = conversions.cloud_message(rng.normal(size=(100, 3)), STAMP_NS, "lidar")
    dropped = ScanReader(InputConfig(point_time_field="stamp_us"), "points").read(message, STAMP_NS)
    assert isinstance(dropped, Dropped) and "stamp_us" in dropped.reason


def test_an_unreadable_deskewed_cloud_raises(rng, T_a_b):
    given = odometry(rng, T_a_b)
    with pytest.raises(DamagedScan):
        conversions.odometry_record(conversions.odometry_message(given, "odom", "base_link"), PointCloud2())


def test_an_imu_sample_comes_back_and_claims_no_orientation(rng):
    sample = ImuSample(stamp_ns=STAMP_NS, gyro_rad_s=rng.normal(size=3), acc_m_s2=rng.normal(size=3))
    message: Imu = wire(conversions.imu_message(sample, "imu"))
    back = conversions.imu_sample(message)
    assert message.orientation_covariance[0] == -1.0
    assert back.stamp_ns == STAMP_NS
    np.testing.assert_array_equal(back.gyro_rad_s, sample.gyro_rad_s)
    np.testing.assert_array_equal(back.acc_m_s2, sample.acc_m_s2)


def test_a_pose_comes_back(T_a_b):
    np.testing.assert_allclose(conversions.pose_matrix(wire(conversions.pose_message(T_a_b))), T_a_b, atol=1e-12)


def test_a_pose_without_a_rotation_or_with_nan_is_none():
    assert conversions.pose_matrix(Pose(orientation=conversions.Quaternion(x=0.0, y=0.0, z=0.0, w=0.0))) is None
    broken = Pose()
    broken.position.x = float("nan")
    assert conversions.pose_matrix(broken) is None


def test_an_odometry_comes_back_through_its_two_messages(rng, T_a_b):
    given = odometry(rng, T_a_b)
    message = wire(conversions.odometry_message(given, "odom", "base_link"))
    cloud = wire(conversions.cloud_message(given.points_base, given.stamp_ns, "base_link"))
    back = conversions.odometry_record(message, cloud)
    assert back.stamp_ns == given.stamp_ns
    np.testing.assert_allclose(back.T_odom_base, given.T_odom_base, atol=1e-12)
    np.testing.assert_allclose(back.covariance, given.covariance, atol=1e-9)
    np.testing.assert_allclose(back.v_odom_base, given.v_odom_base, atol=1e-12)
    np.testing.assert_array_equal(back.points_base, given.points_base)


def test_a_velocity_is_sent_in_the_axes_of_the_base(rng, T_a_b):
    given = odometry(rng, T_a_b)
    v = conversions.odometry_message(given, "odom", "base_link").twist.twist.linear
    np.testing.assert_allclose(T_a_b[:3, :3] @ [v.x, v.y, v.z], given.v_odom_base, atol=1e-12)


def test_a_covariance_is_translation_first_and_in_the_axes_of_the_fixed_frame(rng, T_a_b):
    """Against its definition: how small right perturbations move the position and turn about fixed axes."""
    step = 1e-6
    jacobian = np.zeros((6, 6))
    for k in range(6):
        moved = T_a_b @ se3.exp(step * np.eye(6)[k])
        jacobian[:3, k] = (moved - T_a_b)[:3, 3] / step
        jacobian[3:, k] = so3.log(np.ascontiguousarray(moved[:3, :3] @ T_a_b[:3, :3].T)) / step
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T
    sent = conversions.ros_covariance(covariance, T_a_b)
    np.testing.assert_allclose(sent.reshape(6, 6), jacobian @ covariance @ jacobian.T, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(conversions.tangent_covariance(sent, T_a_b), covariance, atol=1e-12)


def test_a_variance_of_yaw_alone_stands_in_the_last_place():
    covariance = np.zeros((6, 6))
    covariance[2, 2] = 0.25
    assert conversions.ros_covariance(covariance, np.eye(4))[35] == 0.25


def test_a_path_keeps_its_newest_pose_when_it_is_thinned(T_a_b):
    stamps_ns = np.arange(5000) * 10**8
    poses = np.tile(T_a_b, (5000, 1, 1))
    poses[:, 0, 3] = np.arange(5000)
    path = conversions.path_message(stamps_ns, poses, "map", longest=1000)
    assert 900 <= len(path.poses) <= 1001
    assert path.poses[-1].pose.position.x == 4999 and conversions.stamp_ns(path.header.stamp) == stamps_ns[-1]
    assert [p.pose.position.x for p in path.poses] == sorted(p.pose.position.x for p in path.poses)


def test_the_image_has_the_counts_as_grey_levels():
    counts = np.zeros((5, 5), np.uint8)
    counts[1, 3], counts[4, 0] = 10, 5
    message = conversions.image_message(BevImage(counts=counts, mean_height_m=np.zeros((5, 5), np.float32)), STAMP_NS, "base_link")
    pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    assert message.encoding == "mono8" and pixels[1, 3] == 255 and pixels[4, 0] == 127 and pixels.sum() == 382

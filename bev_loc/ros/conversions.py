"""Between ROS messages and the records of the core, one function per kind and direction; stamps are copied."""

import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseStamped, PoseWithCovarianceStamped, Quaternion, TransformStamped, Vector3
from nav_msgs.msg import Odometry as OdometryMessage
from nav_msgs.msg import Path
from sensor_msgs.msg import Image, Imu, PointCloud2, PointField
from std_msgs.msg import Header

from ..clouds import point_cloud2
from ..geometry import se3, so3
from ..records import BevImage, ImuSample, Odometry, OdometryHealth

UNKNOWN_VARIANCE = 1e6
_ROTATION_LAST = [3, 4, 5, 0, 1, 2]  # ROS has translation first, the core rotation first


def stamp_ns(stamp: Time) -> int:
    """Nanoseconds of a stamp."""
    return stamp.sec * 10**9 + stamp.nanosec


def header(stamp_ns: int, frame_id: str) -> Header:
    """The header of what holds at `stamp_ns` in `frame_id`."""
    seconds, rest = divmod(int(stamp_ns), 10**9)
    return Header(stamp=Time(sec=seconds, nanosec=rest), frame_id=frame_id)


def cloud_message(points: np.ndarray, stamp_ns: int, frame_id: str, offsets_s: np.ndarray | None = None) -> PointCloud2:
    """(N, 3) points as float32 fields x y z, with `time` (float32 seconds after the stamp) where there are offsets."""
    columns = [np.asarray(points, np.float32)]
    names = ["x", "y", "z"]
    if offsets_s is not None:
        columns.append(np.asarray(offsets_s, np.float32)[:, None])
        names.append("time")
    values = np.concatenate(columns, axis=1)
    step = 4 * len(names)
    return PointCloud2(
        header=header(stamp_ns, frame_id),
        height=1,
        width=len(values),
        fields=[PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate(names)],
        is_bigendian=False,
        point_step=step,
        row_step=step * len(values),
        data=array.array("B", values.tobytes()),  # rclpy checks anything else byte by byte: 80 ms a cloud
        is_dense=bool(np.isfinite(values).all()),
    )


def cloud_points(message: PointCloud2) -> np.ndarray:
    """(N, 3) float32 positions in the message's frame; DamagedScan if they cannot be read."""
    return point_cloud2.xyz(point_cloud2.structured(message))


def imu_message(sample: ImuSample, frame_id: str) -> Imu:
    """An IMU message that says that it has no orientation (REP-145: -1)."""
    message = Imu(header=header(sample.stamp_ns, frame_id))
    message.orientation_covariance[0] = -1.0
    message.angular_velocity = _vector(sample.gyro_rad_s)
    message.linear_acceleration = _vector(sample.acc_m_s2)
    return message


def imu_sample(message: Imu) -> ImuSample:
    """Rates and specific force, in the frame of the message's header."""
    w, a = message.angular_velocity, message.linear_acceleration
    return ImuSample(
        stamp_ns=stamp_ns(message.header.stamp),
        gyro_rad_s=np.array([w.x, w.y, w.z]),
        acc_m_s2=np.array([a.x, a.y, a.z]),
    )


def pose_message(T_a_b: np.ndarray) -> Pose:
    """The pose of b in a."""
    x, y, z, w = so3.to_quat_xyzw(np.ascontiguousarray(T_a_b[:3, :3])).tolist()
    return Pose(
        position=Point(**dict(zip("xyz", T_a_b[:3, 3].tolist()))), orientation=Quaternion(x=x, y=y, z=z, w=w)
    )


def pose_matrix(pose: Pose) -> np.ndarray | None:
    """T_a_b of the pose of b in a; None when it holds NaN or its quaternion has no length."""
    p, q = pose.position, pose.orientation
    values = np.array([p.x, p.y, p.z, q.x, q.y, q.z, q.w])
    if not np.isfinite(values).all() or not values[3:].any():
        return None
    return se3.from_parts(so3.from_quat_xyzw(values[3:]), values[:3])


def ros_covariance(covariance: np.ndarray, T_a_b: np.ndarray) -> np.ndarray:
    """(36,) as ROS wants it: translation first, in the axes of a; from (6, 6) of the right perturbation of T_a_b.

    T exp(xi) moves t by R rho and turns by R phi about the axes of a (to first order).
    """
    R = np.kron(np.eye(2), T_a_b[:3, :3])
    return (R @ covariance @ R.T)[np.ix_(_ROTATION_LAST, _ROTATION_LAST)].reshape(-1)


def tangent_covariance(values: np.ndarray, T_a_b: np.ndarray) -> np.ndarray:
    """(6, 6) covariance of the right perturbation of T_a_b; the inverse of `ros_covariance`."""
    R = np.kron(np.eye(2), T_a_b[:3, :3])
    return R.T @ np.asarray(values, float).reshape(6, 6)[np.ix_(_ROTATION_LAST, _ROTATION_LAST)] @ R


def odometry_message(odometry: Odometry, odom_frame: str, base_frame: str) -> OdometryMessage:
    """Pose and velocity (ROS: in the base's axes); the turn rate is not known and said so by its variance."""
    message = OdometryMessage(header=header(odometry.stamp_ns, odom_frame), child_frame_id=base_frame)
    T = odometry.T_odom_base
    message.pose.pose = pose_message(T)
    message.pose.covariance = ros_covariance(odometry.covariance, T)
    message.twist.twist.linear = _vector(T[:3, :3].T @ odometry.v_odom_base)
    message.twist.covariance = np.diag([0.0] * 3 + [UNKNOWN_VARIANCE] * 3).reshape(-1)
    return message


def odometry_record(message: OdometryMessage, cloud: PointCloud2) -> Odometry | None:
    """The record behind an odometry message and the deskewed cloud of the same stamp; None for an unusable pose.

    The health that the messages do not carry is NaN or zero. Raises DamagedScan for an unreadable cloud.
    """
    T = pose_matrix(message.pose.pose)
    if T is None:
        return None
    points_base = cloud_points(cloud)
    v = message.twist.twist.linear
    return Odometry(
        stamp_ns=stamp_ns(message.header.stamp),
        T_odom_base=T,
        covariance=tangent_covariance(message.pose.covariance, T),
        points_base=points_base[np.isfinite(points_base).all(axis=1)],
        v_odom_base=T[:3, :3] @ np.array([v.x, v.y, v.z]),
        health=OdometryHealth(
            points_in=len(points_base), points_used=len(points_base), matches=0, rmse_m=float("nan"), iterations=0
        ),
    )


def pose_with_covariance(
    T_map_base: np.ndarray, covariance: np.ndarray, stamp_ns: int, map_frame: str
) -> PoseWithCovarianceStamped:
    """The pose in the map; (6, 6) covariance of its right perturbation."""
    message = PoseWithCovarianceStamped(header=header(stamp_ns, map_frame))
    message.pose.pose = pose_message(T_map_base)
    message.pose.covariance = ros_covariance(covariance, T_map_base)
    return message


def transform_message(T_a_b: np.ndarray, stamp_ns: int, frame_a: str, frame_b: str) -> TransformStamped:
    """TF's transform with parent a and child b."""
    message = TransformStamped(header=header(stamp_ns, frame_a), child_frame_id=frame_b)
    pose = pose_message(T_a_b)
    message.transform.translation = _vector(T_a_b[:3, 3])
    message.transform.rotation = pose.orientation
    return message


def transform_matrix(message: TransformStamped) -> np.ndarray | None:
    """T_parent_child; None when it holds NaN or its quaternion has no length."""
    p = message.transform.translation
    return pose_matrix(Pose(position=Point(x=p.x, y=p.y, z=p.z), orientation=message.transform.rotation))


def path_message(stamps_ns: np.ndarray, T_map_base: np.ndarray, map_frame: str, longest: int = 1000) -> Path:
    """(N, 4, 4) poses as a path of at most about `longest`, evenly picked; its stamp is the last one's."""
    step = max(1, -(-len(stamps_ns) // longest))
    picked = range(len(stamps_ns) - 1, -1, -step)[::-1]  # the newest pose is always among them
    poses = [
        PoseStamped(header=header(stamps_ns[i], map_frame), pose=pose_message(np.ascontiguousarray(T_map_base[i])))
        for i in picked
    ]
    return Path(header=header(stamps_ns[-1], map_frame), poses=poses)


def image_message(image: BevImage, stamp_ns: int, frame_id: str) -> Image:
    """The counts as mono8, the fullest pixel white; rows and columns as in `bev/grid.py`."""
    brightest = max(int(image.counts.max(initial=0)), 1)
    pixels = (image.counts.astype(np.uint16) * 255 // brightest).astype(np.uint8)
    rows, columns = pixels.shape
    return Image(
        header=header(stamp_ns, frame_id), height=rows, width=columns, encoding="mono8", is_bigendian=0,
        step=columns, data=array.array("B", pixels.tobytes()),
    )  # fmt: skip


def _vector(values: np.ndarray) -> Vector3:
    x, y, z = values.tolist()
    return Vector3(x=x, y=y, z=z)

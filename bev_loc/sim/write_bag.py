"""A simulated drive as a rosbag2 (mcap) that `ros2 bag play` and any odometry read; no ROS needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DependencyError
from ..geometry import so3
from ..geometry.trajectory import write_tum
from ..records import ImuSample
from .camera import T_BASE_CAM, CameraModel, Picture
from .simulation import Simulation
from .sweep import Sweep

try:
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore
except ImportError as missing:  # only this file writes bags
    raise DependencyError(f"writing bags needs the package rosbags ({missing}); install it with 'pip install rosbags'") from missing

_STORE = get_typestore(Stores.ROS2_JAZZY)
_TOPICS = {
    "points": "sensor_msgs/msg/PointCloud2",
    "imu": "sensor_msgs/msg/Imu",
    "truth": "nav_msgs/msg/Odometry",
    "tf_static": "tf2_msgs/msg/TFMessage",
    "camera/image": "sensor_msgs/msg/Image",
    "camera/depth": "sensor_msgs/msg/Image",
    "camera/camera_info": "sensor_msgs/msg/CameraInfo",
}
_POINT = np.dtype({"names": ["x", "y", "z", "intensity", "t", "ring"], "formats": ["<f4", "<f4", "<f4", "<f4", "<u4", "<u2"],
                   "offsets": [0, 4, 8, 12, 16, 20], "itemsize": 24})  # fmt: skip
_FLOAT32, _UINT32, _UINT16 = 7, 6, 4  # sensor_msgs/PointField
_TRUTH_EVERY_NS = 10_000_000


def write_bag(simulation: Simulation, folder: Path, camera_hz: float = 2.0, camera: CameraModel = CameraModel()) -> Iterator[int]:
    """Writes the bag `folder/bag` and `folder/truth.tum`; yields the number of points after each scan.

    Frames: `base_link` (the lidar's place), `lidar`, `imu`, `camera` from /tf_static; the truth is an
    Odometry of `base_link` in `world` on /truth, not in TF, which belongs to the system under test.
    """
    stamps_ns, poses = simulation.truth()
    every = round(simulation.lidar.rate_hz / camera_hz) if camera_hz else 0
    scanner = simulation.scanner() if every else None
    with Writer(folder / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {topic: writer.add_connection(f"/{topic}", kind, typestore=_STORE, offered_qos_profiles=[_qos(topic)])
                       for topic, kind in _TOPICS.items() if every or not topic.startswith("camera")}  # fmt: skip

        def put(topic: str, at_ns: int, message: Any) -> None:
            writer.write(connections[topic], at_ns, _STORE.serialize_cdr(message, _TOPICS[topic]))

        begin_ns = int(stamps_ns[0])
        put("tf_static", begin_ns, _static_transforms(simulation, begin_ns))
        arrival_ns, known, count = begin_ns, 0, 0
        for item in simulation.stream():
            # Messages arrive when their last measurement is made, whatever their stamp claims.
            arrival_ns = max(arrival_ns, item.stamp_ns if isinstance(item, ImuSample) else arrival_ns)
            while known < len(stamps_ns) and stamps_ns[known] <= arrival_ns:
                put("truth", int(stamps_ns[known]), _truth(int(stamps_ns[known]), poses[known]))
                known += 1
            if isinstance(item, ImuSample):
                put("imu", arrival_ns, _imu(item))
                continue
            if simulation.imu is None:
                arrival_ns = item.stamp_ns + round(1e9 / simulation.lidar.rate_hz)
            put("points", arrival_ns, _cloud(item))
            if scanner and count % every == 0:
                picture = scanner.picture(simulation.begin_s + count / simulation.lidar.rate_hz, camera)
                for topic, message in _camera(picture, camera):
                    put(topic, arrival_ns, message)
            count += 1
            yield len(item.points_lidar)
    write_tum(folder / "truth.tum", stamps_ns, poses)


def _new(kind: str) -> Any:
    return _STORE.types[kind]


def _time(stamp_ns: int) -> Any:
    return _new("builtin_interfaces/msg/Time")(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def _header(stamp_ns: int, frame: str) -> Any:
    return _new("std_msgs/msg/Header")(stamp=_time(stamp_ns), frame_id=frame)


def _vector(values: np.ndarray, kind: str = "Vector3") -> Any:
    x, y, z = map(float, values)
    return _new(f"geometry_msgs/msg/{kind}")(x=x, y=y, z=z)


def _quaternion(R: np.ndarray) -> Any:
    x, y, z, w = map(float, so3.to_quat_xyzw(np.ascontiguousarray(R)))
    return _new("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)


def _cloud(sweep: Sweep) -> Any:
    points = np.zeros(len(sweep.points_lidar), _POINT)
    points["x"], points["y"], points["z"] = sweep.points_lidar.T
    points["intensity"], points["ring"] = sweep.intensity, sweep.rings
    points["t"] = np.round(sweep.offsets_s.astype(float) * 1e9)
    types = {"t": _UINT32, "ring": _UINT16}
    fields = [
        _new("sensor_msgs/msg/PointField")(name=name, offset=_POINT.fields[name][1], datatype=types.get(name, _FLOAT32), count=1)
        for name in _POINT.names
    ]
    return _new("sensor_msgs/msg/PointCloud2")(
        header=_header(sweep.stamp_ns, "lidar"), height=1, width=len(points), fields=fields, is_bigendian=False,
        point_step=_POINT.itemsize, row_step=_POINT.itemsize * len(points), data=points.view(np.uint8).reshape(-1),
        is_dense=bool(np.isfinite(sweep.points_lidar).all()),
    )  # fmt: skip


def _imu(sample: ImuSample) -> Any:
    unknown = np.array([-1.0, 0, 0, 0, 0, 0, 0, 0, 0])  # REP-145: no orientation
    return _new("sensor_msgs/msg/Imu")(
        header=_header(sample.stamp_ns, "imu"), orientation=_new("geometry_msgs/msg/Quaternion")(x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=unknown, angular_velocity=_vector(sample.gyro_rad_s), angular_velocity_covariance=np.zeros(9),
        linear_acceleration=_vector(sample.acc_m_s2), linear_acceleration_covariance=np.zeros(9),
    )  # fmt: skip


def _truth(stamp_ns: int, T: np.ndarray) -> Any:
    pose = _new("geometry_msgs/msg/Pose")(position=_vector(T[:3, 3], "Point"), orientation=_quaternion(T[:3, :3]))
    zero = _new("geometry_msgs/msg/Twist")(linear=_vector(np.zeros(3)), angular=_vector(np.zeros(3)))
    return _new("nav_msgs/msg/Odometry")(
        header=_header(stamp_ns, "world"), child_frame_id="base_link",
        pose=_new("geometry_msgs/msg/PoseWithCovariance")(pose=pose, covariance=np.zeros(36)),
        twist=_new("geometry_msgs/msg/TwistWithCovariance")(twist=zero, covariance=np.zeros(36)),
    )  # fmt: skip


def _static_transforms(simulation: Simulation, stamp_ns: int) -> Any:
    mounted = {"lidar": np.eye(4), "imu": simulation.T_base_imu, "camera": T_BASE_CAM}
    return _new("tf2_msgs/msg/TFMessage")(transforms=[
        _new("geometry_msgs/msg/TransformStamped")(
            header=_header(stamp_ns, "base_link"), child_frame_id=frame,
            transform=_new("geometry_msgs/msg/Transform")(translation=_vector(T[:3, 3]), rotation=_quaternion(T[:3, :3])),
        )
        for frame, T in mounted.items()
    ])  # fmt: skip


def _camera(picture: Picture, camera: CameraModel) -> Iterator[tuple[str, Any]]:
    header, K = _header(picture.stamp_ns, "camera"), camera.matrix()
    h, w = picture.grey.shape
    for topic, pixels, encoding in (("image", picture.grey, "mono8"), ("depth", picture.depth_m, "32FC1")):
        yield f"camera/{topic}", _new("sensor_msgs/msg/Image")(
            header=header, height=h, width=w, encoding=encoding, is_bigendian=0, step=w * pixels.itemsize,
            data=np.ascontiguousarray(pixels).view(np.uint8).reshape(-1),
        )  # fmt: skip
    whole = _new("sensor_msgs/msg/RegionOfInterest")(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    yield "camera/camera_info", _new("sensor_msgs/msg/CameraInfo")(
        header=header, height=h, width=w, distortion_model="plumb_bob", d=np.zeros(5), k=K.ravel(), r=np.eye(3).ravel(),
        p=np.hstack([K, np.zeros((3, 1))]).ravel(), binning_x=0, binning_y=0, roi=whole,
    )  # fmt: skip


def _qos(topic: str) -> Qos:
    """Reliable; the static transforms stay for whoever comes late."""
    never = QosTime(sec=0, nsec=0)
    return Qos(
        history=QosHistory.KEEP_LAST, depth=10, reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if topic == "tf_static" else QosDurability.VOLATILE,
        deadline=never, lifespan=never, liveliness=QosLiveliness.AUTOMATIC, liveliness_lease_duration=never,
        avoid_ros_namespace_conventions=False,
    )  # fmt: skip

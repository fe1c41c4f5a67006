"""Writers of small recordings, each in the real format."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from bev_loc.records import ImuSample


class BagWriter:
    """Writes one bag of clouds, IMU samples and static transforms through `rosbags`."""

    def __init__(self, path: Path, kind: str) -> None:
        from rosbags.rosbag1 import Writer as Writer1
        from rosbags.rosbag2 import StoragePlugin
        from rosbags.rosbag2 import Writer as Writer2
        from rosbags.typesys import Stores, get_typestore

        self.ros1 = kind == "bag1"
        self.store = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.ROS2_HUMBLE)
        plugin = StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3
        self.writer = Writer1(path) if self.ros1 else Writer2(path, version=9, storage_plugin=plugin)
        self.connections: dict[tuple[str, str], object] = {}
        self.writer.open()

    def close(self) -> None:
        self.writer.close()

    def message(self, kind: str, /, **values: object) -> object:
        return self.store.types[kind](**values)

    def header(self, stamp_ns: int, frame: str) -> object:
        stamp = self.message("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        seq = {"seq": 0} if self.ros1 else {}
        return self.message("std_msgs/msg/Header", stamp=stamp, frame_id=frame, **seq)

    def raw(self, topic: str, kind: str, arrival_ns: int, data: bytes) -> None:
        key = (topic, kind)
        if key not in self.connections:
            self.connections[key] = self.writer.add_connection(topic, kind, typestore=self.store)
        self.writer.write(self.connections[key], arrival_ns, data)

    def write(self, topic: str, arrival_ns: int, message: object, cut_bytes: int | None = None) -> None:
        kind = message.__msgtype__
        serialise = self.store.serialize_ros1 if self.ros1 else self.store.serialize_cdr
        self.raw(topic, kind, arrival_ns, bytes(serialise(message, kind))[:cut_bytes])

    def cloud(
        self, points: np.ndarray, stamp_ns: int, arrival_ns: int | None = None, topic: str = "/points",
        frame: str = "lidar", height: int = 1, padding: int = 0, cut_bytes: int | None = None, **changed: object,
    ) -> None:  # fmt: skip
        """A PointCloud2 of structured `points`; `padding` bytes behind each row, `changed` header fields."""
        codes = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8, "u8": 8}
        dtype = points.dtype
        kind_of = {n: codes[dtype[n].str[1:]] for n in dtype.names}
        fields = [
            self.message("sensor_msgs/msg/PointField", name=n, offset=dtype.fields[n][1], datatype=kind_of[n], count=1)
            for n in dtype.names
        ]
        width = len(points) // height
        rows = np.zeros((height, width * dtype.itemsize + padding), np.uint8)
        rows[:, : width * dtype.itemsize] = np.ascontiguousarray(points).view(np.uint8).reshape(height, -1)
        values = {
            "header": self.header(stamp_ns, frame), "height": height, "width": width, "fields": fields,
            "is_bigendian": dtype["x"].str[0] == ">", "point_step": dtype.itemsize, "row_step": rows.shape[1],
            "data": rows.reshape(-1), "is_dense": False, **changed,
        }  # fmt: skip
        message = self.message("sensor_msgs/msg/PointCloud2", **values)
        self.write(topic, stamp_ns if arrival_ns is None else arrival_ns, message, cut_bytes)

    def imu(self, sample: ImuSample, topic: str = "/imu", frame: str = "imu", arrival_ns: int | None = None) -> None:
        vector = lambda v: self.message("geometry_msgs/msg/Vector3", x=float(v[0]), y=float(v[1]), z=float(v[2]))  # noqa: E731
        message = self.message(
            "sensor_msgs/msg/Imu",
            header=self.header(sample.stamp_ns, frame),
            orientation=self.message("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
            orientation_covariance=np.zeros(9), angular_velocity=vector(sample.gyro_rad_s),
            angular_velocity_covariance=np.zeros(9), linear_acceleration=vector(sample.acc_m_s2),
            linear_acceleration_covariance=np.zeros(9),
        )  # fmt: skip
        self.write(topic, sample.stamp_ns if arrival_ns is None else arrival_ns, message)

    def static(self, edges: Iterable[tuple[str, str, tuple[float, float, float]]], arrival_ns: int = 0) -> None:
        """Static transforms without rotation: parent, child, translation."""
        transforms = [
            self.message(
                "geometry_msgs/msg/TransformStamped", header=self.header(0, parent), child_frame_id=child,
                transform=self.message(
                    "geometry_msgs/msg/Transform",
                    translation=self.message("geometry_msgs/msg/Vector3", x=t[0], y=t[1], z=t[2]),
                    rotation=self.message("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
                ),
            )
            for parent, child, t in edges
        ]  # fmt: skip
        if self.ros1 and "tf2_msgs/msg/TFMessage" not in self.store.types:
            from rosbags.typesys import get_types_from_msg

            self.store.register(
                get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf2_msgs/msg/TFMessage")
            )
        self.write("/tf_static", arrival_ns, self.message("tf2_msgs/msg/TFMessage", transforms=transforms))


@pytest.fixture
def write_bag(tmp_path: Path) -> Callable[[str], "BagContext"]:
    """`with write_bag("bag1" | "sqlite3" | "mcap") as bag: ...; bag.path`."""
    return lambda kind: BagContext(tmp_path / ("recording.bag" if kind == "bag1" else "recording"), kind)


class BagContext:
    """An open writer that knows where it writes."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind

    def __enter__(self) -> BagWriter:
        self.writer = BagWriter(self.path, self.kind)
        self.writer.path = self.path
        return self.writer

    def __exit__(self, *error: object) -> None:
        self.writer.close()


@pytest.fixture
def write_bins(tmp_path: Path) -> Callable[..., list[Path]]:
    """`write_bins(folder, scans)` writes `000000.bin`, ... of (N, 4) float32 arrays below the test's folder."""

    def write(folder: str, scans: Iterable[np.ndarray], digits: int = 6) -> list[Path]:
        target = tmp_path / folder
        target.mkdir(parents=True, exist_ok=True)
        paths = []
        for i, points in enumerate(scans):
            paths.append(target / f"{i:0{digits}d}.bin")
            points.astype("<f4").tofile(paths[-1])
        return paths

    return write


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded."""
    return np.random.default_rng(4)

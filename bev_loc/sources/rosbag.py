"""rosbag1 (.bag) and rosbag2 (.db3, .mcap, folder) without ROS, through the package `rosbags`."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..clouds.damaged import DamagedScan
from ..clouds.point_cloud2 import structured
from ..config import InputConfig
from ..errors import DependencyError, SourceError
from ..records import Dropped, ImuSample
from .bag_topics import CLOUD, STATIC_TRANSFORMS, Topic, choose_clouds, choose_imu
from .base import Item, Truth
from .order import in_order
from .point_scans import FirstCloud, ScanReading, decide_recording
from .static_frames import StaticTransform, extrinsics, static_transform

_MEND = "mend it (mcap recover, rosbag reindex, ros2 bag reindex) or copy it again"
_LOOK_AT_CLOUDS, _LOOK_AT_IMU = 5, 400
_GRAVITY_M_S2 = 9.80665
# what a message that is cut, or of another definition, makes a deserialiser raise
_BAD_BYTES = (struct.error, ValueError, IndexError, KeyError, AssertionError, OverflowError, MemoryError)


class _BrokenBag(Exception):
    """The storage cannot be read any further."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rosbag:
    """A `Source` of the clouds of one topic and the samples of one IMU."""

    name: str
    path: Path
    points_topic: str
    imu_topic: str | None
    acc_scale: float  # to m/s^2
    reading: ScanReading
    scan_count: int
    notes: tuple[str, ...]
    T_base_lidar: np.ndarray | None
    T_base_imu: np.ndarray | None

    def stream(self) -> Iterator[Item]:
        """Scans and IMU samples; a bag that breaks off ends with a `Dropped`, what came before stays valid."""
        with _reader(self.path) as reader:
            yield from in_order(self._recorded(reader), has_imu=self.imu_topic is not None)

    def truth(self) -> Truth | None:
        """None: bags have no convention for it."""
        return None

    def _recorded(self, reader: Any) -> Iterator[tuple[int, Item]]:
        wanted = [c for c in reader.connections if c.topic in (self.points_topic, self.imu_topic)]
        arrival_ns = 0
        try:
            for connection, arrival_ns, raw in _stored(reader, wanted):
                yield arrival_ns, self._item(reader, connection, arrival_ns, raw)
        except _BrokenBag as error:
            reason = (
                f"{self.path}: cannot be read any further ({error}); what came before is used; mend or copy it again"
            )
            yield arrival_ns, Dropped(where=str(self.path), kind="damaged bag", reason=reason)

    def _item(self, reader: Any, connection: Any, arrival_ns: int, raw: bytes) -> Item:
        try:
            message = _message(reader, connection, raw)
            stamp_ns = _stamp_ns(message) or arrival_ns
            if connection.topic == self.imu_topic:
                return _imu_sample(message, stamp_ns, self.acc_scale)
            return self.reading.scan(structured(message), stamp_ns, self.points_topic)
        except DamagedScan as damage:
            where = f"{self.path}: {connection.topic}"
            return Dropped(where=where, kind=damage.kind, reason=f"{where}: {damage.reason}", stamp_ns=arrival_ns)


def open_bag(path: Path, config: InputConfig) -> Rosbag:
    """The bag at `path`; topics, units, point times and extrinsics are read off its first messages."""
    with _reader(path) as reader:
        try:
            topics = _topics(reader)
            clouds = choose_clouds(topics, config.points_topic, str(path))
            imu = choose_imu(topics, config.imu_topic, str(path))
            first_clouds = _first_clouds(reader, clouds.topic.name)
            reading = decide_recording((seen.cloud for seen in first_clouds), f"{path}: {clouds.topic.name}", config)
            samples = _first_imu(reader, imu.topic.name) if imu.topic else []
            acc_scale, imu_note = _acceleration_scale(samples, imu.topic.name if imu.topic else "")
            use_imu = acc_scale is not None
            lidar_frame = first_clouds[0].frame if first_clouds else ""
            mounted = extrinsics(_static_transforms(reader), lidar_frame, samples[0][1] if use_imu else None)
        except _BrokenBag as error:
            raise SourceError(f"{path}: cannot be read ({error}); {_MEND}") from None
    stamp_note = (
        "" if all(seen.stamped for seen in first_clouds) else "clouds have no stamps: the time of recording is used"
    )
    notes = (clouds.note, imu.note, reading.note, stamp_note, imu_note, *mounted.notes)
    return Rosbag(
        name=str(path), path=path, points_topic=clouds.topic.name, imu_topic=imu.topic.name if use_imu else None,
        acc_scale=acc_scale or 1.0, reading=reading, scan_count=clouds.topic.messages,
        notes=tuple(note for note in notes if note), T_base_lidar=mounted.T_base_lidar, T_base_imu=mounted.T_base_imu,
    )  # fmt: skip


@contextmanager
def _reader(path: Path) -> Iterator[Any]:
    """An open reader; SourceError for what is no bag, DependencyError without `rosbags`."""
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError:
        raise DependencyError(f"{path}: reading rosbags needs the package rosbags; pip install rosbags") from None
    try:
        reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_HUMBLE))
        reader.open()
    except (*_storage_errors(), *_BAD_BYTES) as error:
        raise SourceError(f"{path}: cannot be opened as a rosbag ({error}); {_MEND}") from None
    try:
        yield reader
    finally:
        reader.close()


def _stored(reader: Any, connections: list[Any]) -> Iterator[tuple[Any, int, bytes]]:
    """Connection, arrival and bytes of every message; _BrokenBag where the storage is damaged."""
    if not connections:
        return
    try:
        yield from reader.messages(connections=connections)
    except (*_storage_errors(), *_BAD_BYTES) as error:
        raise _BrokenBag(str(error) or type(error).__name__) from None


def _storage_errors() -> tuple[type[Exception], ...]:
    """What the layers below `rosbags` raise for a bag that is damaged or breaks off."""
    import apsw
    from rosbags.highlevel import AnyReaderError
    from rosbags.rosbag1 import ReaderError as Reader1Error
    from rosbags.rosbag2 import ReaderError as Reader2Error

    # lz4 raises RuntimeError, bz2 OSError or EOFError
    return (AnyReaderError, Reader1Error, Reader2Error, apsw.Error, OSError, EOFError, RuntimeError, zlib.error)


def _topics(reader: Any) -> list[Topic]:
    topics = []
    for name, info in sorted(reader.topics.items()):
        topic = Topic(name=name, type=info.msgtype or "several types", messages=info.msgcount)
        if topic.type == CLOUD and topic.messages:
            _, _, raw = next(_stored(reader, info.connections), (None, 0, b""))
            topic = replace(topic, message_bytes=len(raw))
        topics.append(topic)
    return topics


def _first(reader: Any, topic: str, count: int) -> Iterator[tuple[int, Any]]:
    """Arrival and message of the first readable messages of a topic."""
    connections = [c for c in reader.connections if c.topic == topic]
    for connection, arrival_ns, raw in islice(_stored(reader, connections), count):
        try:
            yield arrival_ns, _message(reader, connection, raw)
        except DamagedScan:  # said when the stream comes to it
            continue


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _SeenCloud:
    cloud: FirstCloud
    frame: str
    stamped: bool  # its header has a time


def _first_clouds(reader: Any, topic: str) -> list[_SeenCloud]:
    """The first readable clouds."""
    clouds = []
    for arrival_ns, message in _first(reader, topic, _LOOK_AT_CLOUDS):
        try:
            points = structured(message)
        except DamagedScan:
            continue
        stamp_ns = _stamp_ns(message)
        cloud = FirstCloud(points=points, stamp_ns=stamp_ns or arrival_ns, arrival_ns=arrival_ns)
        clouds.append(_SeenCloud(cloud=cloud, frame=message.header.frame_id.lstrip("/"), stamped=bool(stamp_ns)))
    return clouds


def _first_imu(reader: Any, topic: str) -> list[tuple[ImuSample, str]]:
    """The first samples with their frames; none when the driver says that it has no acceleration (REP-145)."""
    return [
        (_imu_sample(message, _stamp_ns(message) or arrival_ns, 1.0), message.header.frame_id.lstrip("/"))
        for arrival_ns, message in _first(reader, topic, _LOOK_AT_IMU)
        if message.linear_acceleration_covariance[0] != -1 and message.angular_velocity_covariance[0] != -1
    ]


def _acceleration_scale(samples: list[tuple[ImuSample, str]], topic: str) -> tuple[float | None, str]:
    """The factor to m/s^2 by the magnitude of gravity, None when the topic is of no use; and what was found."""
    if not samples:
        return None, f"IMU {topic} carries no accelerations and rates: not used" if topic else ""
    acc = np.array([sample.acc_m_s2 for sample, _ in samples])
    norms = np.hypot(np.hypot(acc[:, 0], acc[:, 1]), acc[:, 2])
    usual = float(np.median(norms[np.isfinite(norms)])) if np.isfinite(norms).any() else 0.0
    if 0.5 < usual < 2.0:
        return _GRAVITY_M_S2, f"IMU {topic} is in units of g (median {usual:.2f}): scaled by {_GRAVITY_M_S2}"
    if 5.0 < usual < 20.0:
        return 1.0, f"IMU {topic} is in m/s^2 (median {usual:.2f})"
    return None, f"IMU {topic} has a median acceleration of {usual:.2f}, neither 1 g nor 9.8 m/s^2: not used"


def _static_transforms(reader: Any) -> list[StaticTransform]:
    edges = []
    connections = [c for c in reader.connections if c.topic.endswith("tf_static") and c.msgtype == STATIC_TRANSFORMS]
    for connection, _, raw in _stored(reader, connections):
        try:
            message = _message(reader, connection, raw)
        except DamagedScan:
            continue
        for edge in message.transforms:
            t, q = edge.transform.translation, edge.transform.rotation
            edges.append(
                static_transform(edge.header.frame_id, edge.child_frame_id, (t.x, t.y, t.z), (q.x, q.y, q.z, q.w))
            )
    return [edge for edge in edges if edge is not None]


def _message(reader: Any, connection: Any, raw: bytes) -> Any:
    from rosbags.highlevel import AnyReaderError

    try:
        return reader.deserialize(raw, connection.msgtype)
    except (AnyReaderError, *_BAD_BYTES) as error:
        raise DamagedScan(
            "truncated message", f"a message of {len(raw)} bytes is no {connection.msgtype} ({error}); record it again"
        ) from None


def _imu_sample(message: Any, stamp_ns: int, acc_scale: float) -> ImuSample:
    w, a = message.angular_velocity, message.linear_acceleration
    return ImuSample(
        stamp_ns=stamp_ns, gyro_rad_s=np.array([w.x, w.y, w.z]), acc_m_s2=np.array([a.x, a.y, a.z]) * acc_scale
    )


def _stamp_ns(message: Any) -> int:
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec

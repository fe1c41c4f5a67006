"""Which topics of a bag to read, by type when they are not given."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import SourceError

CLOUD = "sensor_msgs/msg/PointCloud2"
IMU = "sensor_msgs/msg/Imu"
STATIC_TRANSFORMS = "tf2_msgs/msg/TFMessage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic of a recording."""

    name: str
    type: str
    messages: int
    message_bytes: int = 0  # of its first message


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A topic, and how it was chosen among several; no topic when there is none of the type."""

    topic: Topic | None
    note: str = ""


def choose_clouds(topics: Iterable[Topic], wanted: str, where: str) -> Choice:
    """The cloud topic: the wanted one, the only one, or the one with the most data; SourceError when none."""
    topics = tuple(topics)
    choice = _choose(
        topics, CLOUD, wanted, where, "input.points_topic", lambda t: t.messages * t.message_bytes, "most data"
    )
    if choice.topic is None:
        raise SourceError(
            f"{where}: expected a topic of type {CLOUD}, got {listed(topics)}; convert the recording or give another"
        )
    return choice


def choose_imu(topics: Iterable[Topic], wanted: str, where: str) -> Choice:
    """The IMU topic: the wanted one, the only one, or the fastest; perhaps none."""
    return _choose(tuple(topics), IMU, wanted, where, "input.imu_topic", lambda t: t.messages, "most messages")


def listed(topics: Iterable[Topic]) -> str:
    """The topics with their types, for a message."""
    return ", ".join(f"{t.name} ({t.type}, {t.messages})" for t in topics) or "no topics"


def _choose(topics: tuple[Topic, ...], kind: str, wanted: str, where: str, key: str, size: object, by: str) -> Choice:
    found = sorted((t for t in topics if t.type == kind and t.messages), key=lambda t: (-size(t), t.name))
    if wanted:
        match = next((t for t in found if t.name == wanted), None)
        if match is None:
            raise SourceError(f"{where}: no {kind} on topic '{wanted}', got {listed(topics)}; set {key} to one of them")
        return Choice(topic=match)
    if len(found) < 2:
        return Choice(topic=found[0] if found else None)
    others = ", ".join(t.name for t in found[1:])
    return Choice(topic=found[0], note=f"topic {found[0].name} chosen for its {by}, beside {others} ({key})")

"""One order for scans and inertial samples that were recorded separately."""

from collections import deque
from collections.abc import Iterable, Iterator

from ..records import Dropped, ImuSample, LidarScan, Odometry
from .base import Item, scan_end_ns

PATIENCE_NS = 1_000_000_000
_MOST_WAITING_SCANS = 20


def in_order(recorded: Iterable[tuple[int, Item]], has_imu: bool) -> Iterator[Item]:
    """Items of `(arrival_ns, item)` such that a scan follows the IMU samples up to its last return.

    Scans keep their own order and so do IMU samples: a stamp that goes back is passed on, for the
    filter to refuse. Of the two waiting heads the earlier goes first; a head whose counterpart does not
    come (sensor off, a stamp from another clock) waits for PATIENCE_NS of recording, then goes alone.
    """
    if not has_imu:
        yield from (item for _, item in recorded)
        return
    scans: deque[tuple[int, int, Item]] = deque()  # arrival, time to compare, item
    imu: deque[tuple[int, int, Item]] = deque()
    for arrival_ns, item in recorded:
        queue = imu if isinstance(item, ImuSample) else scans
        queue.append((arrival_ns, _time_ns(item, scans), item))
        yield from _matched(scans, imu)
        while scans and not imu and (arrival_ns - scans[0][0] > PATIENCE_NS or len(scans) > _MOST_WAITING_SCANS):
            yield scans.popleft()[2]
        while imu and not scans and arrival_ns - imu[0][0] > PATIENCE_NS:
            yield imu.popleft()[2]
        # both wait only while a scan's stamp lies ahead of every IMU sample: `_matched` lets IMU pass
    yield from _matched(scans, imu)
    yield from (item for _, _, item in scans)
    yield from (item for _, _, item in imu)


def _matched(scans: deque[tuple[int, int, Item]], imu: deque[tuple[int, int, Item]]) -> Iterator[Item]:
    while scans and imu:
        queue = imu if imu[0][1] <= scans[0][1] else scans
        yield queue.popleft()[2]


def _time_ns(item: Item, before: deque[tuple[int, int, Item]]) -> int:
    match item:
        case LidarScan():
            return scan_end_ns(item)
        case Dropped():  # goes out right behind the scan before it
            return before[-1][1] if before else -(2**63)
        case ImuSample() | Odometry():
            return item.stamp_ns

"""What stands between callbacks and the worker: nothing blocks, nothing is lost uncounted."""

import threading
import time

import numpy as np

from bev_loc.records import ImuSample
from bev_loc.ros.imu_queue import ImuQueue
from bev_loc.ros.map_cloud import MapCloud
from bev_loc.ros.pairing import Pairing
from bev_loc.ros.worker import Worker


def sample(stamp_ns: int) -> ImuSample:
    return ImuSample(stamp_ns=stamp_ns, gyro_rad_s=np.zeros(3), acc_m_s2=np.zeros(3))


class Held:
    """Handles items, but is held up at the first one until it may go on."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()
        self.handled: list[int] = []

    def __call__(self, item: int) -> None:
        self.began.set()
        self.go_on.wait(60)
        self.handled.append(item)


def held_worker(held: Held, most_waiting: int, items: int, thin_out: bool = False) -> Worker:
    """A worker that is held up at item 0 while items from 1 on are offered."""
    worker = Worker("test", held, most_waiting=most_waiting, thin_out=thin_out)
    worker.offer(0)
    assert held.began.wait(60)
    for item in range(1, items + 1):
        worker.offer(item)
    return worker


def test_a_busy_worker_keeps_the_newest_items_and_counts_the_rest():
    worker = held_worker(held := Held(), most_waiting=2, items=5)
    held.go_on.set()
    while worker.handled < 3:
        time.sleep(0.01)
    worker.stop()
    assert held.handled == [0, 4, 5] and worker.dropped == 3 and worker.offered == worker.handled + worker.dropped


def test_a_worker_that_was_held_up_gets_the_whole_way_in_larger_steps():
    # Ten seconds of scans during one solution of the pose graph.
    worker = held_worker(held := Held(), most_waiting=30, items=100, thin_out=True)
    held.go_on.set()
    while worker.waiting:
        time.sleep(0.01)
    worker.stop()
    assert held.handled[-1] == 100 and max(np.diff(held.handled)) <= 8  # the oldest would have left a hole of 70
    assert worker.offered == 101 == len(held.handled) + worker.dropped


def test_a_stopped_worker_counts_what_was_still_waiting():
    worker = held_worker(held := Held(), most_waiting=5, items=2)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    while worker.waiting:
        time.sleep(0.01)
    held.go_on.set()
    stopping.join()
    assert (worker.handled, worker.dropped) == (1, 2)


def test_a_scan_waits_for_the_last_samples_of_a_running_imu():
    buffer = ImuQueue()
    buffer.add(sample(0))
    late = threading.Timer(0.05, buffer.add, [sample(100)])
    late.start()
    assert [s.stamp_ns for s in buffer.take_until(100, patience_s=5.0)] == [0, 100]


def test_samples_after_the_scan_stay_for_the_next_one():
    buffer = ImuQueue()
    for stamp_ns in (0, 50, 150):
        buffer.add(sample(stamp_ns))
    assert [s.stamp_ns for s in buffer.take_until(100)] == [0, 50]
    assert [s.stamp_ns for s in buffer.take_until(200, patience_s=0.0)] == [150]


def test_a_dead_imu_is_not_waited_for():
    buffer = ImuQueue()
    buffer.add(sample(0))
    assert len(buffer.take_until(10**10, patience_s=60.0)) == 1


def test_halves_pair_by_stamp_in_either_order():
    pairs: Pairing[str, int] = Pairing()
    assert pairs.add_first(10, "a") is None
    assert pairs.add_second(20, 2) is None
    assert pairs.add_second(10, 1) == ("a", 1)
    assert pairs.add_first(20, "b") == ("b", 2)
    assert pairs.unpaired == 0


def test_halves_that_never_meet_are_given_up_and_counted():
    pairs: Pairing[str, int] = Pairing()
    for stamp_ns in range(100):
        assert pairs.add_first(stamp_ns, "a") is None
    assert pairs.unpaired == 80
    assert pairs.add_second(0, 1) is None and pairs.add_second(99, 1) == ("a", 1)


def test_the_map_cloud_stays_within_its_bound_and_moves_with_its_keyframes():
    cloud = MapCloud(most_points=1000)
    for id in range(10):
        cloud.add(id, np.ones((300, 3), np.float32))
    shift = np.eye(4)
    shift[:3, 3] = [10.0, 0.0, 0.0]
    points_map = cloud.points_map({id: shift for id in range(5)})
    assert 0 < len(points_map) <= 500 and points_map.dtype == np.float32
    np.testing.assert_allclose(points_map, [[11.0, 1.0, 1.0]] * len(points_map))

"""The one order of scans and IMU samples."""

import numpy as np

from bev_loc.records import Dropped, ImuSample, LidarScan
from bev_loc.sources.order import in_order

MS = 1_000_000


def scan(begin_ms: int, sweep_ms: int = 100) -> LidarScan:
    offsets_s = np.array([0.0, sweep_ms * 1e-3], np.float32)
    return LidarScan(stamp_ns=begin_ms * MS, points_lidar=np.zeros((2, 3), np.float32), offsets_s=offsets_s)


def imu(at_ms: int) -> ImuSample:
    return ImuSample(stamp_ns=at_ms * MS, gyro_rad_s=np.zeros(3), acc_m_s2=np.zeros(3))


def names(items) -> list[str]:
    kinds = {LidarScan: "scan", ImuSample: "imu", Dropped: "drop"}
    return [f"{kinds[type(item)]} {(item.stamp_ns or 0) // MS}" for item in items]


def test_a_scan_waits_for_the_imu_up_to_its_end():
    recorded = [(0, scan(0)), *((k * 40 * MS, imu(k * 40)) for k in range(5))]
    assert names(in_order(recorded, has_imu=True)) == ["imu 0", "imu 40", "imu 80", "scan 0", "imu 120", "imu 160"]


def test_imu_that_arrived_first_waits_for_a_late_scan():
    recorded = [*((k * 40 * MS, imu(k * 40)) for k in range(6)), (210 * MS, scan(0)), (240 * MS, imu(240))]
    assert names(in_order(recorded, has_imu=True))[2:5] == ["imu 80", "scan 0", "imu 120"]


def test_nothing_is_lost_or_stuck_when_the_imu_stops():
    recorded = [(0, imu(0)), *((k * 100 * MS, scan(k * 100)) for k in range(40))]
    seen = []
    stream = in_order(recorded, has_imu=True)
    for item in stream:
        seen.append(item)
        if len(seen) == 30:
            break
    assert names(seen) == ["imu 0"] + [f"scan {k * 100}" for k in range(29)]
    assert len(seen) + len(list(stream)) == 41


def test_a_single_stamp_far_ahead_delays_only_itself():
    recorded = []
    for k in range(60):
        recorded.append((k * 100 * MS, imu(k * 100)))
        recorded.append((k * 100 * MS, scan(10**9 if k == 20 else k * 100)))
    out = list(in_order(recorded, has_imu=True))
    assert len(out) == 120
    scans = [i.stamp_ns // MS for i in out if isinstance(i, LidarScan)]
    assert scans == [10**9 if k == 20 else k * 100 for k in range(60)]
    at = names(out).index("scan 5000")
    assert names(out)[at - 1] == "imu 5100"  # long after the spike, order is as before


def test_a_dropped_scan_keeps_its_place_and_holds_nothing_up():
    drop = Dropped(where="f", reason="r", kind="k", stamp_ns=None)
    recorded = [
        (0, drop),
        (0, imu(0)),
        (0, scan(0)),
        (50 * MS, drop),
        (100 * MS, imu(100)),
        (101 * MS, imu(101)),
        (200 * MS, scan(100)),
    ]
    assert names(in_order(recorded, has_imu=True)) == [
        "drop 0",
        "imu 0",
        "imu 100",
        "scan 0",
        "drop 0",
        "imu 101",
        "scan 100",
    ]


def test_without_an_imu_scans_come_as_they_are():
    recorded = [(0, scan(0)), (1, scan(300)), (2, scan(100))]
    assert names(in_order(recorded, has_imu=False)) == ["scan 0", "scan 300", "scan 100"]

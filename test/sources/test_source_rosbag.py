"""Bags of all three storages, written here and read back."""

import numpy as np
import pytest

from bev_loc.config import InputConfig
from bev_loc.errors import SourceError
from bev_loc.records import Dropped, ImuSample, LidarScan
from bev_loc.sources.open import open_source

BEGIN_NS = 1_700_000_000 * 10**9
SWEEP_NS = 100_000_000


def cloud(
    rng: np.random.Generator, n: int = 500, time: str = "f4", field: str = "time", scale: float = 1.0, zero: float = 0.0
):
    """Structured points whose times run over one sweep of 0.1 s."""
    points = np.zeros(n, [("x", "f4"), ("y", "f4"), ("z", "f4"), ("intensity", "f4"), (field, time)])
    for name in "xyz":
        points[name] = rng.uniform(-30, 30, n)
    points[field] = zero + np.linspace(0, 0.1, n) * scale
    return points


def imu(stamp_ns: int, g: float = 9.81) -> ImuSample:
    return ImuSample(stamp_ns=stamp_ns, gyro_rad_s=np.array([0.1, 0.2, 0.3]), acc_m_s2=np.array([0.0, 0.0, g]))


@pytest.mark.parametrize("kind", ["bag1", "sqlite3", "mcap"])
def test_points_times_imu_and_extrinsics_come_back_from_every_storage(write_bag, rng, kind):
    clouds = [cloud(rng) for _ in range(3)]
    with write_bag(kind) as bag:
        bag.static([("base_link", "lidar", (1.0, 0.0, 2.0)), ("lidar", "imu", (0.0, 0.5, 0.0))], BEGIN_NS - 1)
        for k in range(30):
            bag.imu(imu(BEGIN_NS + k * 10_000_000))
        for k, points in enumerate(clouds):
            stamp_ns = BEGIN_NS + k * SWEEP_NS
            bag.cloud(points, stamp_ns, arrival_ns=stamp_ns + SWEEP_NS + 5_000_000)
    source = open_source(str(bag.path), InputConfig())
    items = list(source.stream())
    scans = [item for item in items if isinstance(item, LidarScan)]
    samples = [item for item in items if isinstance(item, ImuSample)]
    assert source.scan_count == len(scans) == 3 and len(samples) == 30
    for k, (scan, points) in enumerate(zip(scans, clouds, strict=True)):
        assert scan.stamp_ns == BEGIN_NS + k * SWEEP_NS
        assert scan.points_lidar.dtype == np.float32 and scan.points_lidar.flags.c_contiguous
        np.testing.assert_array_equal(scan.points_lidar, np.stack([points[n] for n in "xyz"], axis=1))
        np.testing.assert_allclose(scan.offsets_s, points["time"], atol=1e-8)
    assert samples[5].stamp_ns == BEGIN_NS + 50_000_000
    np.testing.assert_array_equal(samples[0].gyro_rad_s, [0.1, 0.2, 0.3])
    np.testing.assert_allclose(source.T_base_lidar[:3, 3], [1.0, 0.0, 2.0])
    np.testing.assert_allclose(source.T_base_imu[:3, 3], [1.0, 0.5, 2.0])
    assert any("'time' in s, relative" in note and "begin" in note for note in source.notes)
    assert any("/tf_static" in note and "base_link" in note for note in source.notes)


def test_a_scan_comes_after_the_imu_samples_up_to_its_last_return_and_before_later_ones(write_bag, rng):
    with write_bag("mcap") as bag:
        for k in range(60):  # IMU arrives at once, clouds 30 ms after their sweep
            bag.imu(imu(BEGIN_NS + k * 5_000_000))
        for k in range(2):
            stamp_ns = BEGIN_NS + k * SWEEP_NS
            bag.cloud(cloud(rng), stamp_ns, arrival_ns=stamp_ns + SWEEP_NS + 30_000_000)
    items = list(open_source(str(bag.path), InputConfig()).stream())
    at = [i for i, item in enumerate(items) if isinstance(item, LidarScan)]
    for i in at:
        end_ns = items[i].stamp_ns + SWEEP_NS
        assert items[i - 1].stamp_ns == end_ns  # the sample at the very end is already there
        assert items[i + 1].stamp_ns == end_ns + 5_000_000


def test_stamps_that_go_back_are_passed_on_in_the_order_of_the_recording(write_bag, rng):
    stamps_ns = [BEGIN_NS, BEGIN_NS + 2 * SWEEP_NS, BEGIN_NS + SWEEP_NS, BEGIN_NS + 3 * SWEEP_NS]
    with write_bag("sqlite3") as bag:
        for k in range(60):
            bag.imu(imu(BEGIN_NS + (k - 3 * (k % 10 == 5)) * 10_000_000), arrival_ns=BEGIN_NS + k * 10_000_000)
        for k, stamp_ns in enumerate(stamps_ns):
            bag.cloud(cloud(rng), stamp_ns, arrival_ns=BEGIN_NS + (k + 1) * SWEEP_NS)
    items = list(open_source(str(bag.path), InputConfig(stamp_at="begin")).stream())
    assert [item.stamp_ns for item in items if isinstance(item, LidarScan)] == stamps_ns
    gyro_stamps = [item.stamp_ns for item in items if isinstance(item, ImuSample)]
    assert len(gyro_stamps) == 60 and any(b < a for a, b in zip(gyro_stamps, gyro_stamps[1:], strict=False))


def test_accelerations_in_g_are_scaled_and_said(write_bag, rng):
    with write_bag("mcap") as bag:
        bag.cloud(cloud(rng), BEGIN_NS)
        for k in range(20):
            bag.imu(imu(BEGIN_NS + k * 10_000_000, g=1.0))
    source = open_source(str(bag.path), InputConfig())
    sample = next(item for item in source.stream() if isinstance(item, ImuSample))
    np.testing.assert_allclose(sample.acc_m_s2, [0, 0, 9.80665])
    assert any("units of g" in note for note in source.notes)


def test_the_topic_with_the_most_data_is_chosen_and_the_choice_is_said(write_bag, rng):
    with write_bag("mcap") as bag:
        for k in range(3):
            bag.cloud(cloud(rng, 50), BEGIN_NS + k * SWEEP_NS, topic="/small")
            bag.cloud(cloud(rng, 500), BEGIN_NS + k * SWEEP_NS, topic="/large")
    source = open_source(str(bag.path), InputConfig())
    assert len(next(iter(source.stream())).points_lidar) == 500
    assert any("/large chosen" in note and "/small" in note for note in source.notes)
    given = open_source(str(bag.path), InputConfig(points_topic="/small"))
    assert len(next(iter(given.stream())).points_lidar) == 50
    with pytest.raises(SourceError, match=r"'/other'.*/large \(sensor_msgs/msg/PointCloud2, 3\)"):
        open_source(str(bag.path), InputConfig(points_topic="/other"))


def test_a_cloud_that_arrives_right_after_its_stamp_was_stamped_at_the_end(write_bag, rng):
    with write_bag("mcap") as bag:
        for k in range(1, 4):
            bag.cloud(cloud(rng), BEGIN_NS + k * SWEEP_NS, arrival_ns=BEGIN_NS + k * SWEEP_NS + 8_000_000)
    source = open_source(str(bag.path), InputConfig())
    assert next(iter(source.stream())).stamp_ns == pytest.approx(BEGIN_NS, abs=1000)
    assert any("at the end of the sweep" in note for note in source.notes)
    configured = open_source(str(bag.path), InputConfig(stamp_at="begin"))
    assert next(iter(configured.stream())).stamp_ns == BEGIN_NS + SWEEP_NS


def test_big_endian_padded_rows_and_float64_positions_are_read(write_bag, rng):
    plain = cloud(rng, 40)
    other = np.zeros(40, [("x", ">f8"), ("y", ">f8"), ("z", ">f8"), ("t", ">u4")])
    for name in "xyz":
        other[name] = plain[name]
    other["t"] = np.linspace(0, 1e8, 40)
    with write_bag("sqlite3") as bag:
        bag.cloud(other, BEGIN_NS, height=4, padding=24)
    scan = next(iter(open_source(str(bag.path), InputConfig()).stream()))
    np.testing.assert_allclose(scan.points_lidar, np.stack([plain[n] for n in "xyz"], axis=1), rtol=1e-6)
    np.testing.assert_allclose(scan.offsets_s, np.linspace(0, 0.1, 40), atol=1e-6)


def test_damaged_messages_are_dropped_with_topic_and_reason_and_the_rest_is_read(write_bag, rng):
    without_z = np.zeros(10, [("x", "f4"), ("y", "f4"), ("time", "f4")])
    whole = cloud(rng, 10)
    integers = np.zeros(10, [("x", "i4"), ("y", "i4"), ("z", "i4")])
    with write_bag("sqlite3") as bag:
        bag.cloud(whole, BEGIN_NS)
        bag.cloud(whole, BEGIN_NS + 1, cut_bytes=120)
        bag.cloud(whole, BEGIN_NS + 2, data=np.zeros(50, np.uint8))
        bag.cloud(without_z, BEGIN_NS + 3)
        bag.cloud(integers, BEGIN_NS + 4)
        bag.cloud(whole[:0], BEGIN_NS + 5)
        bag.cloud(whole, BEGIN_NS + 6, height=2, row_step=3)
        bag.cloud(whole, BEGIN_NS + SWEEP_NS)
    items = list(open_source(str(bag.path), InputConfig()).stream())
    kinds = [item.kind if isinstance(item, Dropped) else "scan" for item in items]
    positions = ["no positions"] * 2
    assert kinds == ["scan", "truncated message", "truncated scan", *positions, "empty scan", "malformed cloud", "scan"]
    for item in items[1:-1]:
        assert "/points" in item.reason and str(bag.path) in item.reason and ";" in item.reason


def test_first_clouds_that_show_nothing_do_not_decide_for_the_others(write_bag, rng):
    blank, wild = cloud(rng, 100), cloud(rng, 100)
    blank["x"] = np.nan
    wild["time"][::9] = -50.0
    with write_bag("mcap") as bag:
        for k, points in enumerate([blank, wild, cloud(rng, 100)]):
            bag.cloud(points, BEGIN_NS + k * SWEEP_NS)
    source = open_source(str(bag.path), InputConfig())
    first, dropped, last = source.stream()
    assert np.isnan(first.points_lidar[:, 0]).all() and len(first.offsets_s) == 100
    assert dropped.kind == "wild point times" and last.offsets_s.max() == pytest.approx(0.1)


def test_a_bag_without_a_usable_first_cloud_is_read_without_times_and_says_so(write_bag, rng):
    blank = cloud(rng, 100)
    blank["x"] = np.nan
    with write_bag("mcap") as bag:
        bag.cloud(blank, BEGIN_NS)
    source = open_source(str(bag.path), InputConfig())
    assert next(iter(source.stream())).offsets_s is None
    assert any("no valid points" in note for note in source.notes)


def test_a_bag_without_clouds_is_an_error_that_lists_its_topics(write_bag):
    with write_bag("mcap") as bag:
        bag.imu(imu(BEGIN_NS))
    with pytest.raises(SourceError, match=r"PointCloud2, got /imu \(sensor_msgs/msg/Imu, 1\)"):
        open_source(str(bag.path), InputConfig())


@pytest.mark.parametrize("kind", ["bag1", "sqlite3", "mcap"])
def test_a_bag_cut_in_half_is_one_clear_error(write_bag, rng, kind):
    with write_bag(kind) as bag:
        for k in range(40):
            bag.cloud(cloud(rng, 2000), BEGIN_NS + k * SWEEP_NS)
    file = bag.path if kind == "bag1" else next(p for p in bag.path.iterdir() if p.suffix in (".db3", ".mcap"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(SourceError) as raised:
        open_source(str(bag.path), InputConfig())
    assert str(bag.path) in str(raised.value) and "mend it" in str(raised.value)


def test_a_bag_damaged_in_the_middle_ends_with_a_reason_and_keeps_what_came_before(write_bag, rng):
    with write_bag("bag1") as bag:
        for k in range(60):
            bag.cloud(cloud(rng, 2000), BEGIN_NS + k * SWEEP_NS)
    raw = bag.path.read_bytes()
    record = raw.index(b"op=\x02", len(raw) // 2)  # a message, which now says that it is something else
    bag.path.write_bytes(raw[:record] + b"op=\x63" + raw[record + 4 :])
    *before, last = open_source(str(bag.path), InputConfig()).stream()
    assert len(before) > 20 and all(isinstance(item, LidarScan) for item in before)
    assert isinstance(last, Dropped) and last.kind == "damaged bag" and str(bag.path) in last.reason

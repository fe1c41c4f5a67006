"""Point times as drivers write them: field, unit, reference and what the stamp names."""

import numpy as np
import pytest

from bev_loc.clouds.damaged import DamagedScan
from bev_loc.clouds.point_times import azimuth_fraction, detect
from bev_loc.config import InputConfig

STAMP_NS = 1_700_000_000 * 10**9
SWEEP_S = np.linspace(0.0, 0.1, 300)


def points_with(field: str, kind: str, values: np.ndarray) -> np.ndarray:
    points = np.ones(len(values), [("x", "f4"), ("y", "f4"), ("z", "f4"), (field, kind)])
    points[field] = values
    return points


# field, type, values, unit, reference, where the stamp lies, first return relative to the stamp in ns
DRIVERS = {
    "ouster: t, uint32 ns": ("t", "u4", SWEEP_S * 1e9, "ns", "stamp", "begin", 0),
    "velodyne: time, float s": ("time", "f4", SWEEP_S, "s", "stamp", "begin", 0),
    "velodyne, old: time counts back": ("time", "f4", SWEEP_S - 0.1, "s", "stamp", "end", -100_000_000),
    "hesai, robosense: timestamp, float64 absolute s": (
        "timestamp",
        "f8",
        STAMP_NS * 1e-9 + SWEEP_S,
        "s",
        "clock",
        "begin",
        0,
    ),
    "absolute, stamped at the end": (
        "timestamp",
        "f8",
        STAMP_NS * 1e-9 - 0.1 + SWEEP_S,
        "s",
        "clock",
        "end",
        -100_000_000,
    ),
    "livox: timestamp, float64 absolute ns": ("timestamp", "f8", STAMP_NS + SWEEP_S * 1e9, "ns", "clock", "begin", 0),
    "time_stamp, float64 of the sensor's own clock": ("time_stamp", "f8", 5000.0 + SWEEP_S, "s", "other", "begin", 0),
    "livox custom: offset_time, uint32 ns": ("offset_time", "u4", SWEEP_S * 1e9, "ns", "stamp", "begin", 0),
    "timeOffset, float ms": ("timeOffset", "f4", SWEEP_S * 1e3, "ms", "stamp", "begin", 0),
    "time, uint32 us": ("time", "u4", SWEEP_S * 1e6, "us", "stamp", "begin", 0),
    "timestamp, uint64 absolute ns": (
        "timestamp",
        "u8",
        STAMP_NS + (SWEEP_S * 1e9).astype("u8"),
        "ns",
        "clock",
        "begin",
        0,
    ),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_field_unit_reference_and_stamp_are_detected(driver):
    field, kind, values, unit, reference, stamp_at, first_ns = DRIVERS[driver]
    points = points_with(field, kind, values)
    times = detect(points, STAMP_NS, InputConfig())
    assert (times.field, times.unit, times.reference, times.stamp_at) == (field, unit, reference, stamp_at)
    assert f"'{field}' in {unit}" in times.note and stamp_at in times.note
    timed = times.read(points, STAMP_NS)
    assert timed.offsets_s.dtype == np.float32 and timed.offsets_s.min() == 0.0
    np.testing.assert_allclose(timed.offsets_s, SWEEP_S, atol=1e-6)
    assert timed.stamp_ns - STAMP_NS == pytest.approx(first_ns, abs=1000)


def test_sweeps_of_five_and_of_fifty_hertz_have_the_same_unit():
    for span_s in (0.2, 0.02):
        assert detect(points_with("t", "u4", np.linspace(0, span_s * 1e9, 50)), STAMP_NS, InputConfig()).unit == "ns"
        assert detect(points_with("t", "f4", np.linspace(0, span_s, 50)), STAMP_NS, InputConfig()).unit == "s"


def test_invalid_points_do_not_disturb_the_times_of_the_others():
    points = points_with("timestamp", "f8", STAMP_NS * 1e-9 + SWEEP_S)
    points["x"][10], points["timestamp"][10] = np.nan, 0.0
    points["x"][20] = points["y"][20] = points["z"][20] = points["timestamp"][20] = 0.0
    points["timestamp"][30] = np.nan
    timed = detect(points, STAMP_NS, InputConfig()).read(points, STAMP_NS)
    kept = np.setdiff1d(np.arange(300), [10, 20, 30])
    np.testing.assert_allclose(timed.offsets_s[kept], SWEEP_S[kept], atol=1e-6)
    assert (timed.offsets_s[[10, 20, 30]] == 0).all()


def test_a_few_wild_times_are_set_to_the_first_return_and_many_are_refused():
    good = points_with("t", "f4", SWEEP_S)
    wild = good.copy()
    wild["t"][[3, 50]] = -40.0, 1e30
    for first_cloud in (good, wild):
        times = detect(first_cloud, STAMP_NS, InputConfig())
        assert times.unit == "s" and times.sweep_s == pytest.approx(0.1, rel=0.01)
        timed = times.read(wild, STAMP_NS)
        kept = np.setdiff1d(np.arange(300), [3, 50])
        np.testing.assert_allclose(timed.offsets_s[kept], SWEEP_S[kept], atol=1e-6)
        assert (timed.offsets_s[[3, 50]] == 0).all() and timed.stamp_ns == STAMP_NS
    wild["t"][:30] = -40.0
    with pytest.raises(DamagedScan, match="31 of 300 points have times far from the others"):
        times.read(wild, STAMP_NS)


def test_absolute_times_in_float32_are_too_coarse_to_be_used():
    assert detect(points_with("timestamp", "f4", 1.7e9 + np.linspace(0, 200, 300)), STAMP_NS, InputConfig()) is None


def test_points_without_times_or_with_equal_ones_have_no_point_times():
    assert detect(points_with("intensity", "f4", SWEEP_S), STAMP_NS, InputConfig()) is None
    assert detect(points_with("time", "f4", np.zeros(300)), STAMP_NS, InputConfig()) is None
    assert detect(points_with("time", "f4", SWEEP_S)[:0], STAMP_NS, InputConfig()) is None


@pytest.mark.parametrize(
    ("delay_ms", "stamp_at"),
    [(0, "begin"), (8, "end"), (49, "end"), (51, "begin"), (105, "begin"), (None, "begin"), (1e9, "begin")],
)
def test_a_cloud_that_arrives_before_its_sweep_could_have_ended_is_stamped_at_the_end(delay_ms, stamp_at):
    arrival_ns = None if delay_ms is None else STAMP_NS + int(delay_ms * 1e6)
    assert detect(points_with("t", "f4", SWEEP_S), STAMP_NS, InputConfig(), arrival_ns).stamp_at == stamp_at


def test_the_configuration_wins_over_what_is_detected():
    points = points_with("t", "f4", SWEEP_S)
    config = InputConfig(stamp_at="end", point_time_unit="ms")
    times = detect(points, STAMP_NS, config)
    assert (times.unit, times.stamp_at) == ("ms", "end")
    timed = times.read(points, STAMP_NS)
    assert STAMP_NS - timed.stamp_ns == pytest.approx(100_000, abs=1) and timed.offsets_s.max() == pytest.approx(1e-4)


def test_the_azimuth_runs_clockwise_from_behind():
    points = np.array([[-1, 1e-6, 0], [0, 1, 0], [1, 0, 0], [0, -1, 0], [-1, -1e-6, 0], [np.nan, 0, 0]], np.float32)
    np.testing.assert_allclose(azimuth_fraction(points), [0, 0.25, 0.5, 0.75, 1, 0], atol=1e-5)
    assert azimuth_fraction(points).dtype == np.float32

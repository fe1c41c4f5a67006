"""Structured buffers, laid out as drivers do, give their positions back."""

from types import SimpleNamespace

import numpy as np
import pytest

from bev_loc.clouds.damaged import DamagedScan
from bev_loc.clouds.point_cloud2 import structured, xyz


def message(
    points: np.ndarray, height: int = 1, padding: int = 0, big: bool = False, **changed: object
) -> SimpleNamespace:
    """A cloud with float32 x at 0, y at 4, z at 16, uint16 ring at 20, in points of 26 bytes."""
    order = ">" if big else "<"
    dtype = np.dtype(
        {
            "names": ["x", "y", "z", "ring"],
            "formats": [order + "f4"] * 3 + [order + "u2"],
            "offsets": [0, 4, 16, 20],
            "itemsize": 26,
        }
    )
    packed = np.zeros(len(points), dtype)
    for i, name in enumerate("xyz"):
        packed[name] = points[:, i]
    packed["ring"] = np.arange(len(points))
    width = len(points) // height
    rows = np.full((height, width * 26 + padding), 255, np.uint8)
    rows[:, : width * 26] = packed.view(np.uint8).reshape(height, -1)
    fields = [
        SimpleNamespace(name=n, offset=dtype.fields[n][1], datatype=4 if n == "ring" else 7, count=1)
        for n in dtype.names
    ]
    values = {
        "height": height, "width": width, "fields": fields, "is_bigendian": big, "point_step": 26,
        "row_step": rows.shape[1], "data": rows.tobytes(),
    }  # fmt: skip
    return SimpleNamespace(**(values | changed))


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(1).uniform(-50, 50, (24, 3)).astype(np.float32)


@pytest.mark.parametrize("height", [1, 4])
@pytest.mark.parametrize("padding", [0, 10])
@pytest.mark.parametrize("big", [False, True])
def test_offsets_steps_padding_and_byte_order_are_honoured(points, height, padding, big):
    decoded = structured(message(points, height, padding, big))
    np.testing.assert_array_equal(xyz(decoded), points)
    np.testing.assert_array_equal(decoded["ring"], np.arange(24))
    assert xyz(decoded).dtype == np.float32 and xyz(decoded).flags.c_contiguous


def test_an_empty_cloud_has_no_points(points):
    assert xyz(structured(message(points[:0]))).shape == (0, 3)


def test_one_row_needs_no_row_step(points):
    np.testing.assert_array_equal(xyz(structured(message(points, row_step=0))), points)


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        ({"data": b"123"}, "truncated scan", "1 x 24 points need 624 bytes but the message holds 3"),
        ({"point_step": 10}, "malformed cloud", "ends behind the point_step of 10"),
        ({"point_step": 0}, "malformed cloud", "point_step of 0"),
        ({"fields": []}, "malformed cloud", "no fields"),
        ({"height": 2, "row_step": 5}, "malformed cloud", "row_step is 5 bytes"),
        (
            {"fields": [SimpleNamespace(name="x", offset=0, datatype=99, count=1)]},
            "malformed cloud",
            "unknown datatype 99",
        ),
        ({"fields": [SimpleNamespace(name="x", offset=0, datatype=7, count=1)]}, "no positions", "got x"),
        (
            {"fields": [SimpleNamespace(name=n, offset=0, datatype=5, count=1) for n in "xyz"]},
            "no positions",
            "got int32",
        ),
        (
            {"fields": [SimpleNamespace(name=n, offset=0, datatype=7, count=3) for n in "xyz"]},
            "no positions",
            "field x as one float32",
        ),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused_with_the_reason(points, changed, kind, words):
    with pytest.raises(DamagedScan) as raised:
        xyz(structured(message(points, **changed)))
    assert raised.value.kind == kind and words in raised.value.reason


def test_float64_beyond_float32_becomes_infinite_without_a_warning(points):
    wide = np.zeros(2, [("x", "f8"), ("y", "f8"), ("z", "f8")])
    wide["x"] = 1e300, 3.5
    with np.errstate(over="raise"):
        assert xyz(wide)[:, 0].tolist() == [np.inf, 3.5]

"""Pictures of every kind become RGB, and damaged ones are refused by name."""

import cv2
import numpy as np
import pytest

from bev_loc.lines.pictures import ENCODINGS, DamagedImage, as_rgb, decoded, from_raw, read_picture

RGB = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY = RGB[..., 0]


def message(values: np.ndarray, encoding: str, pad: int = 0, big_endian: bool = False) -> np.ndarray:
    """The picture that comes out of a camera message with `values` (H, W[, C]) and `pad` extra bytes a row."""
    rows = values.reshape(values.shape[0], -1)
    rows = rows.astype(rows.dtype.newbyteorder(">" if big_endian else "<"))
    raw = rows.view(np.uint8).reshape(values.shape[0], -1)
    raw = np.pad(raw, ((0, 0), (0, pad)))
    return from_raw(raw.ravel(), encoding, values.shape[0], values.shape[1], raw.shape[1], big_endian)


@pytest.mark.parametrize("pad", [0, 5])
@pytest.mark.parametrize(
    "encoding, values",
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("8UC3", RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, np.full(GREY.shape, 7, np.uint8)])),
        ("bgra8", np.dstack([RGB[..., ::-1], np.full(GREY.shape, 7, np.uint8)])),
        ("rgb16", RGB.astype(np.uint16) << 8 | 0xFF),
        ("bgr16", RGB[..., ::-1].astype(np.uint16) << 8 | 0xFF),
    ],
)
def test_every_order_of_colours_is_the_same_picture(encoding, values, pad):
    assert np.array_equal(message(np.ascontiguousarray(values), encoding, pad), RGB)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_a_grey_picture_has_three_equal_channels(encoding):
    assert np.array_equal(message(GREY, encoding), np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_sixteen_bits_may_hold_fewer(bits, big_endian):
    values = GREY.astype(np.uint16) << (bits - 8)
    values[0, 0] = (1 << bits) - 1
    expected = GREY.copy()
    expected[0, 0] = 255
    assert np.array_equal(message(values, "mono16", big_endian=big_endian)[..., 0], expected)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_bayer_mosaic_of_one_colour_is_that_colour(pattern):
    colour = {"r": 200, "g": 120, "b": 40}
    tile = np.array([colour[c] for c in pattern], np.uint8).reshape(2, 2)
    picture = message(np.tile(tile, (8, 8)), f"bayer_{pattern}8")
    assert np.abs(picture[4:-4, 4:-4].astype(int) - [200, 120, 40]).max() <= 2


def test_a_grey_yuv_picture_is_grey():
    uyvy = np.full((6, 8, 2), 128, np.uint8)
    uyvy[..., 1] = 100
    picture = message(uyvy, "yuv422")
    assert picture.shape == (6, 8, 3) and np.ptp(picture) <= 2


def test_every_encoding_that_is_named_is_read():
    for encoding in ENCODINGS:
        picture = from_raw(np.full(8 * 8 * 8 * 2, 90, np.uint8), encoding, 8, 8, 64)
        assert picture.shape == (8, 8, 3) and picture.dtype == np.uint8, encoding


REFUSED = {
    "an unknown encoding": (("jpeg2000", 6, 8, 24), "unsupported encoding", "'jpeg2000' is not supported; supported: mono8"),
    "no pixels": (("rgb8", 0, 8, 24), "empty picture", "8 x 0"),
    "too few bytes": (("rgb8", 7, 8, 24), "truncated picture", "got 144 bytes"),
    "a step shorter than a row": (("rgb8", 6, 9, 24), "truncated picture", "needs 27 bytes a row"),
    "an absurd size": (("mono8", 100_000, 100_000, 100_000), "huge picture", "100000 x 100000"),
    "an odd width for pairs": (("yuyv", 6, 7, 24), "odd picture", "even"),
}


@pytest.mark.parametrize("header, kind, text", REFUSED.values(), ids=REFUSED)
def test_a_wrong_message_is_refused_by_name(header, kind, text):
    with pytest.raises(DamagedImage, match=text) as caught:
        from_raw(RGB.ravel(), *header)
    assert caught.value.kind == kind


def test_a_compressed_picture_keeps_its_colours_and_alpha_is_left_out():
    for values in (RGB[..., ::-1], np.dstack([RGB[..., ::-1], GREY])):
        _, data = cv2.imencode(".png", np.ascontiguousarray(values))
        assert np.array_equal(decoded(data.tobytes(), "test"), RGB)
    _, data = cv2.imencode(".png", GREY.astype(np.uint16) << 8 | 0xFF)
    assert np.array_equal(decoded(data.tobytes(), "test")[..., 0], GREY)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0\x00\x10JFIF"])
def test_bytes_that_are_no_picture_are_refused(data):
    with pytest.raises(DamagedImage, match="expected"):
        decoded(data, "test")


def test_a_truncated_png_is_refused_or_shows_what_came(tmp_path):
    big = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    _, data = cv2.imencode(".png", big)
    (tmp_path / "cut.png").write_bytes(data.tobytes()[: len(data) // 3])
    try:
        assert read_picture(tmp_path / "cut.png").shape == big.shape
    except DamagedImage as error:
        assert "cut.png" in error.reason


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(DamagedImage, match="absent.png.*cannot be read"):
        read_picture(tmp_path / "absent.png")


@pytest.mark.parametrize("wrong", [np.zeros((2, 2, 5)), np.zeros(4), np.zeros((0, 3), np.uint8), np.zeros((3, 3), np.int64)])
def test_arrays_that_are_no_pictures_are_refused(wrong):
    with pytest.raises(DamagedImage, match="expected"):
        as_rgb(wrong)


def test_floats_are_shares_of_white():
    assert as_rgb(np.array([[0.0, 0.5, 2.0, np.nan]])).max(axis=2).tolist() == [[0, 128, 255, 0]]

"""Pictures of every kind as (H, W, 3) uint8 RGB: arrays, files, and raw or compressed camera messages."""

from pathlib import Path

import cv2
import numpy as np

_BAYER = {  # OpenCV names a pattern by its second row's second and third pixel
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}
_CHANNELS = {"mono": 1, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4, "8UC": 0, "16UC": 0}
ENCODINGS = (
    *(name + bits for name in ("mono", "rgb", "bgr", "rgba", "bgra") for bits in ("8", "16")),
    *(f"{bits}UC{n}" for bits in (8, 16) for n in (1, 3, 4)),
    *(f"bayer_{name}{bits}" for name in _BAYER for bits in (8, 16)),
    "yuv422", "yuv422_yuy2", "uyvy", "yuyv", "nv12", "nv21",
)  # fmt: skip
_MOST_PIXELS = 200_000_000


class DamagedImage(Exception):
    """One picture that cannot be read: `kind` is the short counted key, `reason` says what to do."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def as_rgb(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 of a grey, RGB or RGBA array of 8 or 16 bit, or of floats in 0..1; raises DamagedImage."""
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise DamagedImage("odd picture", f"expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {image.shape}")
    if 0 in image.shape:
        raise DamagedImage("empty picture", f"expected pixels, got a picture of {image.shape[1]} x {image.shape[0]}")
    if image.dtype == np.uint16:
        image = _to_8_bit(image)
    elif image.dtype.kind == "f":
        image = np.round(np.clip(np.nan_to_num(image), 0.0, 1.0) * 255.0).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise DamagedImage("odd picture", f"expected uint8, uint16 or floats in 0..1, got {image.dtype}")
    return np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3])


def _to_8_bit(image: np.ndarray) -> np.ndarray:
    """16-bit files hold 10, 12 or 14 bits as often as 16: the smallest of these that fits is taken as white."""
    bits = next(bits for bits in (8, 10, 12, 14, 16) if int(image.max()) < 1 << bits)
    return (image >> (bits - 8)).astype(np.uint8)


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an image file; raises DamagedImage."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DamagedImage("unreadable picture", f"{path}: cannot be read ({error.strerror})") from None
    return decoded(data, str(path))


def decoded(data: bytes, name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a compressed picture (JPEG, PNG and what else OpenCV knows); raises DamagedImage."""
    if not len(data):
        raise DamagedImage("empty picture", f"{name}: expected a compressed picture, got no bytes")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise DamagedImage("unreadable picture", f"{name}: expected JPEG or PNG, got {len(data)} bytes that are neither")
    if image.ndim == 3:
        order = [2, 1, 0, 3] if image.shape[2] == 4 else [2, 1, 0]
        image = image[..., order]
    return as_rgb(image)


def from_raw(data: np.ndarray, encoding: str, height: int, width: int, step: int, big_endian: bool = False) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a camera message's bytes (sensor_msgs encodings); raises DamagedImage, naming what is wrong."""
    if encoding not in ENCODINGS:
        raise DamagedImage("unsupported encoding", f"encoding '{encoding}' is not supported; supported: {', '.join(ENCODINGS)}")
    if height <= 0 or width <= 0:
        raise DamagedImage("empty picture", f"expected pixels, got a picture of {width} x {height}")
    if height * width > _MOST_PIXELS:
        raise DamagedImage("huge picture", f"expected at most {_MOST_PIXELS} pixels, got {width} x {height}")
    rows = height * 3 // 2 if encoding in ("nv12", "nv21") else height
    wide = 16 if encoding.endswith("16") or encoding.startswith("16") else 8
    row_bytes = width * _per_pixel(encoding) * wide // 8
    if step < row_bytes or len(data) < step * (rows - 1) + row_bytes:
        raise DamagedImage(
            "truncated picture",
            f"{width} x {height} '{encoding}' needs {row_bytes} bytes a row, {rows} rows; got {len(data)} bytes at step {step}",
        )  # fmt: skip
    padded = np.zeros(step * rows, np.uint8)
    taken = np.asarray(data, np.uint8)[: step * rows]
    padded[: len(taken)] = taken
    image = np.ascontiguousarray(padded.reshape(rows, step)[:, :row_bytes])
    if wide == 16:
        image = image.view(np.dtype(np.uint16).newbyteorder(">" if big_endian else "<")).astype(np.uint16)
    return _coloured(image, encoding, rows, width)


def _per_pixel(encoding: str) -> int:
    """Values per pixel of a row."""
    if encoding.startswith(("8UC", "16UC")):
        return int(encoding[-1])
    if encoding in ("nv12", "nv21") or encoding.startswith("bayer"):
        return 1
    if encoding in ("yuv422", "yuv422_yuy2", "uyvy", "yuyv"):
        return 2
    return _CHANNELS[encoding.rstrip("0123456789")]


def _coloured(image: np.ndarray, encoding: str, rows: int, width: int) -> np.ndarray:
    kind = encoding.rstrip("0123456789") if not encoding.startswith(("8UC", "16UC", "yuv", "nv")) else encoding
    if kind.startswith("bayer_"):
        image = _to_8_bit(image) if image.dtype == np.uint16 else image
        if min(image.shape) < 4:
            raise DamagedImage("odd picture", f"a Bayer picture needs 4 x 4 pixels, got {width} x {rows}")
        return cv2.cvtColor(image, _BAYER[kind.removeprefix("bayer_")])
    if kind in ("nv12", "nv21", "yuv422", "yuv422_yuy2", "uyvy", "yuyv"):
        if width % 2 or (kind.startswith("nv") and rows % 3):
            raise DamagedImage("odd picture", f"'{encoding}' needs even sides, got width {width}")
        code = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21, "yuv422": cv2.COLOR_YUV2RGB_UYVY,
                "uyvy": cv2.COLOR_YUV2RGB_UYVY}.get(kind, cv2.COLOR_YUV2RGB_YUY2)  # fmt: skip
        return cv2.cvtColor(image if kind.startswith("nv") else image.reshape(rows, width, 2), code)
    image = image.reshape(rows, width, -1)
    if kind in ("bgr", "bgra") or (image.shape[2] >= 3 and "UC" in kind):  # OpenCV's order where ROS names none
        image = image[..., [2, 1, 0]]
    return as_rgb(image)

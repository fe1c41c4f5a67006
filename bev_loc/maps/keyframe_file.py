"""One keyframe as one file: a line of JSON with its poses, then counts (PNG), heights, cloud and descriptor.

Version 1 had the heights as a PNG of their own, more than twice as large.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from ..errors import MapError
from ..place.keyframes import HEIGHT_QUANTUM_M
from ..records import BevImage, Keyframe
from . import cloud_codec, step_codec
from .contents import Entry

_MAGIC, _FIRST_MAGIC = b"bev_loc keyframe 2\n", b"bev_loc keyframe 1\n"
_PARTS = ("counts", "heights", "cloud", "descriptor")


def encode(keyframe: Keyframe) -> bytes:
    """The file's content; the same keyframe always gives the same bytes."""
    parts = {
        "counts": _png(keyframe.image.counts),
        "heights": _pack(_heights_to_code(keyframe.image.mean_height_m)[keyframe.image.counts > 0]),
        "cloud": cloud_codec.encode(keyframe.points_kf),
        "descriptor": keyframe.descriptor.astype("<f2").tobytes(),
    }
    header = {
        "id": keyframe.id,
        "session": keyframe.session,
        "stamp_ns": keyframe.stamp_ns,
        "T_odom_kf": keyframe.T_odom_kf.tolist(),
        "R_level_kf": keyframe.R_level_kf.tolist(),
        "path_m": keyframe.path_m,
        "bytes": {name: len(parts[name]) for name in _PARTS},
    }
    return _MAGIC + json.dumps(header).encode() + b"\n" + b"".join(parts[name] for name in _PARTS)


def decode(data: bytes, where: str) -> Keyframe:
    """The keyframe in a file's content; MapError names `where` when it is not one."""
    with _readable(where):
        header, parts = _split(data)
        return Keyframe(
            **_in_memory(header, parts),
            R_level_kf=np.array(header["R_level_kf"], float).reshape(3, 3),
            points_kf=cloud_codec.decode(parts["cloud"]),
            image=_image(parts, first=data.startswith(_FIRST_MAGIC)),
        )


def decode_entry(data: bytes, where: str, T_map_kf: np.ndarray) -> Entry:
    """What stays in memory of the keyframe in a file's content, at its (4, 4) place; errors as in `decode`."""
    with _readable(where):
        return Entry(**_in_memory(*_split(data)), T_map_kf=T_map_kf)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """What cannot be read in it is a MapError that names `where`."""
    try:
        yield
    except (ValueError, KeyError, TypeError, cv2.error) as error:
        raise MapError(f"{where}: is not a readable keyframe ({error}); restore the map from a copy") from None


def _in_memory(header: dict[str, Any], parts: dict[str, bytes]) -> dict[str, Any]:
    """What a keyframe and its entry both have."""
    return {
        "id": header["id"],
        "session": header["session"],
        "stamp_ns": header["stamp_ns"],
        "T_odom_kf": np.array(header["T_odom_kf"], float).reshape(4, 4),
        "path_m": header["path_m"],
        "descriptor": np.frombuffer(parts["descriptor"], "<f2").astype(np.float32),
    }


def _split(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and parts of a file's content."""
    if not data.startswith((_MAGIC, _FIRST_MAGIC)):
        raise ValueError("it does not begin as a keyframe file of version 1 or 2")
    end = data.index(b"\n", len(_MAGIC))
    header = json.loads(data[len(_MAGIC) : end])
    parts, at = {}, end + 1
    for name in _PARTS:
        parts[name] = data[at : at + header["bytes"][name]]
        at += header["bytes"][name]
    return header, parts


def _image(parts: dict[str, bytes], *, first: bool) -> BevImage:
    counts = _unpng(parts["counts"])
    if first:
        return BevImage(counts=counts, mean_height_m=_code_to_heights(_unpng(parts["heights"])))
    heights_m = np.full(counts.shape, np.nan, np.float32)
    heights_m[counts > 0] = _code_to_heights(_unpack(parts["heights"]))
    return BevImage(counts=counts, mean_height_m=heights_m)


def _pack(codes: np.ndarray) -> bytes:
    """(N,) uint16 of the pixels that have a height, row by row, as bytes: steps from one to the next, modulo 2^16."""
    return step_codec.encode(np.diff(codes, prepend=np.uint16(32768)).view(np.int16)[:, None])


def _unpack(data: bytes) -> np.ndarray:
    """(N,) uint16 that `_pack` made bytes of."""
    steps = step_codec.decode(data, columns=1, width=2)[:, 0]
    return (32768 + np.cumsum(steps)).astype(np.uint16)  # modulo 2^16


def _heights_to_code(heights_m: np.ndarray) -> np.ndarray:
    """uint16: centimetres above -327.67 m; 0 where there is none."""
    codes = np.clip(np.rint(np.nan_to_num(heights_m).astype(float) / HEIGHT_QUANTUM_M) + 32768, 1, 65535)
    return np.where(np.isnan(heights_m), 0, codes).astype(np.uint16)


def _code_to_heights(codes: np.ndarray) -> np.ndarray:
    heights_m = ((codes.astype(float) - 32768) * HEIGHT_QUANTUM_M).astype(np.float32)
    heights_m[codes == 0] = np.nan
    return heights_m


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].tobytes()


def _unpng(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if image is None:
        raise ValueError("an image in it cannot be decoded")
    return image

"""Structured point buffers as ROS messages, PCD and PLY files hold them: any fields in, (N, 3) out.

No ROS import: a message of rclpy and one of rosbags have the same attributes.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from .damaged import DamagedScan

# sensor_msgs/PointField datatype constants
NUMPY_OF_DATATYPE = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8", 9: "i8", 10: "u8"}

_LONGEST_POINT = 2**16  # bytes


class FieldLike(Protocol):
    """sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int


class CloudLike(Protocol):
    """sensor_msgs/PointCloud2, of whichever library."""

    height: int
    width: int
    fields: Sequence[FieldLike]
    is_bigendian: bool
    point_step: int
    row_step: int
    data: Any  # anything with the buffer protocol, uint8


def structured(cloud: CloudLike) -> np.ndarray:
    """(height * width,) structured array with the cloud's fields; a view where rows are not padded.

    Raises DamagedScan for a layout that contradicts itself or a buffer that is too short.
    """
    dtype = _point_dtype(cloud)
    width, height = int(cloud.width), int(cloud.height)
    row_step = int(cloud.row_step) if height > 1 else width * dtype.itemsize
    if row_step < width * dtype.itemsize:
        raise DamagedScan(
            "malformed cloud",
            f"row_step is {row_step} bytes but a row of {width} points of {dtype.itemsize} needs "
            f"{width * dtype.itemsize}; check the driver",
        )
    buffer = np.frombuffer(cloud.data, np.uint8)
    needed = (height - 1) * row_step + width * dtype.itemsize if width * height else 0
    if len(buffer) < needed:
        raise DamagedScan(
            "truncated scan",
            f"{height} x {width} points need {needed} bytes but the message holds {len(buffer)}; "
            "record it again or check the driver",
        )
    if row_step == width * dtype.itemsize:
        return buffer[:needed].view(dtype)
    rows = np.lib.stride_tricks.as_strided(buffer, (height, width * dtype.itemsize), (row_step, 1))
    return np.ascontiguousarray(rows).reshape(-1).view(dtype)


def xyz(points: np.ndarray) -> np.ndarray:
    """(N, 3) float32 C-contiguous positions of a structured array with scalar fields x, y, z.

    Raises DamagedScan when a field is missing or is not a floating point number.
    """
    names = points.dtype.names or ()
    for name in ("x", "y", "z"):
        if name not in names:
            raise DamagedScan(
                "no positions",
                f"expected fields x, y, z, got {', '.join(names) or 'none'}; choose a topic or file with points",
            )
        if points.dtype[name].kind != "f" or points.dtype[name].shape:
            raise DamagedScan(
                "no positions",
                f"expected field {name} as one float32 or float64, got {points.dtype[name]}; convert the cloud",
            )
    out = np.empty((len(points), 3), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # float64 beyond float32 becomes infinite, which filters drop
        for column, name in enumerate(("x", "y", "z")):
            out[:, column] = points[name]
    return out


def _point_dtype(cloud: CloudLike) -> np.dtype:
    order = ">" if cloud.is_bigendian else "<"
    step = int(cloud.point_step)
    if step > _LONGEST_POINT:
        raise DamagedScan("malformed cloud", f"point_step is {step} bytes, which no point is long; check the driver")
    names, formats, offsets = [], [], []
    for field in cloud.fields:
        kind = NUMPY_OF_DATATYPE.get(int(field.datatype))
        count = max(int(field.count), 1)  # some drivers leave it 0
        if kind is None:
            raise DamagedScan(
                "malformed cloud", f"field {field.name} has unknown datatype {field.datatype}; check the driver"
            )
        if int(field.offset) + count * int(kind[1]) > step:
            raise DamagedScan(
                "malformed cloud",
                f"field {field.name} at byte {field.offset} ends behind the point_step of {step}; check the driver",
            )
        if not field.name or field.name in names:
            continue  # padding fields have no or repeated names
        names.append(field.name)
        formats.append(order + kind if count == 1 else (order + kind, (count,)))
        offsets.append(int(field.offset))
    if not names or step <= 0:
        raise DamagedScan("malformed cloud", f"no fields in points of {step} bytes; check the driver")
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": step})

"""Whole numbers that change little from row to row in few bytes: steps of either sign made small, equal bytes side by side, deflate."""

import zlib

import numpy as np


def encode(steps: np.ndarray) -> bytes:
    """(N, K) signed integers, each a step from the row before, as bytes."""
    width = steps.itemsize
    zigzag = ((steps << 1) ^ (steps >> (8 * width - 1))).astype(f"<u{width}")  # small numbers of either sign become small
    planes = zigzag.view(np.uint8).reshape(-1, steps.shape[1], width).transpose(1, 2, 0)
    return zlib.compress(np.ascontiguousarray(planes).tobytes(), 6)


def decode(data: bytes, columns: int, width: int) -> np.ndarray:
    """(N, columns) int64 steps that `encode` made bytes of, from integers of `width` bytes; ValueError when they are none."""
    try:
        raw = np.frombuffer(zlib.decompress(data), np.uint8)
    except zlib.error as error:
        raise ValueError(f"a part of it cannot be unpacked: {error}") from None
    planes = raw.reshape(columns, width, -1).transpose(2, 0, 1)
    zigzag = np.ascontiguousarray(planes).view(f"<u{width}")[:, :, 0].astype(np.int64)
    return (zigzag >> 1) ^ -(zigzag & 1)

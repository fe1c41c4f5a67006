"""LZF decompression (Marc Lehmann's liblzf format), which PCD's binary_compressed uses."""

import numpy as np
from numba import njit


def decompress(packed: np.ndarray, size: int) -> np.ndarray | None:
    """(size,) uint8 of (N,) uint8; None when the block is damaged."""
    out = np.empty(size, np.uint8)
    return out if _decompress(packed, out) == size else None


@njit(cache=True)
def _decompress(packed: np.ndarray, out: np.ndarray) -> int:
    """Bytes written, -1 for a reference or length that points outside."""
    i, o = 0, 0
    while i < len(packed):
        control = int(packed[i])
        i += 1
        if control < 32:  # a run of literals
            length = control + 1
            if i + length > len(packed) or o + length > len(out):
                return -1
            out[o : o + length] = packed[i : i + length]
            i += length
            o += length
            continue
        length = control >> 5  # a copy of what was written before, may overlap itself
        if length == 7:
            if i >= len(packed):
                return -1
            length += int(packed[i])
            i += 1
        if i >= len(packed):
            return -1
        start = o - ((control & 31) << 8) - int(packed[i]) - 1
        i += 1
        length += 2
        if start < 0 or o + length > len(out):
            return -1
        for k in range(length):
            out[o + k] = out[start + k]
        o += length
    return o

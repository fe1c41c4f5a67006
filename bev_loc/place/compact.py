"""Clouds rounded and ordered so that they are small on disk, and the same in memory as after reading."""

import numpy as np

CLOUD_QUANTUM_M = 0.02
_OFFSET = 1 << 20  # coordinates lie within +-20 km of their keyframe
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def compact(points: np.ndarray) -> np.ndarray:
    """(N, 3) float32 points rounded to whole quanta, in Morton order (near in space, near in the list)."""
    return from_quanta(to_quanta(points))


def to_quanta(points: np.ndarray) -> np.ndarray:
    """(N, 3) int32 multiples of the quantum, in Morton order."""
    quanta = np.clip(np.rint(points.astype(float) / CLOUD_QUANTUM_M), -_OFFSET, _OFFSET - 1).astype(np.int32)
    x, y, z = (_spread(column) for column in (quanta.astype(np.int64) + _OFFSET).T)
    return quanta[np.argsort(x | y << np.uint64(1) | z << np.uint64(2), kind="stable")]


def from_quanta(quanta: np.ndarray) -> np.ndarray:
    """(N, 3) float32 metres of whole quanta, in the order given."""
    return (quanta * CLOUD_QUANTUM_M).astype(np.float32)


def _spread(values: np.ndarray) -> np.ndarray:
    """Two zero bits after each of the low 21 bits."""
    bits = values.astype(np.uint64)
    for shift, mask in _SPREAD:
        bits = (bits | bits << np.uint64(shift)) & np.uint64(mask)
    return bits

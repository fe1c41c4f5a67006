"""Segments under homographies and image borders; pure functions on (N, 4) arrays of x1 y1 x2 y2."""

import numpy as np


def warped(segments: np.ndarray, H_b_a: np.ndarray) -> np.ndarray:
    """(N, 4) in image b of segments in image a; straight lines stay straight under a homography."""
    ends = np.asarray(segments, np.float64).reshape(-1, 2)
    moved = np.c_[ends, np.ones(len(ends))] @ H_b_a.T
    return (moved[:, :2] / moved[:, 2:]).reshape(-1, 4)


def clipped(segments: np.ndarray, width: int, height: int) -> np.ndarray:
    """The parts inside the picture (Liang-Barsky); segments wholly outside disappear."""
    segments = np.asarray(segments, np.float64).reshape(-1, 4)
    low, high = np.zeros(len(segments)), np.ones(len(segments))
    for start, delta, most in (
        (segments[:, 0], segments[:, 2] - segments[:, 0], width - 1.0),
        (segments[:, 1], segments[:, 3] - segments[:, 1], height - 1.0),
    ):
        still = np.abs(delta) < 1e-12
        step = np.where(still, 1.0, delta)
        first, last = -start / step, (most - start) / step
        enter, leave = np.minimum(first, last), np.maximum(first, last)
        outside = still & ((start < 0) | (start > most))
        low = np.where(still, np.where(outside, 2.0, low), np.maximum(low, enter))
        high = np.where(still, high, np.minimum(high, leave))
    kept = low < high
    x1, y1, x2, y2 = segments[kept].T
    a, b = low[kept], high[kept]
    return np.stack([x1 + a * (x2 - x1), y1 + a * (y2 - y1), x1 + b * (x2 - x1), y1 + b * (y2 - y1)], axis=1)

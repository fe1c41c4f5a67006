"""Segments and pictures under homographies and image borders; segments are (N, 4) arrays of x1 y1 x2 y2."""

import cv2
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


def random_homography(rng: np.random.Generator, height: int, width: int, strength: float = 0.12) -> np.ndarray:
    """(3, 3) that moves each corner by up to `strength` of the sides, turned and scaled a little."""
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    moved = corners + rng.uniform(-strength, strength, (4, 2)) * [width, height]
    turn, scale = rng.uniform(-0.25, 0.25), np.exp(rng.uniform(-0.2, 0.2))
    R = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([width, height]) / 2
    moved = (moved - centre) @ R.T + centre
    return cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))


def warped_picture(image: np.ndarray, H_b_a: np.ndarray) -> np.ndarray:
    """Picture b of picture a, in its size; what a does not show is its mirror image."""
    size = (image.shape[1], image.shape[0])
    return cv2.warpPerspective(image, H_b_a, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)

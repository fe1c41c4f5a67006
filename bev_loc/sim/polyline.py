"""Planar polylines, (N, 2) float64 metres: the centre lines of streets and the lanes driven along them."""

import numpy as np
from scipy.ndimage import gaussian_filter1d


def lengths(points: np.ndarray) -> np.ndarray:
    """(N,) way from the first point to each."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


def resampled(points: np.ndarray, step_m: float) -> np.ndarray:
    """The same way with points every `step_m` (evenly, last point kept)."""
    way = lengths(points)
    at = np.linspace(0.0, way[-1], max(2, int(np.ceil(way[-1] / step_m)) + 1))
    return np.stack([np.interp(at, way, points[:, k]) for k in (0, 1)], 1)


def smoothed(points: np.ndarray, sigma_m: float, step_m: float = 0.5) -> np.ndarray:
    """Resampled at `step_m`, then smoothed along the way; both ends stay where they are."""
    even = resampled(points, step_m)
    sigma = min(sigma_m / step_m, len(even) / 8)
    pad = int(4 * sigma) + 1
    long = np.pad(even, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
    return gaussian_filter1d(long, sigma, axis=0)[pad:-pad]


def tangents(points: np.ndarray) -> np.ndarray:
    """(N, 2) unit directions."""
    way = np.gradient(points, axis=0)
    return way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)


def offset(points: np.ndarray, left_m: float | np.ndarray) -> np.ndarray:
    """Every point shifted to the left of its direction; negative is right."""
    way = tangents(points)
    return points + np.reshape(left_m, (-1, 1)) * np.stack([-way[:, 1], way[:, 0]], 1)


def rounded(corners: np.ndarray, trim_m: float) -> np.ndarray:
    """The way through the corners, each cut `trim_m` before and after it and bridged by a quadratic Bezier."""
    pieces = [corners[:1]]
    for before, corner, after in zip(corners[:-2], corners[1:-1], corners[2:]):
        back, forth = before - corner, after - corner
        trim = min(trim_m, 0.45 * np.linalg.norm(back), 0.45 * np.linalg.norm(forth))
        p, q = corner + trim * back / np.linalg.norm(back), corner + trim * forth / np.linalg.norm(forth)
        t = np.linspace(0.0, 1.0, 20)[:, None]
        pieces.append((1 - t) ** 2 * p + 2 * t * (1 - t) * corner + t**2 * q)
    return np.concatenate([*pieces, corners[-1:]])


def curvature(points: np.ndarray, step_m: float) -> np.ndarray:
    """(N,) 1/m, positive to the left, of evenly spaced points."""
    way = tangents(points)
    turn = np.unwrap(np.arctan2(way[:, 1], way[:, 0]))
    return np.gradient(turn, step_m)

"""BEV images: samples along a drive, and two of them laid over each other as a closure sees them."""

from collections.abc import Mapping

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..bev.grid import to_pixels
from ..config import BevConfig
from ..geometry import se3
from ..records import Closure, Keyframe
from . import picture

_COLUMNS = 6


def draw_samples(keyframes: list[Keyframe], bev: BevConfig) -> bytes:
    """PNG of the keyframes' images: forward is up, left is left."""
    titles = [f"keyframe {keyframe.id}, {keyframe.path_m:.0f} m" for keyframe in keyframes]
    pictures = [1.0 - keyframe.image.counts / bev.max_count for keyframe in keyframes]
    return _grid([np.repeat(p[..., None], 3, axis=2) ** 1.5 for p in pictures], titles, bev)


def draw_closures(
    closures: list[tuple[Closure, Keyframe]], matches: Mapping[int, Keyframe], bev: BevConfig
) -> bytes:
    """PNG of each closure's query (pink) moved by its pose onto the match (blue); where both agree it is dark."""
    pictures, titles = [], []
    for closure, query in closures:
        match = matches[closure.match_id]
        moved = moved_counts(query, match, closure, bev)
        blue, pink = match.image.counts / bev.max_count, moved / bev.max_count
        ink = np.clip(np.stack([blue, 0.75 * blue + 0.75 * pink, pink], axis=2) * 1.6, 0, 1)
        pictures.append(1.0 - ink)
        titles.append(f"{closure.query_id} on {closure.match_id}, overlap {closure.overlap:.2f}")
    return _grid(pictures, titles, bev)


def moved_counts(query: Keyframe, match: Keyframe, closure: Closure, bev: BevConfig) -> np.ndarray:
    """(S, S) the query's counts where the closure puts them in the match's image."""
    level_match, level_query = se3.from_parts(match.R_level_kf, np.zeros(3)), se3.from_parts(query.R_level_kf, np.zeros(3))
    T_level_match_level_query = level_match @ closure.T_match_query @ se3.inverse(level_query)
    corners = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0]])
    from_px = to_pixels(corners[:, :2], bev)[:, ::-1].astype(np.float32)  # OpenCV wants column, row
    to_px = to_pixels(se3.apply(T_level_match_level_query, corners)[:, :2], bev)[:, ::-1].astype(np.float32)
    size = query.image.counts.shape[::-1]
    return cv2.warpAffine(query.image.counts, cv2.getAffineTransform(from_px, to_px), size, flags=cv2.INTER_LINEAR)


def _grid(pictures: list[np.ndarray], titles: list[str], bev: BevConfig) -> bytes:
    rows = -(-len(pictures) // _COLUMNS)
    half = bev.range_m
    with picture.look():
        figure = Figure(figsize=(10.0, 1.85 * rows), layout="constrained")
        axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for cell in axes:
            cell.axis("off")
        for cell, image, title in zip(axes, pictures, titles):
            cell.imshow(image, extent=(half, -half, -half, half), interpolation="nearest")
            cell.plot(0, 0, "^", ms=3.5, color=picture.ODOMETRY)
            cell.add_patch(_frame(half))
            cell.set_title(title, fontsize=7, color=picture.MUTED)
        return picture.png(figure)


def _frame(half: float) -> Rectangle:
    return Rectangle((-half, -half), 2 * half, 2 * half, fill=False, ec=picture.GRID, lw=0.8)

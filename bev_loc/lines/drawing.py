"""Segments drawn over their picture."""

import cv2
import numpy as np

from .detector import LineSegments

_FRACTION_BITS = 4  # of OpenCV's sub-pixel coordinates


def drawn(image: np.ndarray, segments: LineSegments) -> np.ndarray:
    """(H, W, 3) uint8: `image` (H, W, 3) with each segment from yellow (unsure) to red (sure)."""
    canvas = np.ascontiguousarray(image).copy()
    thick = max(1, round(min(image.shape[:2]) / 400))
    corners = np.round(segments.xyxy * (1 << _FRACTION_BITS)).astype(int)
    for (x1, y1, x2, y2), score in zip(corners[::-1].tolist(), segments.score[::-1].tolist()):
        sure = min(max((score - 0.3) / 0.5, 0.0), 1.0)
        colour = (255, round(220 * (1 - sure)), 0)
        cv2.line(canvas, (x1, y1), (x2, y2), colour, thick, cv2.LINE_AA, _FRACTION_BITS)
    return canvas


def write_picture(path: str, image: np.ndarray) -> bool:
    """Writes (H, W, 3) uint8 RGB; False when the place or the format will not have it."""
    try:
        return bool(cv2.imwrite(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR)))
    except cv2.error:
        return False

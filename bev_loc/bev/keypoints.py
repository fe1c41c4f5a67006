"""Corners of a BEV image (FAST, Rosten and Drummond 2006)."""

import cv2
import numpy as np

from ..records import BevImage

THRESHOLD = 10  # grey levels of 255, as in BEVPlace++
_detector = cv2.FastFeatureDetector_create(threshold=THRESHOLD, nonmaxSuppression=True)


def to_grey(image: BevImage) -> np.ndarray:
    """(S, S) uint8: the counts scaled such that the largest is 255; an empty image stays zero."""
    largest = int(image.counts.max(initial=0))
    levels = (np.arange(256) * 255 // largest).clip(0, 255) if largest else np.zeros(256)
    return cv2.LUT(image.counts, levels.astype(np.uint8))


def detect(image: BevImage, most: int = 500) -> np.ndarray:
    """(N, 2) int32 rows and columns of at most `most` corners, strongest first; ties keep image order."""
    corners = _detector.detect(to_grey(image))
    responses = np.array([corner.response for corner in corners], np.float32)
    strongest = np.argsort(-responses, kind="stable")[:most]
    xy = cv2.KeyPoint_convert(corners, strongest.tolist())  # columns and rows
    return np.rint(np.reshape(xy, (-1, 2))[:, ::-1]).astype(np.int32)

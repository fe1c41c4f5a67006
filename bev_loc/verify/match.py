"""Corners of two BEV images matched by what surrounds them, whatever the heading.

A corner is described by rings around it in the blurred structure image: the magnitude of each ring's
transform over the angle does not change when the image turns about the corner.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..bev import grid
from ..bev.keypoints import detect
from ..config import BevConfig
from ..records import BevImage

RING_RADII_M = (0.8, 1.6, 2.6, 3.8, 5.4, 7.4, 10.0, 13.0)
SAMPLES = 32  # around each ring
HARMONICS = 8  # kept of each ring
BLUR_M = 0.6
MOST_CORNERS = 300
_PHASES = 2 * np.pi * np.outer(np.arange(SAMPLES), np.arange(HARMONICS)) / SAMPLES
_WAVES = np.hstack([np.cos(_PHASES), np.sin(_PHASES)]).astype(np.float32)  # (SAMPLES, 2 HARMONICS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corners:
    """Where the corners of an image are and what surrounds them."""

    xy_m: np.ndarray  # (N, 2) float64, levelled frame
    descriptors: np.ndarray  # (N, D) float32 of unit length


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Corners that chose each other: row n of one array belongs to row n of the other."""

    match_xy_m: np.ndarray  # (N, 2)
    query_xy_m: np.ndarray  # (N, 2)


def describe(image: BevImage, bev: BevConfig) -> Corners:
    """The strongest corners of an image that stand on structure, described."""
    structure = _structure(image)
    pixels_rc = detect(structure, MOST_CORNERS)
    count = len(pixels_rc)
    if not count:
        return Corners(xy_m=np.zeros((0, 2)), descriptors=np.zeros((0, len(RING_RADII_M) * HARMONICS), np.float32))
    blurred = cv2.GaussianBlur(structure.counts.astype(np.float32), (0, 0), BLUR_M / bev.cell_m)
    radii_px = np.array(RING_RADII_M, np.float32) / bev.cell_m
    at_px = pixels_rc.astype(np.float32)
    rows, cols = at_px[:, :1] + _ring_offsets(radii_px, np.cos), at_px[:, 1:] + _ring_offsets(radii_px, np.sin)
    rings = cv2.remap(blurred, cols, rows, cv2.INTER_LINEAR)
    waves = rings.reshape(-1, SAMPLES) @ _WAVES  # a short transform of many rings is quickest as a product
    waves *= waves
    harmonics = np.sqrt(np.sqrt(waves[:, :HARMONICS] + waves[:, HARMONICS:])).reshape(count, -1)
    lengths = np.sqrt(np.einsum("nd,nd->n", harmonics, harmonics))[:, None]
    return Corners(xy_m=grid.to_metres(pixels_rc, bev), descriptors=harmonics / np.maximum(lengths, np.float32(1e-9)))


def mutual(match: Corners, query: Corners) -> Pairs:
    """Corners that are each other's nearest in descriptor."""
    if not len(match.xy_m) or not len(query.xy_m):
        return Pairs(match_xy_m=np.zeros((0, 2)), query_xy_m=np.zeros((0, 2)))
    likeness = query.descriptors @ match.descriptors.T
    chosen = likeness.argmax(1)
    queries = np.flatnonzero(likeness.argmax(0)[chosen] == np.arange(len(chosen)))
    return Pairs(match_xy_m=match.xy_m[chosen[queries]], query_xy_m=query.xy_m[queries])


def _ring_offsets(radii_px: np.ndarray, along: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(RINGS * SAMPLES,) float32 pixels from a corner to the samples of all rings along one axis."""
    return (radii_px[:, None] * along(np.arange(SAMPLES) * 2 * np.pi / SAMPLES)).astype(np.float32).ravel()


def _structure(image: BevImage) -> BevImage:
    """The image without its ground: rings of single returns move with the sensor and not with the place."""
    return BevImage(counts=np.maximum(image.counts, 1) - np.uint8(1), mean_height_m=image.mean_height_m)

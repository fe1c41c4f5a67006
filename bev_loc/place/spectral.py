"""Fourier-Mellin descriptors of parts of an image, so that a part that is missing can be left out of the comparison.

The same transform as `fourier_mellin`, on structure above the ground, with a root in place of the logarithm: the
strong low frequencies keep more of their weight, which carries better over hidden sectors and thinned structure.
Waves shorter than a few pixels are left out: a turn that is no quarter turn resamples the image, and changes them.
"""

from dataclasses import dataclass

import numpy as np

from .fourier_mellin import HARMONICS, RADII, polar_map
from .structure import structure

CELL_M = 0.4
MIDDLE_PX = 64  # of the 129 x 129 pixels around the sensor that are used
INNER_M = 15.0
WAVELENGTHS_M = (25.6, 1.8)  # of the first and the last radius of the polar spectrum
_SIDE = 256  # of the transform
_HALF_PRESENT = np.float32(1.5)  # voxels whose column counts half in the part that asks where something is
_LEAST_OUTER_PX = 20  # structure beyond the inner part; less was not seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one descriptor looks at."""

    radius_m: float
    presence: bool  # where something is, hardly how high: half a step for the faint edge that a turn leaves of a wall


PARTS = (
    Part(radius_m=MIDDLE_PX * CELL_M, presence=False),
    Part(radius_m=INNER_M, presence=False),
    Part(radius_m=MIDDLE_PX * CELL_M, presence=True),
)
LENGTH = RADII * HARMONICS  # of one part's descriptor
_ROW_PX, _COL_PX = np.mgrid[-MIDDLE_PX : MIDDLE_PX + 1, -MIDDLE_PX : MIDDLE_PX + 1]
_RADIUS_PX = np.hypot(_ROW_PX, _COL_PX)


def _disc(radius_m: float) -> np.ndarray:
    radius_px = min(radius_m / CELL_M + 0.5, MIDDLE_PX)
    return np.clip((1.0 - _RADIUS_PX / radius_px) / 0.1, 0.0, 1.0).astype(np.float32)


def _bilinear() -> tuple[np.ndarray, np.ndarray]:
    """(4, RADII, ANGLES) places in a half spectrum, rows by frequency modulo its side, and their shares of each sample.

    OpenCV's remap rounds to 1/32 of a pixel, which a quarter turn would show.
    """
    columns, rows = polar_map(_SIDE, CELL_M, WAVELENGTHS_M)
    rows = rows - _SIDE // 2
    left, below = np.floor(columns), np.floor(rows)
    corners = [(left + right, below + up) for right in (0, 1) for up in (0, 1)]
    places = [row % _SIDE * (_SIDE // 2 + 1) + col for col, row in corners]
    shares = [(1 - np.abs(columns - col)) * (1 - np.abs(rows - row)) for col, row in corners]
    return np.stack(places).astype(int), np.stack(shares)


_CORNERS, _SHARES = _bilinear()
_DISCS = {part.radius_m: _disc(part.radius_m) for part in PARTS}


def describe_part(counts: np.ndarray, part: Part) -> np.ndarray:
    """(LENGTH,) float32 of unit length of (129, 129) counts; zeros when nothing is there."""
    picture = counts / (counts + _HALF_PRESENT) if part.presence else structure(counts)
    # In double precision: the roots below magnify what rounding leaves of a zero.
    spectrum = np.sqrt(np.abs(np.fft.rfft2((picture * _DISCS[part.radius_m]).astype(float), (_SIDE, _SIDE))))
    polar = (spectrum.ravel()[_CORNERS] * _SHARES).sum(0)
    harmonics = np.abs(np.fft.rfft(polar - polar.mean(), axis=1))[:, :HARMONICS]
    descriptor = np.sqrt(harmonics).ravel().astype(np.float32)
    length = np.linalg.norm(descriptor)
    return descriptor / length if length > 0 else descriptor


def describe(counts: np.ndarray) -> np.ndarray:
    """(parts, LENGTH) of (129, 129) counts; zeros where they cannot support a part."""
    parts = [
        describe_part(counts, part) if seen else np.zeros(LENGTH, np.float32) for part, seen in zip(PARTS, supported(counts))
    ]
    return np.stack(parts)


def supported(counts: np.ndarray) -> np.ndarray:
    """(parts,) bool: which descriptors (129, 129) counts can support.

    Without structure beyond the inner part only that is compared; an image without heights is compared by presence.
    """
    outer_seen = np.count_nonzero(counts[_RADIUS_PX * CELL_M > INNER_M + 1.0]) >= _LEAST_OUTER_PX
    levels = np.unique(counts[counts > 0])
    heights = len(levels) > 1
    return np.array([outer_seen and heights, heights or not outer_seen, outer_seen and bool(len(levels))])

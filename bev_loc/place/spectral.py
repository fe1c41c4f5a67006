"""Fourier-Mellin descriptors of parts of an image, so that a part that is missing can be left out of the comparison.

The same transform as `fourier_mellin`, on structure above the ground, with a root in place of the logarithm: the
strong low frequencies keep more of their weight, which carries better over hidden sectors and thinned structure.

Built so that a turn by any angle hardly shows. The image is blurred before anything that is not linear, waves shorter
than a few pixels are left out, and the power spectrum, which is full of narrow zeros, is averaged around every polar
sample before the root is taken; interpolated afterwards, the roots' cusps made more than half of what a turn changed.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft, sparse

from .fourier_mellin import polar_map
from .structure import presence, structure

CELL_M = 0.4
MIDDLE_PX = 64  # of the 129 x 129 pixels around the sensor that are used
INNER_M = 15.0
RADII, ANGLES, HARMONICS = 32, 128, 32  # of the polar spectrum, and of its transform over half a turn
WAVELENGTHS_M = (25.6, 1.8)  # of the first and the last radius of the polar spectrum
_SIDE = 256  # of the transform
_SPREAD = 1.0  # of the average around a polar sample, standard deviation in steps of the spectrum; it leaves out what is
_REACH = 3  # compared over more than some 40 m. Steps on each side that take part
_LEAST_OUTER_PX = 20  # structure beyond the inner part; less was not seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one descriptor looks at."""

    radius_m: float
    presence: bool  # where something is, hardly how high
    blur_px: float


PARTS = (
    Part(radius_m=MIDDLE_PX * CELL_M, presence=False, blur_px=0.7),
    Part(radius_m=INNER_M, presence=False, blur_px=0.7),
    Part(radius_m=MIDDLE_PX * CELL_M, presence=True, blur_px=1.0),
)
LENGTH = RADII * HARMONICS  # of one part's descriptor
_ROW_PX, _COL_PX = np.mgrid[-MIDDLE_PX : MIDDLE_PX + 1, -MIDDLE_PX : MIDDLE_PX + 1]
_RADIUS_PX = np.hypot(_ROW_PX, _COL_PX)


def _disc(radius_m: float) -> np.ndarray:
    radius_px = min(radius_m / CELL_M + 0.5, MIDDLE_PX)
    return np.clip((1.0 - _RADIUS_PX / radius_px) / 0.1, 0.0, 1.0)


def _averages() -> sparse.csr_matrix:
    """(RADII * ANGLES, all of a half spectrum) Gaussian averages around the polar samples."""
    columns, rows = (axis.ravel() for axis in polar_map(_SIDE, CELL_M, WAVELENGTHS_M, RADII, ANGLES))
    rows = rows - _SIDE // 2
    near = np.arange(-_REACH, _REACH + 1)
    cols_at = np.rint(columns)[:, None, None] + near[:, None]
    rows_at = np.rint(rows)[:, None, None] + near
    squares = (cols_at - columns[:, None, None]) ** 2 + (rows_at - rows[:, None, None]) ** 2
    shares = np.exp(-0.5 * squares / _SPREAD**2)
    shares /= shares.sum((1, 2), keepdims=True)
    sign = np.where(cols_at < 0, -1.0, 1.0)  # the missing half is the mirrored one
    places = (sign * rows_at % _SIDE * (_SIDE // 2 + 1) + sign * cols_at).astype(np.int32)
    ends = np.arange(0, shares.size + 1, len(near) ** 2)
    return sparse.csr_matrix((shares.ravel(), places.ravel(), ends), shape=(len(columns), _SIDE * (_SIDE // 2 + 1)))


_AVERAGES = _averages()
_DISCS = {part.radius_m: _disc(part.radius_m) for part in PARTS}


def describe_part(counts: np.ndarray, part: Part) -> np.ndarray:
    """(LENGTH,) float32 of unit length of (129, 129) counts; zeros when nothing is there."""
    picture = (presence if part.presence else structure)(counts, part.blur_px)
    spectrum = fft.rfft2(picture * _DISCS[part.radius_m], (_SIDE, _SIDE))
    power = spectrum.real**2 + spectrum.imag**2
    polar = np.sqrt(np.sqrt(_AVERAGES @ power.ravel())).reshape(RADII, ANGLES)  # the root of a magnitude
    descriptor = np.abs(fft.rfft(polar - polar.mean(), axis=1))[:, :HARMONICS].ravel().astype(np.float32)
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

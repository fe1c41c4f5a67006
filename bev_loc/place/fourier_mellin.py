"""A training-free describer: Fourier-Mellin (Casasent and Psaltis 1976; Reddy and Chatterji 1996).

A shift of the image changes only the phase of its spectrum, a rotation turns the spectrum's magnitude,
which is a shift along the angle of its polar form, and the magnitude of a second transform over the
angle drops that shift too. So neither heading nor a small offset of the sensor shows in the result.

What such a descriptor makes of damaged images hangs on details. A power of the counts lets low things count
beside walls, and a flattened image stay like itself; without the mean of each radius only what the heading
turns is compared.
"""

import cv2
import numpy as np

from ..bev.grid import middle_px
from ..config import BevConfig
from ..records import BevImage

RADII = 48
ANGLES = 128  # over half a turn: the magnitude of a real image's spectrum repeats after that
HARMONICS = 32  # of the polar spectrum over its angle
WAVELENGTHS_M = (20.0, 1.024)  # of the first and the last radius
FLATTENED = 0.7  # power of the counts
GREY_LEVELS = 255.0  # of a full column: the scale on which the logarithm was chosen


class FourierMellin:
    """Descriptors of images of one grid; 1536 numbers."""

    name = "fourier_mellin-1536"  # what maps store: those of other forms of it cannot be compared
    dimension = RADII * HARMONICS

    def __init__(self, bev: BevConfig) -> None:
        middle = middle_px(bev)
        # The transform is taken on a finer frequency grid than the image's own, or its speckle would alias.
        self._side = 1 << int(np.ceil(np.log2(1.25 * (2 * middle + 1))))
        self._most, self._disc = np.float32(bev.max_count), np.float32(GREY_LEVELS) * _disc(middle)
        polar = polar_map(self._side, bev.cell_m, WAVELENGTHS_M, RADII, ANGLES)
        self._columns, self._rows = (axis.astype(np.float32) for axis in polar)

    def describe(self, image: BevImage) -> np.ndarray:
        """(1536,) float32 of unit length; zeros for an empty image."""
        picture = (image.counts / self._most) ** FLATTENED * self._disc
        spectrum = np.abs(np.fft.rfft2(picture, (self._side, self._side))).astype(np.float32)
        # The logarithm keeps the few strongest walls from deciding alone.
        spectrum = np.fft.fftshift(np.log1p(spectrum), axes=0)
        polar = cv2.remap(spectrum, self._columns, self._rows, cv2.INTER_LINEAR)
        harmonics = np.abs(np.fft.rfft(polar - polar.mean(axis=1, keepdims=True), axis=1))[:, :HARMONICS]
        descriptor = harmonics.ravel().astype(np.float32)
        length = np.linalg.norm(descriptor)
        return descriptor / length if length > 0 else descriptor


def _disc(middle: int) -> np.ndarray:
    """(S, S) float32 window with soft edge: what leaves a square when it turns never counts."""
    rows, cols = np.mgrid[-middle : middle + 1, -middle : middle + 1] / middle
    return np.clip((1.0 - np.hypot(rows, cols)) / 0.1, 0.0, 1.0).astype(np.float32)


def polar_map(
    side: int, cell_m: float, wavelengths_m: tuple[float, float], radii: int, angles: int
) -> tuple[np.ndarray, np.ndarray]:
    """(radii, angles) column and row, in a half spectrum with row frequency 0 at side / 2, of each polar sample."""
    longest, shortest = (side * cell_m / wavelength_m for wavelength_m in wavelengths_m)
    last = min(shortest, 0.49 * side)  # coarse cells have no shorter waves
    away = np.linspace(np.sqrt(min(longest, last / 2)), np.sqrt(last), radii) ** 2
    around = np.arange(angles) * np.pi / angles
    columns, rows = away[:, None] * np.cos(around), away[:, None] * np.sin(around)
    sign = np.where(columns < 0, -1.0, 1.0)  # the missing half is the mirrored one
    return sign * columns, sign * rows + side // 2

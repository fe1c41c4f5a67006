"""A training-free describer: Fourier-Mellin (Casasent and Psaltis 1976; Reddy and Chatterji 1996).

A shift of the image changes only the phase of its spectrum, a rotation turns the spectrum's magnitude,
which is a shift along the angle of its polar form, and the magnitude of a second transform over the
angle drops that shift too. So neither heading nor a small offset of the sensor shows in the result.
"""

import cv2
import numpy as np

from ..bev.grid import middle_px
from ..config import BevConfig
from ..records import BevImage

RADII = 32
ANGLES = 128  # over half a turn: the magnitude of a real image's spectrum repeats after that
HARMONICS = 32  # of the polar spectrum over its angle
WAVELENGTHS_M = (25.6, 1.024)  # of the first and the last radius
GREY_LEVELS = 255.0  # of a full column: the scale on which the logarithm was chosen


class FourierMellin:
    """Descriptors of images of one grid; 1024 numbers, 0.2 ms."""

    name = "fourier_mellin"
    dimension = RADII * HARMONICS

    def __init__(self, bev: BevConfig) -> None:
        middle = middle_px(bev)
        # The transform is taken on a finer frequency grid than the image's own, or its speckle would alias.
        self._side = 1 << int(np.ceil(np.log2(1.25 * (2 * middle + 1))))
        self._weights = np.float32(GREY_LEVELS / bev.max_count) * _disc(middle)
        self._columns, self._rows = (axis.astype(np.float32) for axis in polar_map(self._side, bev.cell_m, WAVELENGTHS_M))

    def describe(self, image: BevImage) -> np.ndarray:
        """(1024,) float32 of unit length; zeros for an empty image."""
        weights = image.counts * self._weights
        spectrum = np.abs(np.fft.rfft2(weights, (self._side, self._side))).astype(np.float32)
        # The logarithm keeps the few strongest walls from deciding alone.
        spectrum = np.fft.fftshift(np.log1p(spectrum), axes=0)
        polar = cv2.remap(spectrum, self._columns, self._rows, cv2.INTER_LINEAR)
        harmonics = np.abs(np.fft.rfft(polar - polar.mean(), axis=1))[:, :HARMONICS]
        descriptor = np.sqrt(harmonics).ravel().astype(np.float32)
        length = np.linalg.norm(descriptor)
        return descriptor / length if length > 0 else descriptor


def _disc(middle: int) -> np.ndarray:
    """(S, S) float32 window with soft edge: what leaves a square when it turns never counts."""
    rows, cols = np.mgrid[-middle : middle + 1, -middle : middle + 1] / middle
    return np.clip((1.0 - np.hypot(rows, cols)) / 0.1, 0.0, 1.0).astype(np.float32)


def polar_map(side: int, cell_m: float, wavelengths_m: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """(RADII, ANGLES) column and row, in a half spectrum with row frequency 0 at side / 2, of each polar sample."""
    longest, shortest = (side * cell_m / wavelength_m for wavelength_m in wavelengths_m)
    last = min(shortest, 0.49 * side)  # coarse cells have no shorter waves
    radii = np.linspace(np.sqrt(min(longest, last / 2)), np.sqrt(last), RADII) ** 2
    angles = np.arange(ANGLES) * np.pi / ANGLES
    columns, rows = radii[:, None] * np.cos(angles), radii[:, None] * np.sin(angles)
    sign = np.where(columns < 0, -1.0, 1.0)  # the missing half is the mirrored one
    return sign * columns, sign * rows + side // 2

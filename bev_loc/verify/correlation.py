"""Pose of one BEV image in another by correlation: rotation on polar spectra, then translation by phase.

The magnitude of a spectrum does not see the translation, so the rotation is found alone (Reddy and
Chatterji 1996); it repeats after half a turn, so both directions are tried.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from scipy import fft  # in float32, which numpy's is not

from ..bev.grid import middle_px
from ..config import BevConfig
from ..records import BevImage
from .likeness import blurred, likeness
from .planar import PlanarMatch

RADII = 40
ANGLES = 360  # over half a turn
WAVELENGTHS_M = (16.0, 1.6)
ROTATION_PEAKS = 1  # of the polar correlation that are tried, each in both directions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectra:
    """What is computed once per image."""

    structure: np.ndarray  # (S, S) float32
    blurred: np.ndarray  # (S, S) float32, the structure with the tolerance of the score
    polar: np.ndarray  # (RADII, ANGLES / 2 + 1) complex64, transform of the polar spectrum over its angle
    phases: np.ndarray  # (side, side / 2 + 1) complex64, of the structure's spectrum


def structure_of(image: BevImage) -> np.ndarray:
    """(S, S) float32, counts above the ground's one."""
    return np.maximum(image.counts, 1).astype(np.float32) - 1.0


def halved(structure: np.ndarray) -> np.ndarray:
    """(about S / 2)^2 the same at twice the cell size, the middle pixel still in the middle."""
    first = len(structure) // 2 % 2
    return np.ascontiguousarray(cv2.GaussianBlur(structure, (0, 0), 1.0)[first::2, first::2])


class Correlator:
    """Aligns images of one grid."""

    def __init__(self, bev: BevConfig) -> None:
        self._middle = middle_px(bev)
        self._cell_m = bev.cell_m
        self.side = 1 << int(np.ceil(np.log2(1.25 * (2 * self._middle + 1))))
        rows, cols = np.mgrid[-self._middle : self._middle + 1, -self._middle : self._middle + 1] / self._middle
        wave = fft.fftfreq(self.side)[:, None] + fft.rfftfreq(self.side)[None]  # cycles per pixel along both axes
        self._mirror = np.exp(-4j * np.pi * self._middle * wave).astype(np.complex64)  # about the middle pixel
        self._disc = np.clip((1.0 - np.hypot(rows, cols)) / 0.1, 0.0, 1.0).astype(np.float32)
        lengths = np.geomspace(*WAVELENGTHS_M, RADII)
        radii = self.side * bev.cell_m / np.maximum(lengths, 2.05 * bev.cell_m)
        angles = np.arange(ANGLES) * np.pi / ANGLES
        # A positive yaw turns (row, col) like (x, y): angles run from the row axis to the column axis.
        u, v = radii[:, None] * np.cos(angles), radii[:, None] * np.sin(angles)  # along rows, along columns
        sign = np.where(v < 0, -1.0, 1.0)
        self._map_col = (sign * v).astype(np.float32)
        self._map_row = (sign * u + self.side // 2).astype(np.float32)

    def spectra(self, structure: np.ndarray) -> Spectra:
        """What every comparison with an image needs of its (S, S) structure."""
        transform = self.transform(structure * self._disc)
        magnitude = fft.fftshift(np.log1p(np.abs(transform)), axes=0)
        polar = cv2.remap(magnitude, self._map_col, self._map_row, cv2.INTER_LINEAR)
        polar -= polar.mean(axis=1, keepdims=True)
        return Spectra(
            structure=structure,
            blurred=blurred(structure, self._cell_m),
            polar=fft.rfft(polar, axis=1),
            phases=_phases(transform),
        )

    def align(self, match: Spectra, query: Spectra) -> PlanarMatch:
        """The best of the few rotations, in both directions, each with its best translation."""
        found = [shift for yaw_rad in self._rotations(match, query) for shift in self._translate(match, query, yaw_rad)]
        _, x_m, y_m, yaw_rad = max(found)
        score = self.score(match, query, x_m, y_m, yaw_rad)
        return PlanarMatch(method="correlation", x_m=x_m, y_m=y_m, yaw_rad=yaw_rad, score=score)

    def _rotations(self, match: Spectra, query: Spectra) -> list[float]:
        """Yaws within half a turn: the spectra do not tell them from the opposite ones."""
        correlation = fft.irfft((match.polar * np.conj(query.polar)).sum(0), ANGLES)
        yaws, left = [], correlation.copy()
        for _ in range(ROTATION_PEAKS):
            peak = int(np.argmax(left))
            around = correlation[(peak + np.arange(-1, 2)) % ANGLES]
            yaws.append((peak + _vertex(*around)) * np.pi / ANGLES)
            left[(peak + np.arange(-8, 9)) % ANGLES] = -np.inf
        return yaws

    def _translate(self, match: Spectra, query: Spectra, yaw_rad: float) -> list[tuple[float, float, float, float]]:
        """Height of the phase correlation's peak, and x, y, yaw there: for this yaw and for the opposite one."""
        turned = self.warp(query.structure, yaw_rad, 0.0, 0.0)
        phases = _phases(self.transform(turned * self._disc))
        found = []
        for extra_rad, surface in zip((0.0, np.pi), self.correlations(match.phases, phases)):
            row, col = divmod(int(surface.argmax()), self.side)
            before_row, after_row = row - 1, (row + 1) % self.side  # -1 is the last one
            before_col, after_col = col - 1, (col + 1) % self.side
            peak = float(surface[row, col])
            d_row = row + _vertex(float(surface[before_row, col]), peak, float(surface[after_row, col]))
            d_col = col + _vertex(float(surface[row, before_col]), peak, float(surface[row, after_col]))
            yaw = float((yaw_rad + extra_rad + np.pi) % (2 * np.pi) - np.pi)
            found.append((peak, self._shift_m(d_row), self._shift_m(d_col), yaw))
        return found

    def _shift_m(self, shift_px: float) -> float:
        half = self.side / 2
        return -float((shift_px + half) % self.side - half) * self._cell_m

    def correlations(self, match: np.ndarray, query: np.ndarray) -> np.ndarray:
        """(2, side, side) of two pictures by their spectra, for every shift: as they are, and the query turned by half a turn."""
        return fft.irfft2(_meetings(match, query, self._mirror), (self.side, self.side))

    @property
    def shifts_m(self) -> np.ndarray:
        """(side,) metres of x that belong to the rows of a correlation, or of y to its columns."""
        half = self.side // 2
        return -((np.arange(self.side) + half) % self.side - half) * self._cell_m

    @property
    def pixels_m(self) -> tuple[np.ndarray, np.ndarray]:
        """(S, 1) x of the rows and (1, S) y of the columns of an image, in metres."""
        along = np.arange(self._middle, -self._middle - 1, -1, dtype=np.float32) * np.float32(self._cell_m)
        return along[:, None], along[None]

    def slopes(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of a picture (S, S) along x and y, per metre: central differences."""
        by_row, by_col = np.gradient(picture, -self._cell_m)
        return by_row, by_col

    def transform(self, picture: np.ndarray) -> np.ndarray:
        """(side, side / 2 + 1) complex64 spectrum of a picture that stands in the corner of the padded square."""
        return fft.rfft2(picture, (self.side, self.side))

    def score(
        self, match: Spectra, query: Spectra, x_m: float, y_m: float, yaw_rad: float, visible: np.ndarray | None = None
    ) -> float:
        """Cosine of the two structures where the images overlap, once the query lies in the match's frame.

        `visible` (S, S) narrows that to what the query saw; without it the whole image counts.
        """
        if visible is None:
            return likeness(match.blurred, query.blurred, self._cell_m, x_m, y_m, yaw_rad)
        turned = self.warp(query.blurred, yaw_rad, x_m, y_m)
        seen = match.blurred * self.warp(visible, yaw_rad, x_m, y_m)
        norm = np.linalg.norm(turned) * np.linalg.norm(seen)
        return float(np.vdot(turned, seen) / norm) if norm > 0 else 0.0

    def warp(self, picture: np.ndarray, yaw_rad: float, x_m: float, y_m: float) -> np.ndarray:
        """A picture (S, S) of the query as it lies in the match's frame; zero where it shows nothing."""
        cosine, sine, middle = np.cos(yaw_rad), np.sin(yaw_rad), self._middle
        col = middle - y_m / self._cell_m - (cosine + sine) * middle
        row = middle - x_m / self._cell_m - (cosine - sine) * middle
        affine = np.array([[cosine, sine, col], [-sine, cosine, row]])  # of (col, row), as OpenCV has it
        return cv2.warpAffine(picture, affine, picture.shape[::-1], flags=cv2.INTER_LINEAR)


@njit(cache=True, nogil=True)
def _phases(transform: np.ndarray) -> np.ndarray:
    """complex64 of length about 1: each frequency counts alike, except where there is next to nothing."""
    out = np.empty_like(transform)
    for row in range(transform.shape[0]):
        for col in range(transform.shape[1]):
            value = transform[row, col]
            square = value.real * value.real + value.imag * value.imag
            out[row, col] = value * np.float32(1.0 / np.sqrt(square + np.float32(1e-3) * np.sqrt(square) + np.float32(1e-12)))
    return out


@njit(cache=True, nogil=True)
def _meetings(match: np.ndarray, query: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """(2, side, side / 2 + 1) spectra of the correlations with the query's picture, and with that picture mirrored about its middle."""
    out = np.empty((2, *match.shape), match.dtype)
    for row in range(match.shape[0]):
        for col in range(match.shape[1]):
            out[0, row, col] = match[row, col] * np.conj(query[row, col])
            out[1, row, col] = match[row, col] * query[row, col] * np.conj(mirror[row, col])
    return out


def _vertex(before: float, at: float, after: float) -> float:
    """Where the parabola through three equally spaced values has its top, from the middle one, within half a step."""
    bend = before - 2.0 * at + after
    return min(max(0.5 * (before - after) / bend, -0.5), 0.5) if bend < 0 else 0.0

"""The lie of the land: height as a function of place, and its mesh."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree

from .meshes import Mesh


class Ground(Protocol):
    """Height of the bare ground, without kerbs."""

    def height(self, xy: np.ndarray) -> np.ndarray:
        """(N,) metres at (N, 2) places."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waves:
    """A sum of sine waves: smooth, endless, the same for the same seed."""

    number: np.ndarray  # (K, 2) rad/m
    amplitude_m: np.ndarray  # (K,)
    phase_rad: np.ndarray  # (K,)

    def height(self, xy: np.ndarray) -> np.ndarray:
        """(N,) metres at (N, 2) places."""
        return np.sin(np.asarray(xy) @ self.number.T + self.phase_rad) @ self.amplitude_m


def rolling(rng: np.random.Generator, slope: float, shortest_m: float = 150.0, longest_m: float = 900.0) -> Waves:
    """Hills whose typical gradient is `slope` (0.02 is 2 %)."""
    count = 8
    wavelength = np.geomspace(shortest_m, longest_m, count)
    way = rng.uniform(0, 2 * np.pi, count)
    number = 2 * np.pi / wavelength
    return Waves(
        number=number[:, None] * np.stack([np.cos(way), np.sin(way)], 1),
        amplitude_m=slope * np.sqrt(2.0 / count) / number,
        phase_rad=rng.uniform(0, 2 * np.pi, count),
    )


class Draped:
    """Land under a driven track: near it at the track's height, farther off ever smoother."""

    def __init__(self, points: np.ndarray) -> None:
        """From (N, 3) points on the road, about 2 m apart."""
        self._tree, self._z = cKDTree(points[:, :2]), points[:, 2]

    def height(self, xy: np.ndarray) -> np.ndarray:
        """(N,) metres: the mean of the nearest 40 points with Gaussian weights that widen with distance."""
        count = min(40, len(self._z))
        away, index = self._tree.query(np.asarray(xy), k=count)
        away, index = away.reshape(-1, count), index.reshape(-1, count)
        wide = 3.0 + 0.8 * away[:, :1]
        weight = np.exp(-0.5 * (away**2 - away[:, :1] ** 2) / wide**2)
        return (weight * self._z[index]).sum(1) / weight.sum(1)


def ground_mesh(
    ground: Ground, low: np.ndarray, high: np.ndarray, cell_m: float, material_at: Callable[[np.ndarray], np.ndarray]
) -> Mesh:
    """A grid of triangles over the rectangle; `material_at((N, 2)) -> (N,)` paints them."""
    nx, ny = (np.ceil((high - low) / cell_m).astype(int) + 1).tolist()
    x, y = np.linspace(low[0], high[0], nx), np.linspace(low[1], high[1], ny)
    xy = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
    vertices = np.column_stack([xy, ground.height(xy)]).astype(np.float32)
    at = np.arange(nx * ny, dtype=np.uint32).reshape(nx, ny)
    a, b, c, d = at[:-1, :-1].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel(), at[:-1, 1:].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    centres = vertices[triangles, :2].astype(float).mean(1)
    return Mesh(vertices=vertices, triangles=triangles, materials=material_at(centres).astype(np.uint8))

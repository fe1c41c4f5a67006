"""Triangle meshes with a material per triangle: the bricks of which worlds are built. z is up, metres."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class Material(IntEnum):
    """What a surface is made of; `REFLECTIVITY` says how it looks to a 905 nm laser."""

    ASPHALT = 0
    CONCRETE = 1
    WALL = 2
    GLASS = 3
    METAL = 4
    LEAF = 5
    TRUNK = 6
    GRASS = 7
    SIGN = 8
    PERSON = 9


# Diffuse reflectivity at 905 nm (typical values of lidar data sheets); signs are retro-reflective.
REFLECTIVITY = np.array([0.17, 0.30, 0.38, 0.08, 0.35, 0.45, 0.25, 0.40, 1.5, 0.35], np.float32)
# Share of the rays that come back at all: panes let most through, paint and foliage lose some.
RETURNING = np.array([0.998, 0.998, 0.995, 0.18, 0.93, 0.93, 0.99, 0.99, 1.0, 0.98], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mesh:
    """A triangle soup; vertices need not be shared."""

    vertices: np.ndarray  # (V, 3) float32, metres
    triangles: np.ndarray  # (T, 3) uint32
    materials: np.ndarray  # (T,) uint8


def quads(corners: np.ndarray, material: int) -> Mesh:
    """Two triangles for each of (Q, 4, 3) corners, which go round the quad."""
    corners = np.asarray(corners, np.float32).reshape(-1, 4, 3)
    first = 4 * np.arange(len(corners), dtype=np.uint32)[:, None]
    triangles = (first[:, None] + np.array([[0, 1, 2], [0, 2, 3]], np.uint32)).reshape(-1, 3)
    return Mesh(
        vertices=corners.reshape(-1, 3), triangles=triangles, materials=np.full(len(triangles), material, np.uint8)
    )


def triangles(corners: np.ndarray, material: int) -> Mesh:
    """One triangle for each of (T, 3, 3) corners."""
    corners = np.asarray(corners, np.float32).reshape(-1, 3, 3)
    index = np.arange(3 * len(corners), dtype=np.uint32).reshape(-1, 3)
    return Mesh(vertices=corners.reshape(-1, 3), triangles=index, materials=np.full(len(index), material, np.uint8))


def merge(parts: list[Mesh]) -> Mesh:
    """All parts in one mesh, in their order."""
    if not parts:
        return quads(np.zeros((0, 4, 3)), Material.WALL)
    first = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]]).astype(np.uint32)
    return Mesh(
        vertices=np.concatenate([part.vertices for part in parts]),
        triangles=np.concatenate([part.triangles + start for part, start in zip(parts, first)]),
        materials=np.concatenate([part.materials for part in parts]),
    )


def moved(mesh: Mesh, xyz: np.ndarray | tuple[float, float, float], yaw_rad: float = 0.0) -> Mesh:
    """The mesh turned about z, then shifted."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    R = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    vertices = (mesh.vertices @ R.T + np.asarray(xyz, float)).astype(np.float32)
    return Mesh(vertices=vertices, triangles=mesh.triangles, materials=mesh.materials)


def box(low: tuple[float, float, float], high: tuple[float, float, float], material: int) -> Mesh:
    """An axis-parallel box between two corners."""
    return frustum(low, high, (0.0, 0.0, 0.0, 0.0), material, material)


def frustum(
    low: tuple[float, float, float], high: tuple[float, float, float], inset: tuple[float, float, float, float],
    side: int, top: int,
) -> Mesh:  # fmt: skip
    """A box whose top is drawn in at -x, +x, -y, +y: cabins and hipped roofs."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    a, b, c, d = (x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)
    e, f = (x0 + inset[0], y0 + inset[2], z1), (x1 - inset[1], y0 + inset[2], z1)
    g, h = (x1 - inset[1], y1 - inset[3], z1), (x0 + inset[0], y1 - inset[3], z1)
    sides = np.array([[a, b, f, e], [b, c, g, f], [c, d, h, g], [d, a, e, h]])
    return merge([quads(sides, side), quads(np.array([[e, f, g, h], [a, d, c, b]]), top)])


def column(radius_low_m: float, radius_high_m: float, low_m: float, high_m: float, sides: int, material: int) -> Mesh:
    """An upright prism or cone about z, open at the bottom."""
    angle = 2 * np.pi * np.arange(sides + 1) / sides
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    low = np.column_stack([radius_low_m * ring, np.full(sides + 1, low_m)])
    high = np.column_stack([radius_high_m * ring, np.full(sides + 1, high_m)])
    walls = np.stack([low[:-1], low[1:], high[1:], high[:-1]], 1)
    centre = np.tile([0.0, 0.0, high_m], (sides, 1))
    return merge([quads(walls, material), triangles(np.stack([high[:-1], high[1:], centre], 1), material)])


def leaves(centres: np.ndarray, size_m: float, rng: np.random.Generator) -> Mesh:
    """A randomly turned triangle of about `size_m` at each of (N, 3) centres."""
    shape = rng.normal(size=(len(centres), 3, 3))
    shape /= np.linalg.norm(shape, axis=2, keepdims=True)
    return triangles(centres[:, None] + size_m * (0.6 + 0.5 * rng.random((len(centres), 1, 1))) * shape, Material.LEAF)


def ribbon(left: np.ndarray, right: np.ndarray, material: int) -> Mesh:
    """A strip between two (N, 3) polylines with as many points."""
    return quads(np.stack([left[:-1], right[:-1], right[1:], left[1:]], 1), material)

"""Things that stand in worlds, each at its own origin: x along the street (or forward), y left, z up."""

import numpy as np

from .meshes import Material, Mesh, box, column, frustum, leaves, merge, moved, quads


def car(rng: np.random.Generator, kind: str | None = None) -> Mesh:
    """A car, van or lorry that stands on z = 0, its middle at the origin, forward +x."""
    kind = kind or str(rng.choice(["car", "car", "car", "estate", "van", "lorry"], p=[0.3, 0.25, 0.15, 0.18, 0.1, 0.02]))
    scale = rng.uniform(0.93, 1.08)
    if kind == "van":
        body = frustum((-2.5, -0.95, 0.3), (2.5, 0.95, 1.1), (0.0, 0.1, 0.05, 0.05), Material.METAL, Material.METAL)
        cabin = frustum((-2.5, -0.93, 1.1), (1.9, 0.93, 2.0), (0.05, 0.7, 0.08, 0.08), Material.METAL, Material.METAL)
        pane = quads(np.array([[(1.91, -0.8, 1.12), (1.91, 0.8, 1.12), (1.25, 0.75, 1.9), (1.25, -0.75, 1.9)]]), 3)
        parts = [body, cabin, pane]
    elif kind == "lorry":
        parts = [
            box((-4.0, -1.2, 0.6), (2.0, 1.2, 3.4), Material.METAL),
            box((2.2, -1.15, 0.4), (4.0, 1.15, 2.0), Material.METAL),
            box((2.3, -1.1, 2.0), (3.9, 1.1, 2.8), Material.GLASS),
        ]
    else:
        back = -2.1 if kind == "estate" else -1.7
        body = frustum((-2.2, -0.88, 0.25), (2.15, 0.88, 0.92), (0.1, 0.25, 0.06, 0.06), Material.METAL, Material.METAL)
        cabin = frustum((back, -0.8, 0.92), (1.0, 0.8, 1.47), (0.3, 0.75, 0.16, 0.16), Material.GLASS, Material.METAL)
        pillars = [box((x, y - 0.04, 0.92), (x + 0.1, y + 0.04, 1.3), Material.METAL) for x in (-0.3, -1.3) for y in (-0.78, 0.78)]
        parts = [body, cabin, *pillars]
    reach = 2.6 if kind == "lorry" else 1.35
    wheels = [box((x - 0.3, y - 0.1, 0.0), (x + 0.3, y + 0.1, 0.6), Material.TRUNK) for x in (-reach, reach) for y in (-0.78, 0.78)]
    mesh = merge(parts + wheels)
    return Mesh(vertices=(mesh.vertices * scale).astype(np.float32), triangles=mesh.triangles, materials=mesh.materials)


def tree(rng: np.random.Generator, foliage: float = 1.0) -> Mesh:
    """A broad-leaved tree; `foliage` 0 is winter."""
    height = rng.uniform(5.0, 11.0)
    radius, bare = height * rng.uniform(0.22, 0.34), height * rng.uniform(0.22, 0.35)
    girth = 0.018 * height
    parts = [column(1.2 * girth, 0.6 * girth, -0.4, 0.75 * height, 6, Material.TRUNK)]
    for _ in range(4):
        turn, out = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.8) * radius
        low = rng.uniform(bare, 0.6 * height)
        tip = np.array([out * np.cos(turn), out * np.sin(turn), low + 0.25 * height])
        root, wide = np.array([0.0, 0.0, low]), 0.4 * girth * np.array([-np.sin(turn), np.cos(turn), 0.0])
        parts.append(quads(np.array([[root - wide, root + wide, tip + 0.3 * wide, tip - 0.3 * wide]]), Material.TRUNK))
    count = int(foliage * 34 * radius**2)
    if count:
        way = rng.normal(size=(count, 3))
        way *= (0.45 + 0.55 * rng.random((count, 1)) ** 0.5) / np.linalg.norm(way, axis=1, keepdims=True)
        middle = np.array([0.0, 0.0, 0.5 * (bare + height)])
        parts.append(leaves(middle + way * [radius, radius, 0.5 * (height - bare)], 0.36, rng))
    return merge(parts)


def bush(rng: np.random.Generator, foliage: float = 1.0) -> Mesh:
    """A shrub of one to two metres."""
    radius = rng.uniform(0.4, 1.1)
    count = int((0.3 + 0.7 * foliage) * 45 * radius**1.5) + 4
    way = rng.normal(size=(count, 3))
    way *= rng.random((count, 1)) ** 0.4 / np.linalg.norm(way, axis=1, keepdims=True)
    return leaves(way * [radius, radius, 0.8 * radius] + [0.0, 0.0, 0.7 * radius], 0.2, rng)


def hedge(rng: np.random.Generator, length_m: float) -> Mesh:
    """A clipped hedge along x: a core with leaves around it."""
    height, half = rng.uniform(0.9, 1.8), rng.uniform(0.25, 0.4)
    core = box((0.0, 0.2 - half, -0.2), (length_m, half - 0.2, height - 0.15), Material.LEAF)
    spots = rng.uniform([0, -half, 0.05], [length_m, half, height], (int(9 * length_m), 3))
    return merge([core, leaves(spots, 0.2, rng)])


def fence(rng: np.random.Generator, length_m: float) -> Mesh:
    """A low wall, or posts with rails, along x."""
    height = rng.uniform(0.7, 1.5)
    if rng.random() < 0.5:
        return box((0.0, -0.12, -0.2), (length_m, 0.12, height), Material.CONCRETE)
    posts = [box((x, -0.05, -0.2), (x + 0.1, 0.05, height), Material.TRUNK) for x in np.arange(0.0, length_m, 2.0)]
    rails = [box((0.0, -0.03, height * k - 0.06), (length_m, 0.03, height * k), Material.TRUNK) for k in (0.35, 0.65, 0.95)]
    return merge(posts + rails)


def lamp(rng: np.random.Generator) -> Mesh:
    """A street lamp with its arm towards +y."""
    height = rng.uniform(5.0, 8.0)
    mast = column(0.10, 0.06, -0.3, height, 6, Material.METAL)
    return merge([mast, box((-0.12, 0.0, height - 0.1), (0.12, 1.4, height), Material.METAL)])


def sign(rng: np.random.Generator) -> Mesh:
    """A traffic sign whose plate faces -x."""
    height = rng.uniform(2.1, 2.8)
    plate = box((-0.03, -0.32, height - 0.32), (0.0, 0.32, height + 0.32), Material.SIGN)
    return merge([column(0.04, 0.04, -0.3, height, 5, Material.METAL), plate])


def cabinet(rng: np.random.Generator) -> Mesh:
    """A switch box, bin or kiosk."""
    x, y, z = rng.uniform([0.25, 0.2, 0.8], [0.9, 0.4, 1.7])
    return box((-x, -y, -0.2), (x, y, z), Material.METAL)


def person(rng: np.random.Generator) -> Mesh:
    """Someone who stands, walks towards +x."""
    tall = rng.uniform(1.55, 1.9)
    legs = [moved(column(0.09, 0.11, 0.0, 0.5 * tall, 5, Material.PERSON), (x, y, 0.0)) for x, y in ((0.15, 0.1), (-0.15, -0.1))]
    trunk = column(0.18, 0.24, 0.48 * tall, 0.85 * tall, 6, Material.PERSON)
    return merge([*legs, trunk, column(0.1, 0.08, 0.85 * tall, tall, 6, Material.PERSON)])


def shed(rng: np.random.Generator) -> Mesh:
    """A garage or garden house."""
    x, y, z = rng.uniform([1.2, 1.5, 2.0], [2.2, 3.0, 3.0])
    return frustum((-x, -y, -0.4), (x, y, z), (0.0, 0.0, 0.0, 0.0), Material.WALL, Material.WALL)

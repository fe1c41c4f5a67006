"""Buildings with facades that have depth: recessed panes, doors, balconies, bays, roofs."""

import numpy as np

from .meshes import Material, Mesh, box, frustum, merge, moved, quads

_FLOOR_M = 3.0


def facade(width_m: float, floors: int, rng: np.random.Generator) -> Mesh:
    """A wall along x from 0, facing -y, with a recessed pane per bay and floor."""
    bay = rng.uniform(2.4, 4.2)
    columns = max(1, int(width_m / bay))
    bay = width_m / columns
    pane, sill, head, deep = bay * rng.uniform(0.35, 0.65), rng.uniform(0.7, 1.0), rng.uniform(2.1, 2.6), rng.uniform(0.12, 0.35)
    shop = rng.random() < 0.25
    x0 = bay * np.arange(columns) + 0.5 * (bay - pane)
    edges = np.concatenate([[0.0], np.stack([x0, x0 + pane], 1).ravel(), [width_m]])
    height = floors * _FLOOR_M
    walls = [_upright(edges[::2], edges[1::2], 0.0, height)]
    panes, reveals, previous = [], [], np.zeros(columns)
    for floor in range(floors):
        low = floor * _FLOOR_M + (0.15 if shop and floor == 0 else sill)
        high = floor * _FLOOR_M + head
        walls.append(_upright(x0, x0 + pane, previous, np.full(columns, low)))
        panes.append(_upright(x0, x0 + pane, low, high, deep))
        reveals.append(_reveals(x0, x0 + pane, low, high, deep))
        previous = np.full(columns, high)
    walls.append(_upright(x0, x0 + pane, previous, np.full(columns, height)))
    parts = [quads(np.concatenate(walls), Material.WALL), quads(np.concatenate(reveals), Material.WALL)]
    curtained = rng.random() < 0.5  # drawn blinds send the light back
    parts.append(quads(np.concatenate(panes), Material.WALL if curtained else Material.GLASS))
    if rng.random() < 0.35 and floors > 1:
        for k in range(columns):
            if rng.random() < 0.5:
                parts += [box((x0[k] - 0.3, -1.1, f * _FLOOR_M - 0.1), (x0[k] + pane + 0.3, 0.0, f * _FLOOR_M + 0.9), Material.CONCRETE)
                          for f in range(1, floors)]  # fmt: skip
    door = rng.uniform(0.1, max(0.2, width_m - 1.5))
    parts.append(box((door, -0.35, -0.3), (door + 1.2, 0.0, 0.25), Material.CONCRETE))
    return merge(parts)


def building(width_m: float, depth_m: float, floors: int, rng: np.random.Generator) -> Mesh:
    """A house with its front along x at y = 0 facing -y, its body at y > 0; its foot reaches 1.5 m into the ground."""
    height = floors * _FLOOR_M
    front = facade(width_m, floors, rng)
    back = moved(facade(width_m, floors, rng), (width_m, depth_m, 0.0), np.pi)
    sides = quads(
        np.array([
            [(0, 0, 0), (0, depth_m, 0), (0, depth_m, height), (0, 0, height)],
            [(width_m, depth_m, 0), (width_m, 0, 0), (width_m, 0, height), (width_m, depth_m, height)],
        ], float), Material.WALL,
    )  # fmt: skip
    foot = box((0.0, 0.0, -1.5), (width_m, depth_m, 0.0), Material.CONCRETE)
    eave = rng.uniform(0.0, 0.5)
    if floors <= 4 and rng.random() < 0.7:
        slope = 0.48 * depth_m
        roof = frustum(
            (0.0, -eave, height), (width_m, depth_m + eave, height + 0.7 * slope), (0.0, 0.0, slope, slope), Material.WALL, Material.WALL
        )
    else:
        roof = box((-0.1, -0.1, height), (width_m + 0.1, depth_m + 0.1, height + 0.6), Material.WALL)
    parts = [front, back, sides, foot, roof]
    if rng.random() < 0.3:
        at, wide = rng.uniform(0.1, 0.5) * width_m, rng.uniform(2.0, 0.4 * width_m + 2.0)
        parts.append(
            box((at, -rng.uniform(0.5, 1.2), -1.0), (min(at + wide, width_m), 0.0, rng.integers(1, floors + 1) * _FLOOR_M), Material.WALL)
        )
    return merge(parts)


def _upright(x0: np.ndarray, x1: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, y: float = 0.0) -> np.ndarray:
    """(N, 4, 3) upright rectangles at y."""
    x0, x1, low, high = np.broadcast_arrays(x0, x1, low, high)
    y = np.full(len(x0), y)
    return np.stack([np.stack(c, 1) for c in ((x0, y, low), (x1, y, low), (x1, y, high), (x0, y, high))], 1)


def _reveals(x0: np.ndarray, x1: np.ndarray, low: float, high: float, deep: float) -> np.ndarray:
    """(4 N, 4, 3) the four sides of recesses of depth `deep`."""
    n = len(x0)
    zero, far, bottom, top = np.zeros(n), np.full(n, deep), np.full(n, low), np.full(n, high)
    sides = [
        ((x0, zero, bottom), (x0, far, bottom), (x0, far, top), (x0, zero, top)),
        ((x1, zero, bottom), (x1, far, bottom), (x1, far, top), (x1, zero, top)),
        ((x0, zero, bottom), (x1, zero, bottom), (x1, far, bottom), (x0, far, bottom)),
        ((x0, zero, top), (x1, zero, top), (x1, far, top), (x0, far, top)),
    ]
    return np.concatenate([np.stack([np.stack(c, 1) for c in side], 1) for side in sides])

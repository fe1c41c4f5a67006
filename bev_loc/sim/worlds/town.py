"""A town: crooked streets on a slope, houses with deep facades, parked cars, trees, parks; a drive with loops."""

import numpy as np

from ..layout import Layout, Style
from ..polyline import offset, resampled, rounded, smoothed
from ..terrain import rolling
from ..world import Route, World, WorldOptions, generators

_MARGIN_M = 90.0
_LANE_M = 1.75
# Steps over street corners, right-hand traffic: a block, the block beside it, then back through both the other way.
# The other drive goes round the same blocks against that, soon over what the first minute of the first has seen.
_DRIVE = ((1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (2, 1), (3, 1), (3, 2), (2, 2), (1, 2), (1, 3), (2, 3), (2, 2),
          (2, 1), (1, 1), (1, 2), (2, 2), (3, 2), (3, 3), (2, 3), (1, 3), (1, 2), (1, 1))  # fmt: skip
_OTHER = ((3, 1), (2, 1), (1, 1), (1, 2), (2, 2), (2, 1), (1, 1), (1, 2), (2, 2), (2, 1), (1, 1), (1, 2), (1, 3), (2, 3),
          (2, 2), (3, 2), (3, 1), (2, 1), (2, 2), (1, 2), (1, 1))  # fmt: skip

STYLES = (
    Style(),
    Style(house=0.95, terraced=0.88, setback_m=(0.0, 1.0), floors=(3, 5), garden=0.1, tree=0.25),
    Style(house=0.85, terraced=0.1, setback_m=(3.0, 9.0), floors=(1, 3), garden=0.9, tree=0.5, car=0.4),
    Style(house=0.25, setback_m=(6.0, 20.0), tree=0.9, tree_spacing_m=7.0, garden=0.4, clutter=0.15),
    Style(house=0.6, setback_m=(6.0, 16.0), depth_m=(12.0, 20.0), lot_m=(18.0, 40.0), floors=(2, 6), tree=0.35, car=0.35),
)
_MIX = (0.3, 0.25, 0.23, 0.1, 0.12)


def build(options: WorldOptions) -> World:
    """The town of this seed."""
    return lay_out("town", options, STYLES, _MIX, speed_m_s=9.0)


def build_for(options: WorldOptions, drive: list[tuple[int, int]]) -> World:
    """The town of this seed with a drive of one's own: steps over street corners, 0 to `options.blocks` each way."""
    return lay_out("town", options, STYLES, _MIX, speed_m_s=9.0, drives=(drive, drive[::-1]))


def lay_out(
    name: str, options: WorldOptions, styles: tuple[Style, ...], mix: tuple[float, ...], speed_m_s: float,
    drives: tuple[list[tuple[int, int]], list[tuple[int, int]]] | None = None,
) -> World:  # fmt: skip
    """A net of streets whose neighbourhoods are drawn from `styles`; the first one sets the width of all streets."""
    rngs = generators(options)
    rng = rngs[0]
    nodes = _corners(rng, options.blocks + 1)
    ground = rolling(rng, 0.025)
    low, high = nodes.min((0, 1)) - _MARGIN_M, nodes.max((0, 1)) + _MARGIN_M
    drive, other = drives or _drives(options.blocks)
    streets = _streets(rng, nodes, drive)
    layout = Layout(ground, low, high, rngs, options.foliage)
    layout.draw(streets, styles[0])
    for street in streets:
        layout.furnish(street, styles[int(rng.choice(len(styles), p=mix))].on(styles[0]))
    layout.scatter(int(0.0022 * np.prod(high - low)))
    mesh = layout.mesh(5.0)
    return World(
        name=name, mesh=mesh, ground=ground, low=low, high=high, lane_m=2 * _LANE_M,
        route=_route(nodes, drive, speed_m_s, stops=((215.0, 3.0),)), other=_route(nodes, other, speed_m_s, stops=()),
    )  # fmt: skip


def _corners(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, count, 2) street corners: an uneven grid, bent."""
    u = np.concatenate([[0.0], np.cumsum(rng.uniform(60, 95, count - 1))])
    v = np.concatenate([[0.0], np.cumsum(rng.uniform(60, 95, count - 1))])
    nodes = np.stack(np.meshgrid(u - u.mean(), v - v.mean(), indexing="ij"), -1)
    phase = rng.uniform(0, 2 * np.pi, 4)
    bend_x = 11 * np.sin(2 * np.pi * nodes[..., 1] / 310 + phase[0]) + 5 * np.sin(2 * np.pi * nodes[..., 0] / 190 + phase[1])
    bend_y = 11 * np.sin(2 * np.pi * nodes[..., 0] / 270 + phase[2]) + 5 * np.sin(2 * np.pi * nodes[..., 1] / 230 + phase[3])
    return nodes + np.stack([bend_x, bend_y], -1) + rng.uniform(-4, 4, nodes.shape)


def _streets(rng: np.random.Generator, nodes: np.ndarray, drive: list[tuple[int, int]]) -> list[np.ndarray]:
    """Centre lines from corner to corner; those that no drive uses may be missing."""
    count, used = len(nodes), {frozenset(pair) for pair in zip(drive, drive[1:])}
    streets = []
    for i in range(count):
        for j in range(count):
            for k, m in ((i + 1, j), (i, j + 1)):
                if k < count and m < count and (frozenset({(i, j), (k, m)}) in used or rng.random() < 0.85):
                    streets.append(resampled(np.stack([nodes[i, j], nodes[k, m]]), 2.0))
    return streets


def _drives(blocks: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Both drives over corners; a town too small for them has a simple one round a block, and back."""
    if blocks < 3:
        around = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0), (1, 0), (1, 1), (0, 1)]
        return around, around[::-1]
    drive, last = list(_DRIVE), blocks - 1
    if blocks > 4:  # then once round the whole town
        rim = [(1, j) for j in range(1, last)] + [(i, last) for i in range(1, last)]
        rim += [(last, j) for j in range(last, 1, -1)] + [(i, 1) for i in range(last, 0, -1)]
        drive += rim[1:]
    return drive, list(_OTHER)


def _route(nodes: np.ndarray, drive: list[tuple[int, int]], speed_m_s: float, stops: tuple[tuple[float, float], ...]) -> Route:
    """The right-hand lane through the corners, begun and ended in the middle of a street."""
    corners = np.array([nodes[at] for at in drive])
    corners[0], corners[-1] = 0.5 * (corners[0] + corners[1]), 0.5 * (corners[-1] + corners[-2])
    lane = offset(resampled(rounded(corners, 14.0), 0.5), -_LANE_M)
    return Route(points=smoothed(lane, 2.5), speed_m_s=speed_m_s, stops=stops)

"""A car park: the same row of cars again and again, lamps in a grid, one hall at its rim."""

import numpy as np

from .. import assets
from ..building import building
from ..layout import CARRIAGEWAY, FREE, Layout, Style
from ..polyline import offset, resampled, rounded, smoothed
from ..terrain import rolling
from ..world import Route, World, WorldOptions, generators

_AISLES, _AISLE_M, _LENGTH_M = 8, 17.0, 110.0


def build(options: WorldOptions) -> World:
    """The car park of this seed."""
    rngs = generators(options)
    rng, rng_cars, _ = rngs
    ground = rolling(rng, 0.004)
    depth = (_AISLES - 1) * _AISLE_M
    layout = Layout(ground, np.array([-45.0, -45.0]), np.array([_LENGTH_M + 45.0, depth + 60.0]), rngs, options.foliage)
    aisles = [np.array([[0.0, k * _AISLE_M], [_LENGTH_M, k * _AISLE_M]]) for k in range(_AISLES)]
    ends = [np.array([[x, 0.0], [x, depth]]) for x in (0.0, _LENGTH_M)]
    layout.draw([*aisles, *ends], Style(road_half_m=3.0, driven_half_m=3.0, pavement_m=5.4))
    for aisle in aisles:
        for side in (1.0, -1.0):
            for spot in offset(resampled(aisle, 2.6), side * 5.6)[2:-2]:
                if rng_cars.random() < 0.7 and layout.take(spot, np.pi / 2, (-2.3, 2.3, -0.9, 0.9), 1):
                    turn = np.pi / 2 if rng_cars.random() < 0.7 else -np.pi / 2
                    layout.place(assets.car(rng_cars), spot + rng_cars.normal(0, 0.12, 2), turn + rng_cars.normal(0, 0.03))
    for y in np.arange(0.5, _AISLES - 1) * _AISLE_M:
        for x in np.arange(20.0, _LENGTH_M, 24.0):
            layout.place(assets.lamp(rng), np.array([x, y]), 0.0)
    hall = np.array([10.0, depth + 18.0])
    if layout.take(hall, 0.0, (0.0, 80.0, 0.5, 25.0), CARRIAGEWAY):
        layout.place(building(80.0, 25.0, 2, rng), hall, 0.0)
    for side in ([(-15.0, -15.0), (_LENGTH_M + 15.0, -15.0)], [(-15.0, -15.0), (-15.0, depth + 10.0)]):
        spots = resampled(np.array(side), 9.0)
        for spot in spots:
            if layout.take(spot, 0.0, (-0.5, 0.5, -0.5, 0.5), FREE):
                layout.place(assets.tree(np.random.default_rng(rngs[2].integers(2**62)), options.foliage), spot, 0.0)
    layout.scatter(40)
    return World(
        name="carpark", mesh=layout.mesh(5.0), ground=ground, low=layout.low, high=layout.high, lane_m=0.0,
        route=_route((0, 1, 4, 5, 2, 3, 0, 1)), other=_route((1, 0, 3, 2, 5, 4, 1, 0)),
    )  # fmt: skip


def _route(order: tuple[int, ...]) -> Route:
    """Up one aisle and down the next of the order."""
    corners = []
    for k, aisle in enumerate(order):
        ends = [(0.0, aisle * _AISLE_M), (_LENGTH_M, aisle * _AISLE_M)]
        corners += ends if k % 2 == 0 else ends[::-1]
    corners[0], corners[-1] = (15.0, corners[0][1]), (15.0, corners[-1][1])
    return Route(points=smoothed(rounded(np.array(corners), 5.0), 1.5), speed_m_s=4.0)

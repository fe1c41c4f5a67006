"""Open land: a dirt track round gentle hills, a fence, a few trees, bales, masts and one barn."""

import numpy as np

from .. import assets
from ..building import building
from ..layout import FREE, Layout, Style
from ..meshes import Material, column
from ..polyline import lengths, offset, resampled, smoothed
from ..terrain import rolling
from ..world import Route, World, WorldOptions, generators


def build(options: WorldOptions) -> World:
    """The field of this seed."""
    rngs = generators(options)
    rng = rngs[0]
    ground = rolling(rng, 0.03, shortest_m=120.0)
    turn = np.linspace(0.0, 2 * np.pi * 1.35, 120)  # a third of the loop is driven twice
    radius = 85.0 + 18 * np.sin(2 * turn + rng.uniform(0, 6)) + 9 * np.sin(3 * turn + rng.uniform(0, 6))
    track = smoothed(radius[:, None] * np.stack([1.25 * np.cos(turn), np.sin(turn)], 1), 4.0)
    layout = Layout(ground, track.min(0) - 110.0, track.max(0) + 110.0, rngs, options.foliage)
    layout.draw([track], Style(road_half_m=2.2, driven_half_m=2.2, pavement_m=1.0, kerb=False))
    fence = offset(resampled(track, 4.0), 9.0)[: int(0.4 * lengths(track)[-1] / 4.0)]
    for a, b in zip(fence[:-1], fence[1:]):
        layout.place(
            assets.fence(np.random.default_rng(rng.integers(2) * 7 + 1), float(np.linalg.norm(b - a))), a, float(np.arctan2(*(b - a)[::-1]))
        )
    for _ in range(26):
        spot = rng.uniform(layout.low + 5, layout.high - 5)
        if layout.take(spot, 0.0, (-1.0, 1.0, -1.0, 1.0), FREE):
            layout.place(column(0.75, 0.75, 0.0, 1.4, 10, Material.GRASS), spot, 0.0)
    for x in np.arange(layout.low[0] + 15, layout.high[0], 55.0):
        spot = np.array([x, 0.35 * x + 30.0])
        if layout.take(spot, 0.0, (-0.3, 0.3, -0.3, 0.3), FREE):
            layout.place(column(0.16, 0.1, -0.4, 9.0, 6, Material.TRUNK), spot, 0.0)
    barn = np.array([20.0, 15.0])
    if layout.take(barn, 0.4, (0.0, 22.0, 0.0, 12.0), FREE):
        layout.place(building(22.0, 12.0, 2, rng), barn, 0.4)
    layout.scatter(45)
    return World(
        name="field", mesh=layout.mesh(4.0), ground=ground, low=layout.low, high=layout.high, lane_m=0.0,
        route=Route(points=track, speed_m_s=7.0), other=Route(points=track[::-1], speed_m_s=6.0),
    )  # fmt: skip

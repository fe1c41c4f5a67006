"""A motorway: three lanes each way, guard rails, noise barriers, gantries, sparse trees; long and nearly straight."""

import numpy as np

from .. import assets
from ..layout import FREE, Layout, Style
from ..meshes import Material, box, merge
from ..polyline import offset, resampled, smoothed, tangents
from ..terrain import rolling
from ..world import Route, World, WorldOptions, generators

_LENGTH_M, _HALF_M, _LANE_M = 1500.0, 14.0, 6.0


def build(options: WorldOptions) -> World:
    """The motorway of this seed."""
    rngs = generators(options)
    rng = rngs[0]
    ground = rolling(rng, 0.015, shortest_m=500.0, longest_m=2000.0)
    x = np.linspace(0.0, _LENGTH_M, 20)
    street = smoothed(np.stack([x, 90 * np.sin(2 * np.pi * x / 1900 + rng.uniform(0, 6)) + 25 * np.sin(2 * np.pi * x / 700)], 1), 60.0, 2.0)
    layout = Layout(ground, street.min(0) - [60.0, 90.0], street.max(0) + [60.0, 90.0], rngs, options.foliage)
    style = Style(road_half_m=_HALF_M, driven_half_m=_HALF_M, pavement_m=3.0)
    layout.draw([street], style)
    for off in (-_HALF_M - 0.8, -0.6, 0.6, _HALF_M + 0.8):
        layout.line(offset(street, off), [(0.0, 0.4), (0.08, 0.55), (0.0, 0.75)], Material.METAL)
    _barriers(layout, street, rng)
    _gantries(layout, street, rng)
    for side in (1.0, -1.0):
        line = offset(resampled(street, 5.0), side * (_HALF_M + 9.0))
        for k in range(len(line)):
            spot = line[k] + rng.normal(0.0, 3.0, 2)
            if rng.random() < 0.35 and layout.take(spot, 0.0, (-0.6, 0.6, -0.6, 0.6), FREE):
                layout.place(assets.tree(np.random.default_rng(rngs[2].integers(2**62)), options.foliage), spot, 0.0)
    layout.scatter(250)
    lane, back = offset(street[15:-15], -_LANE_M), offset(street[15:-15], _LANE_M)[::-1]
    return World(
        name="highway", mesh=layout.mesh(10.0), ground=ground, low=layout.low, high=layout.high, lane_m=2 * _LANE_M,
        route=Route(points=lane, speed_m_s=27.0), other=Route(points=back, speed_m_s=24.0),
    )  # fmt: skip


def _barriers(layout: Layout, street: np.ndarray, rng: np.random.Generator) -> None:
    """Noise barriers of 80 to 250 m."""
    for side in (1.0, -1.0):
        at = 20
        while at < len(street) - 60:
            length = int(rng.integers(40, 125))
            if rng.random() < 0.5:
                piece, high = offset(street[at : at + length], side * (_HALF_M + 4.0)), rng.uniform(2.5, 4.5)
                layout.line(piece, [(-0.1, -0.5), (-0.1, high), (0.1, high), (0.1, -0.5)], Material.CONCRETE)
                for spot in piece[::4]:
                    layout.take(spot, 0.0, (-2.0, 2.0, -2.0, 2.0), FREE)
            at += length + int(rng.integers(10, 60))


def _gantries(layout: Layout, street: np.ndarray, rng: np.random.Generator) -> None:
    """Sign bridges every 300 m or so."""
    way, half = tangents(street), _HALF_M + 1.5
    for k in range(int(rng.integers(40, 120)), len(street) - 20, 160):
        bridge = merge([
            box((-0.2, -half - 0.2, -0.5), (0.2, -half + 0.2, 7.0), Material.METAL),
            box((-0.2, half - 0.2, -0.5), (0.2, half + 0.2, 7.0), Material.METAL),
            box((-0.3, -half, 6.2), (0.3, half, 7.0), Material.METAL), box((-0.35, -9.0, 5.2), (-0.3, -2.0, 7.6), Material.SIGN),
            box((0.3, 2.0, 5.2), (0.35, 9.0, 7.6), Material.SIGN),
        ])  # fmt: skip
        layout.place(bridge, street[k], float(np.arctan2(way[k, 1], way[k, 0])))

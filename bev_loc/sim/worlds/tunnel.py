"""A road tunnel and a corridor indoors: nothing to hold on to along the way."""

import numpy as np

from ..layout import Layout, Style
from ..meshes import Material, box
from ..polyline import offset, resampled, smoothed, tangents
from ..terrain import rolling
from ..world import Route, World, WorldOptions, generators


def build(options: WorldOptions) -> World:
    """An 800 m tube with two lanes; lamps every 40 m, a refuge every 200."""
    angle = np.linspace(0.0, np.pi, 13)
    tube = [(5.5 * np.cos(a), 1.2 + 5.0 * np.sin(a)) for a in angle]
    return _tube("tunnel", options, 800.0, [(5.5, -0.3), *tube, (-5.5, -0.3)], lane_m=3.4, speed_m_s=15.0, bend_m=25.0)


def build_corridor(options: WorldOptions) -> World:
    """A 200 m corridor, 2.4 m wide and 3 m high, with the same door every 6 m."""
    return _tube("corridor", options, 200.0, [(1.2, -0.3), (1.2, 3.0), (-1.2, 3.0), (-1.2, -0.3)], lane_m=0.0, speed_m_s=1.4, bend_m=0.0)


def _tube(
    name: str, options: WorldOptions, length_m: float, profile: list[tuple[float, float]], *, lane_m: float, speed_m_s: float,
    bend_m: float,
) -> World:  # fmt: skip
    rngs = generators(options)
    x = np.linspace(0.0, length_m, 20)
    street = np.stack([x, bend_m * np.sin(2 * np.pi * x / 900 + rngs[0].uniform(0, 6))], 1)
    street = smoothed(street, 10.0, 1.0) if bend_m else resampled(street, 1.0)
    ground = rolling(rngs[0], 0.01 if bend_m else 0.0, shortest_m=400.0)
    layout = Layout(ground, street.min(0) - 30.0, street.max(0) + 30.0, rngs, options.foliage)
    half = profile[0][0]
    layout.draw([street], Style(road_half_m=half, driven_half_m=half, pavement_m=0.5))
    layout.line(street, profile, Material.CONCRETE)
    way = tangents(street)
    closed = [box((-0.1, -half, -0.5), (0.1, half, 7.0), Material.CONCRETE)]
    for k, mesh in ((0, closed[0]), (len(street) - 1, closed[0])):
        layout.place(mesh, street[k], float(np.arctan2(way[k, 1], way[k, 0])))
    every, low, high = (40, (-0.6, half - 1.9, 4.6), (0.6, half - 1.6, 4.75)) if bend_m else (6, (-0.5, half - 0.06, 0.0), (0.5, half, 2.1))
    for k in range(every, len(street) - every, every):
        layout.place(box(low, high, Material.METAL), street[k], float(np.arctan2(way[k, 1], way[k, 0])))
        if bend_m and k % 200 == 0:
            layout.place(
                box((-2.0, -half - 0.1, 0.0), (2.0, -half + 0.6, 3.0), Material.WALL), street[k], float(np.arctan2(way[k, 1], way[k, 0]))
            )
    inside = street[8:-8]
    wander_m = 0.03 * half
    lane, back = offset(inside, -0.5 * lane_m), offset(inside, 0.5 * lane_m)[::-1]
    return World(
        name=name, mesh=layout.mesh(8.0), ground=ground, low=layout.low, high=layout.high, lane_m=lane_m,
        route=Route(points=lane, speed_m_s=speed_m_s, wander_m=wander_m), other=Route(points=back, speed_m_s=speed_m_s, wander_m=wander_m),
    )  # fmt: skip

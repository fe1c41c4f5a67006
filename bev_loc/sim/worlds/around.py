"""A town laid out around a given track: its streets are where the track goes, its land as high as the track."""

import numpy as np
from scipy.spatial import cKDTree

from ..drive import Drive
from ..layout import Layout, Style
from ..polyline import lengths, resampled, smoothed
from ..terrain import Draped
from ..world import Route, World, WorldOptions, generators
from .town import STYLES

SENSOR_HEIGHT_M = 1.73
_MARGIN_M = 70.0
_PIECE_M = 90.0  # of street in one style
# The track is one lane of the street: more room to drive than in a town whose middle is known.
_STREET = Style(road_half_m=6.4, driven_half_m=3.6)


def build(options: WorldOptions, drive: Drive) -> World:
    """The world around this drive."""
    rngs = generators(options)
    track = drive.poses(np.arange(0.0, drive.duration_s, 0.1))[:, :3, 3]
    kept = track[np.diff(np.floor(lengths(track[:, :2]) / 2.0), prepend=-1) > 0]
    ground = Draped(kept - [0.0, 0.0, SENSOR_HEIGHT_M])
    low, high = track[:, :2].min(0) - _MARGIN_M, track[:, :2].max(0) + _MARGIN_M
    street = smoothed(kept[:, :2], 3.0, 1.0)
    layout = Layout(ground, low, high, rngs, options.foliage)
    layout.draw([street], _STREET)
    for piece in _unseen_pieces(street):
        habits = STYLES[int(rngs[0].choice(len(STYLES), p=[0.3, 0.25, 0.23, 0.1, 0.12]))]
        layout.furnish(piece, habits.on(_STREET))
    layout.scatter(int(0.0018 * np.prod(high - low)))
    route = Route(points=resampled(street, 0.5), speed_m_s=10.0)
    return World(name="around", mesh=layout.mesh(5.0), ground=ground, low=low, high=high, route=route, other=route, lane_m=3.5)


def _unseen_pieces(street: np.ndarray) -> list[np.ndarray]:
    """Stretches of the track that do not follow an earlier one."""
    way = lengths(street)
    first = np.ones(len(street), bool)
    for a, b in cKDTree(street).query_pairs(5.0, output_type="ndarray"):
        if abs(way[a] - way[b]) > 40.0:
            first[max(a, b)] = False
    pieces, begin = [], None
    for k in range(len(street) + 1):
        inside = k < len(street) and first[k]
        if begin is not None and (not inside or way[k] - way[begin] > _PIECE_M):
            if way[k - 1] - way[begin] > 10.0:
                pieces.append(street[begin:k])
            begin = k if inside else None
        elif begin is None and inside:
            begin = k
    return pieces

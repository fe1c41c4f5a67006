"""A campus: large halls between lawns, avenues of trees, hedges; driven slowly over a net of ways."""

from ..layout import Style
from ..world import World, WorldOptions
from . import town

_WAY = dict(road_half_m=4.6, driven_half_m=3.0, pavement_m=2.4, tree_spacing_m=7.0, clutter=0.5)
STYLES = (
    Style(
        house=0.5, setback_m=(8.0, 18.0), lot_m=(25.0, 50.0), depth_m=(14.0, 22.0), floors=(2, 5), terraced=0.0, tree=0.9, car=0.1, **_WAY
    ),
    Style(house=0.15, setback_m=(10.0, 25.0), garden=0.9, tree=0.95, car=0.0, **_WAY),
    Style(
        house=0.7, setback_m=(4.0, 8.0), lot_m=(20.0, 35.0), depth_m=(12.0, 18.0), floors=(1, 4), terraced=0.2, tree=0.5, car=0.25, **_WAY
    ),
)


def build(options: WorldOptions) -> World:
    """The campus of this seed."""
    return town.lay_out("campus", options, STYLES, (0.4, 0.25, 0.35), speed_m_s=4.5)

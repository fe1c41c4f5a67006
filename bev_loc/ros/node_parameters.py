"""What each node is told besides the configuration: which recording, which map, how fast."""

from typing import Any

from ..config_io import Leaf


def _leaf(key: str, default: Any, meaning: str, *, unit: str = "", minimum: float | None = None,
          maximum: float | None = None, live: bool = False) -> Leaf:  # fmt: skip
    return Leaf(
        key=key, value=default, kind=type(default).__name__, unit=unit, minimum=minimum, maximum=maximum,
        choices=(), meaning=meaning, live=live,
    )  # fmt: skip


NODE_PARAMETERS: dict[str, tuple[Leaf, ...]] = {
    "source_node": (
        _leaf("source", "", "recording to replay: a path, kitti:PATH, bag:PATH or sim:NAME"),
        _leaf("rate", 1.0, "speed of the replay relative to the recording; 0: as fast as the other nodes follow",
              minimum=0.0, maximum=100.0),
        _leaf("clock", False, "publish /clock, for nodes with use_sim_time"),
        _leaf("wait_for", "points", "topics that must have a subscriber before the first scan goes out"),
        _leaf("wait_s", 10.0, "wait no longer than this for them", unit="s",
              minimum=0.0, maximum=3600.0),
    ),
    "odometry_node": (),
    "line_node": (),
    "localization_node": (
        _leaf("map", "", "map folder to localize in; ~/load_map loads it again; empty: build a new map", live=True),
        _leaf("mapping", False, "go on mapping in the given map; without a map a new one is always built"),
        _leaf("save_map_path", "", "folder that ~/save_map and a clean exit write the map to; empty: nowhere", live=True),
        _leaf("autostart", True, "configure and activate by itself, without a lifecycle manager"),
    ),
}  # fmt: skip

"""What a map holds: keyframes, their places, closures, and with what they were made."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..config import BevConfig, Config
from ..errors import MapError
from ..records import Closure, Keyframe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """What of a keyframe is always in memory."""

    id: int
    session: int
    stamp_ns: int
    T_odom_kf: np.ndarray  # (4, 4)
    T_map_kf: np.ndarray  # (4, 4)
    path_m: float
    descriptor: np.ndarray  # (D,) float32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapBundle:
    """A map as it is saved and loaded. `keyframes` has clouds and images; a loaded one reads them on demand."""

    entries: tuple[Entry, ...]  # by id ascending
    keyframes: Mapping[int, Keyframe]
    closures: tuple[Closure, ...]
    bev: BevConfig
    describer: str
    weights_sha256: str | None = None  # of the describer's network; None when it has none

    @property
    def T_map_kf(self) -> dict[int, np.ndarray]:
        """(4, 4) place of every keyframe by id."""
        return {entry.id: entry.T_map_kf for entry in self.entries}


def entry(keyframe: Keyframe, T_map_kf: np.ndarray) -> Entry:
    """What stays in memory of `keyframe`, with its place."""
    return Entry(
        id=keyframe.id,
        session=keyframe.session,
        stamp_ns=keyframe.stamp_ns,
        T_odom_kf=keyframe.T_odom_kf,
        T_map_kf=T_map_kf,
        path_m=keyframe.path_m,
        descriptor=keyframe.descriptor,
    )


def check(bundle: MapBundle, config: Config, describer: str, weights_sha256: str | None = None) -> None:
    """MapError unless images and descriptors made under `config` can be compared with the map's."""
    if bundle.bev != config.bev:
        raise MapError(
            f"the map was made with {_grid(bundle.bev)}, this configuration makes {_grid(config.bev)}; "
            "set section 'bev' to the map's values or make the map anew"
        )
    if bundle.describer != describer:
        raise MapError(
            f"the map's places are described by '{bundle.describer}', this configuration uses '{describer}'; "
            "set place.descriptor to the map's or make the map anew"
        )
    if bundle.weights_sha256 != weights_sha256:
        raise MapError(
            f"the map's descriptors come from other weights ({_short(bundle.weights_sha256)}, "
            f"here {_short(weights_sha256)}); use the map's weights or make the map anew"
        )


def check_alike(a: MapBundle, b: MapBundle) -> None:
    """MapError unless images and descriptors of two maps can be compared."""
    for what, ours, theirs in (
        ("images", _grid(a.bev), _grid(b.bev)),
        ("places", f"described by '{a.describer}'", f"described by '{b.describer}'"),
        ("descriptors", f"of weights {_short(a.weights_sha256)}", f"of weights {_short(b.weights_sha256)}"),
    ):
        if ours != theirs:
            raise MapError(f"the maps' {what} cannot be compared: one has {ours}, the other {theirs}; make one of them anew")


def _grid(bev: BevConfig) -> str:
    return f"images of +-{bev.range_m:g} m at {bev.cell_m:g} m (counts to {bev.max_count})"


def _short(weights_sha256: str | None) -> str:
    return str(weights_sha256)[:12]

"""A run as a recording for the rerun viewer: scans, map points, both trajectories, closures, BEV images, states.

Entities below `map` lie in the map's frame (`map/odom` is T_map_odom, `map/odom/base` the vehicle in it). Needs rerun-sdk.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DependencyError, OutputError
from ..geometry import se3
from ..localizer import Localizer
from ..maps.contents import MapBundle
from ..records import Keyframe, State, Step

FILE = "recording.rrd"
_MOST_SCAN_POINTS = 8000  # of one scan: it is there to be looked at
_MOST_KEYFRAME_POINTS = 3000
_GROWTH, _LEAST = 1.1, 20  # a line is sent again when it has grown so much: all versions of it together stay near its length
_MOVED_M, _TURNED_RAD = 0.05, 0.005  # what a keyframe must have moved to be sent again
_BLUE, _GREEN, _ORANGE, _GREY = (60, 120, 220), (40, 160, 80), (240, 150, 30), (150, 150, 150)


class Recording:
    """Writes one .rrd file while a run goes on."""

    def __init__(self, path: Path, title: str, known_map: MapBundle | None = None) -> None:
        """DependencyError without rerun-sdk, OutputError when the file cannot be written."""
        self._rr = rr = _rerun()
        self._stream = rr.RecordingStream(f"bev_loc: {title}")
        try:
            path.touch()
            self._stream.save(path, default_blueprint=_layout(rr))
        except (OSError, RuntimeError) as error:
            raise OutputError(f"{path}: cannot be written ({error}); name another folder with --out") from None
        self._stream.log("map", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        for entry in known_map.entries if known_map else ():
            points_kf = _thinned(known_map.keyframes[entry.id].points_kf, _MOST_KEYFRAME_POINTS)
            entity = f"map/given/{entry.id:06d}"
            self._stream.log(entity, rr.Points3D(points_kf, colors=_GREY, radii=rr.Radius.ui_points(1.0)), static=True)
            self._stream.log(entity, self._transform(entry.T_map_kf), static=True)
        self._odometry: list[np.ndarray] = []  # (3,) positions in odom
        self._sent = {"map/odometry": 0, "map/trajectory": 0}  # points of each line when it was sent last
        self._shown_T_map_kf: dict[int, np.ndarray] = {}
        self._own: set[int] = set()  # keyframes of this run
        self._state: State | None = None

    def add(self, step: Step, localizer: Localizer) -> None:
        """Everything that one step brought."""
        self._stream.set_time("stamp", timestamp=np.datetime64(step.stamp_ns, "ns"))
        for reason in step.reasons if step.odometry is None else step.odometry.health.reasons:
            self._say(reason, "WARN")
        if step.odometry is not None:
            self._show_vehicle(step)
        if step.state is not self._state:
            self._state = step.state
            self._say(f"state: {step.state.value}", "INFO")
        if step.keyframe is not None:
            self._show_keyframe(step, step.keyframe, localizer)

    def close(self, localizer: Localizer) -> None:
        """The map and the trajectories as they are at the end; then the file is complete."""
        self._show_places(localizer.places())
        self._show_closures(localizer)
        self._line("map/odometry", np.array(self._odometry).reshape(-1, 3), _GREY, last=True)
        self._line("map/trajectory", localizer.trajectory()[1][:, :3, 3], _BLUE, last=True)
        self._stream.flush()
        self._stream.disconnect()

    def _show_vehicle(self, step: Step) -> None:
        rr, odometry = self._rr, step.odometry
        self._odometry.append(odometry.T_odom_base[:3, 3])
        if step.T_map_odom is not None:
            self._stream.log("map/odom", self._transform(step.T_map_odom))
        self._stream.log("map/odom/base", self._transform(odometry.T_odom_base))
        points = _thinned(odometry.points_base, _MOST_SCAN_POINTS)
        self._stream.log("map/odom/base/scan", rr.Points3D(points, colors=_ORANGE, radii=rr.Radius.ui_points(1.5)))
        self._line("map/odometry", self._odometry, _GREY)

    def _show_keyframe(self, step: Step, keyframe: Keyframe, localizer: Localizer) -> None:
        rr = self._rr
        self._own.add(keyframe.id)
        brightest = max(int(keyframe.image.counts.max(initial=0)), 1)
        pixels = (keyframe.image.counts.astype(np.uint16) * 255 // brightest).astype(np.uint8)
        self._stream.log("bev", rr.Image(pixels, color_model="L"))
        for closure in step.closures:
            level = "INFO" if closure.accepted else "DEBUG"
            self._say(f"{closure.query_id} -> {closure.match_id}: {closure.reason} (overlap {closure.overlap:.2f})", level)
        points = _thinned(keyframe.points_kf, _MOST_KEYFRAME_POINTS)
        self._stream.log(_keyframe(keyframe.id), rr.Points3D(points, colors=_by_height(points), radii=rr.Radius.ui_points(1.0)))
        if any(closure.accepted for closure in step.closures):
            self._show_places(localizer.places())
            self._show_closures(localizer)
        elif step.T_map_odom is not None:
            self._show_places({keyframe.id: step.T_map_odom @ keyframe.T_odom_kf})
        if step.T_map_odom is not None and self._is_due("map/trajectory", len(self._odometry)):
            self._line("map/trajectory", localizer.trajectory()[1][:, :3, 3], _BLUE)

    def _show_places(self, T_map_kf: Mapping[int, np.ndarray]) -> None:
        """Where keyframes of this run are, of those that moved."""
        for id in self._own & T_map_kf.keys():
            if not _near(self._shown_T_map_kf.get(id), T_map_kf[id]):
                self._shown_T_map_kf[id] = T_map_kf[id]
                self._stream.log(_keyframe(id), self._transform(T_map_kf[id]))

    def _show_closures(self, localizer: Localizer) -> None:
        T_map_kf = localizer.places()
        ends = [(closure.match_id, closure.query_id) for closure in localizer.closures()]
        strips = [np.stack([T_map_kf[a][:3, 3], T_map_kf[b][:3, 3]]) for a, b in ends if a in T_map_kf and b in T_map_kf]
        if strips:
            self._stream.log("map/closures", self._rr.LineStrips3D(strips, colors=_GREEN))

    def _line(self, entity: str, positions: Any, colour: tuple[int, int, int], *, last: bool = False) -> None:
        if len(positions) and (last or self._is_due(entity, len(positions))):
            self._sent[entity] = len(positions)
            self._stream.log(entity, self._rr.LineStrips3D([np.array(positions)], colors=colour))

    def _is_due(self, entity: str, length: int) -> bool:
        return length >= max(self._sent[entity] * _GROWTH, self._sent[entity] + _LEAST)

    def _transform(self, T_a_b: np.ndarray) -> Any:
        return self._rr.Transform3D(translation=T_a_b[:3, 3], mat3x3=T_a_b[:3, :3])

    def _say(self, text: str, level: str) -> None:
        self._stream.log("log", self._rr.TextLog(text, level=level))


def _rerun() -> Any:
    try:
        import rerun
    except ImportError:
        raise DependencyError("a recording to look at needs rerun-sdk: pip install 'rerun-sdk>=0.41'") from None
    return rerun


def _layout(rr: Any) -> Any:
    """Map on the left; image and log on the right."""
    import rerun.blueprint as blueprint

    side = blueprint.Vertical(
        blueprint.Spatial2DView(origin="bev", name="bird's-eye view"), blueprint.TextLogView(origin="log", name="events")
    )
    return blueprint.Blueprint(blueprint.Horizontal(blueprint.Spatial3DView(origin="map", name="map"), side, column_shares=[3, 1]))


def _near(T_map_a: np.ndarray | None, T_map_b: np.ndarray) -> bool:
    if T_map_a is None:
        return False
    moved_m, turned_rad = se3.distance(T_map_a, T_map_b)
    return bool(moved_m < _MOVED_M and turned_rad < _TURNED_RAD)


def _keyframe(id: int) -> str:
    return f"map/keyframes/{id:06d}"


def _thinned(points: np.ndarray, most: int) -> np.ndarray:
    return points[:: max(1, -(-len(points) // most))]


def _by_height(points: np.ndarray) -> np.ndarray:
    """(N, 3) uint8: low dark blue, high light yellow."""
    share = np.clip((points[:, 2] + 2.0) / 8.0, 0.0, 1.0)[:, None]
    return ((1.0 - share) * np.array([40, 50, 120]) + share * np.array([250, 230, 120])).astype(np.uint8)

"""What localization shows of the map: path, map cloud, BEV image, closures, state. The pose is in `pose_outputs`."""

import time
from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Point
from nav_msgs.msg import Path
from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import ColorRGBA, String
from visualization_msgs.msg import Marker, MarkerArray

from ..config import RosConfig
from ..localizer import Localizer
from ..maps.contents import MapBundle
from ..records import Closure, State, Step
from . import qos
from .conversions import cloud_message, header, image_message, path_message
from .map_cloud import MapCloud

_PATH_PERIOD_S = 1.0
_MOST_CLOSURES = 1000  # drawn of those in the map
_LEAST_PAUSE = 20.0  # times what the last one took: however big the map, drawing it stays below 5 % of one core
_LOOP_COLOUR = ColorRGBA(r=0.1, g=0.8, b=0.2, a=0.9)
_HIT_COLOUR = ColorRGBA(r=1.0, g=0.6, b=0.0, a=0.9)
_STATE_COLOURS = {
    State.TRACKING: ColorRGBA(r=0.2, g=0.9, b=0.3, a=1.0),
    State.SEARCHING: ColorRGBA(r=1.0, g=0.8, b=0.1, a=1.0),
    State.LOST: ColorRGBA(r=1.0, g=0.2, b=0.2, a=1.0),
}
_TEXT_M = 2.0  # height of its letters, and how far it floats above the vehicle


class Pace:
    """When something may be shown again: after its period in the stamps' time, and never at a cost that adds up."""

    def __init__(self) -> None:
        self._shown_ns = -(2**62)
        self._rested_s = 0.0  # on the monotonic clock

    def due(self, stamp_ns: int, period_s: float) -> bool:
        """Whether it is time; stamps that went back begin anew."""
        passed = not self._shown_ns <= stamp_ns < self._shown_ns + period_s * 1e9
        return passed and time.monotonic() >= self._rested_s

    def shown(self, stamp_ns: int, since_s: float) -> None:
        """It was made and sent since `since_s` (monotonic)."""
        now_s = time.monotonic()
        self._shown_ns, self._rested_s = stamp_ns, now_s + _LEAST_PAUSE * (now_s - since_s)


class MapOutputs:
    """Publishers of the localization node; nothing goes out before the place in the map is known."""

    def __init__(self, node: Node, config: RosConfig) -> None:
        self._config = config
        self._state = node.create_publisher(String, "state", qos.LATCHED)
        self._state_text = node.create_publisher(Marker, "state_text", qos.LATCHED)
        self._shown_state: State | None = None
        self._path = node.create_publisher(Path, "path", qos.LATCHED)
        self._map_points = node.create_publisher(PointCloud2, "map_points", qos.LATCHED)
        self._image = node.create_publisher(Image, "bev_image", qos.RESULT)
        self._closures = node.create_publisher(MarkerArray, "loop_closures", qos.LATCHED)
        self._cloud = MapCloud()
        self._map_pace, self._path_pace = Pace(), Pace()

    def start(self, localizer: Localizer, known_map: MapBundle | None) -> None:
        """A new localizer: show its state and the map it was given."""
        self._cloud, self._map_pace, self._path_pace = MapCloud(), Pace(), Pace()
        self._show_state(localizer.state)
        if known_map is not None:
            for entry in known_map.entries:
                self._cloud.add(entry.id, known_map.keyframes[entry.id].points_kf)
            points_map = self._cloud.points_map(known_map.T_map_kf)
            self._map_points.publish(cloud_message(points_map, 0, self._config.map_frame))

    def show(self, localizer: Localizer, step: Step) -> None:
        """Publish what one step brought."""
        self._show_state(step.state)
        if step.keyframe is None:
            return
        self._image.publish(image_message(step.keyframe.image, step.stamp_ns, self._config.base_frame))
        self._cloud.add(step.keyframe.id, step.keyframe.points_kf)
        if step.T_map_odom is None:
            return
        if self._path_pace.due(step.stamp_ns, _PATH_PERIOD_S):
            self._show_path(localizer, step.stamp_ns)
        map_due = self._map_pace.due(step.stamp_ns, self._config.map_points_period_s)
        if map_due or any(closure.accepted for closure in step.closures):
            self._show_map(localizer, step, with_points=map_due)

    def _show_state(self, state: State) -> None:
        """Every time for machines, and for people as a word above the vehicle when it changed."""
        self._state.publish(String(data=state.value))
        if state is self._shown_state:
            return
        self._shown_state = state
        text = Marker(header=header(0, self._config.base_frame), ns="state", type=Marker.TEXT_VIEW_FACING, text=state.value)
        text.color, text.frame_locked, text.pose.orientation.w = _STATE_COLOURS[state], True, 1.0
        text.scale.z = text.pose.position.z = _TEXT_M
        self._state_text.publish(text)

    def _show_path(self, localizer: Localizer, stamp_ns: int) -> None:
        begin_s = time.monotonic()
        stamps_ns, T_map_base = localizer.trajectory()
        if len(stamps_ns):
            self._path.publish(path_message(stamps_ns, T_map_base, self._config.map_frame))
        self._path_pace.shown(stamp_ns, begin_s)

    def _show_map(self, localizer: Localizer, step: Step, *, with_points: bool) -> None:
        begin_s, T_map_kf, keyframe = time.monotonic(), localizer.places(), step.keyframe
        if with_points:
            points_map = self._cloud.points_map(T_map_kf)
            self._map_points.publish(cloud_message(points_map, step.stamp_ns, self._config.map_frame))
        accepted = [closure for closure in step.closures if closure.accepted]
        here = {keyframe.id: step.T_map_odom @ keyframe.T_odom_kf}
        loops = localizer.closures()
        markers = [
            self._lines("loops", step.stamp_ns, loops[:: -(-len(loops) // _MOST_CLOSURES) or 1], T_map_kf, _LOOP_COLOUR),
            self._lines("hits", step.stamp_ns, accepted, T_map_kf | here, _HIT_COLOUR),
        ]
        self._closures.publish(MarkerArray(markers=markers))
        if with_points:
            self._map_pace.shown(step.stamp_ns, begin_s)

    def _lines(self, name: str, stamp_ns: int, closures: Iterable[Closure], T_map_kf: dict[int, np.ndarray], colour: ColorRGBA) -> Marker:
        marker = Marker(header=header(stamp_ns, self._config.map_frame), ns=name, type=Marker.LINE_LIST, color=colour)
        marker.scale.x, marker.pose.orientation.w = 0.3, 1.0
        marker.points = [
            Point(**dict(zip("xyz", T_map_kf[id][:3, 3].tolist())))
            for closure in closures
            if closure.query_id in T_map_kf and closure.match_id in T_map_kf
            for id in (closure.query_id, closure.match_id)
        ]
        marker.action = Marker.ADD if marker.points else Marker.DELETE
        return marker

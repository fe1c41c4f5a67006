"""What localization shows: pose, path, map cloud, BEV image, closures, state."""

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Point, PoseWithCovarianceStamped
from nav_msgs.msg import Path
from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import ColorRGBA, String
from visualization_msgs.msg import Marker, MarkerArray

from ..config import RosConfig
from ..localizer import Localizer
from ..maps.contents import MapBundle
from ..records import Closure, Keyframe, Step
from . import qos
from .conversions import cloud_message, header, image_message, path_message, pose_with_covariance
from .map_cloud import MapCloud
from .tf import Tf

_PATH_PERIOD_S = 1.0
_LOOP_COLOUR = ColorRGBA(r=0.1, g=0.8, b=0.2, a=0.9)
_HIT_COLOUR = ColorRGBA(r=1.0, g=0.6, b=0.0, a=0.9)


class MapOutputs:
    """The publishers of the localization node; nothing goes out before the place in the map is known."""

    def __init__(self, node: Node, config: RosConfig, tf: Tf) -> None:
        self._config = config
        self._tf = tf
        self._state = node.create_publisher(String, "state", qos.LATCHED)
        self._pose = node.create_publisher(PoseWithCovarianceStamped, "pose", qos.RESULT)
        self._path = node.create_publisher(Path, "path", qos.LATCHED)
        self._map_points = node.create_publisher(PointCloud2, "map_points", qos.LATCHED)
        self._image = node.create_publisher(Image, "bev_image", qos.RESULT)
        self._closures = node.create_publisher(MarkerArray, "loop_closures", qos.LATCHED)
        self._cloud = MapCloud()
        self._map_points_ns = -(2**62)  # stamp of the last map cloud
        self._path_ns = -(2**62)

    def start(self, localizer: Localizer, known_map: MapBundle | None) -> None:
        """A new localizer: show its state and the map it was given."""
        self._cloud = MapCloud()
        self._map_points_ns = self._path_ns = -(2**62)
        self._state.publish(String(data=localizer.state.value))
        if known_map is not None:
            for entry in known_map.entries:
                self._cloud.add(entry.id, known_map.keyframes[entry.id].points_kf)
            points_map = self._cloud.points_map(known_map.T_map_kf)
            self._map_points.publish(cloud_message(points_map, 0, self._config.map_frame))

    def show(self, localizer: Localizer, step: Step) -> None:
        """Publish what one step brought."""
        frames, T_map_odom, odometry = self._config, step.T_map_odom, step.odometry
        self._state.publish(String(data=step.state.value))
        if step.keyframe is not None:
            self._image.publish(image_message(step.keyframe.image, step.stamp_ns, frames.base_frame))
            self._cloud.add(step.keyframe.id, step.keyframe.points_kf)
        if T_map_odom is None or odometry is None:
            return
        T_map_base = T_map_odom @ odometry.T_odom_base
        if frames.standalone_tf:
            self._tf.send(T_map_base, step.stamp_ns, frames.map_frame, frames.base_frame)
        else:
            self._tf.send(T_map_odom, step.stamp_ns, frames.map_frame, frames.odom_frame)
        self._pose.publish(pose_with_covariance(T_map_base, odometry.covariance, step.stamp_ns, frames.map_frame))
        if step.keyframe is not None:
            self._show_map(localizer, step, step.keyframe)

    def _show_map(self, localizer: Localizer, step: Step, keyframe: Keyframe) -> None:
        map_frame = self._config.map_frame
        if self._due(step.stamp_ns, self._path_ns, _PATH_PERIOD_S):
            self._path_ns = step.stamp_ns
            stamps_ns, T_map_base = localizer.trajectory()
            if len(stamps_ns):
                self._path.publish(path_message(stamps_ns, T_map_base, map_frame))
        accepted = [closure for closure in step.closures if closure.accepted]
        map_due = self._due(step.stamp_ns, self._map_points_ns, self._config.map_points_period_s)
        if not (accepted or map_due):
            return
        bundle = localizer.bundle()
        T_map_kf = bundle.T_map_kf
        if map_due:
            self._map_points_ns = step.stamp_ns
            self._map_points.publish(cloud_message(self._cloud.points_map(T_map_kf), step.stamp_ns, map_frame))
        here = {keyframe.id: step.T_map_odom @ keyframe.T_odom_kf}
        markers = [
            self._lines("loops", step.stamp_ns, bundle.closures, T_map_kf, _LOOP_COLOUR),
            self._lines("hits", step.stamp_ns, accepted, T_map_kf | here, _HIT_COLOUR),
        ]
        self._closures.publish(MarkerArray(markers=markers))

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

    @staticmethod
    def _due(now_ns: int, last_ns: int, period_s: float) -> bool:
        return not last_ns <= now_ns < last_ns + period_s * 1e9

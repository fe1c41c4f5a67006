"""Deskewed clouds and odometry in; the place in the map out. A lifecycle node that starts by itself."""

from ..thread_environment import set_thread_environment

set_thread_environment()  # numpy's thread pools read it once, when they load

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry as OdometryMessage
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import Trigger

from ..clouds.damaged import DamagedScan
from ..errors import BevLocError
from ..localizer import Localizer
from ..maps.bundle import load_map, save_map
from ..maps.folder import make_folder
from ..records import State, Step
from . import diagnostics, qos
from .conversions import odometry_record, pose_matrix, stamp_ns
from .managed_node import ManagedNode
from .map_outputs import MapOutputs
from .pairing import Pairing
from .params import Parameters
from .runner import run
from .tf import Tf
from .warm_up import warm_up_localizer
from .worker import Worker

_MOST_WAITING = 30  # pairs: a keyframe with a closure may take as long as several scans
Pair = tuple[OdometryMessage, PointCloud2]


class LocalizationNode:
    """`cloud_deskewed`, `odometry`, `initialpose` -> `pose`, `path`, the map, TF map -> odom; services."""

    def __init__(self) -> None:
        self.finished = False
        self.node = ManagedNode("localization_node", self)
        self._parameters = Parameters(self.node, "localization_node")
        config = self._parameters.config
        warm_up_localizer(config)
        self._outputs = MapOutputs(self.node, config.ros, Tf(self.node, send=config.ros.publish_tf, listen=False))
        self._localizer: Localizer | None = None
        self._worker: Worker[Pair] | None = None
        self._counts: Counter[str] = Counter()
        self._last: Step | None = None
        self._pairs: Pairing[OdometryMessage, PointCloud2] = Pairing()
        self._diagnostics = diagnostics.Diagnostics(self.node, self._report)
        for name, action in (("save_map", self._save_map), ("load_map", self._load_map),
                             ("relocalize", self._relocalize), ("reset", self._reset)):  # fmt: skip
            self.node.create_service(Trigger, f"~/{name}", self._answering(action))
        if self._parameters.own("autostart"):
            self.node.autostart()

    def configure(self) -> None:
        """Load the map, check that one can be saved."""
        save_path = self._parameters.own("save_map_path")
        if save_path:
            make_folder(Path(save_path).expanduser())
        self._begin()

    def activate(self) -> None:
        """Listen and publish."""
        self._worker = Worker("localization", self._on_pair, _MOST_WAITING)
        self._clouds = qos.CloudSubscription(self.node, "cloud_deskewed", self._on_cloud)
        self._odometry = self.node.create_subscription(OdometryMessage, "odometry", self._on_odometry, qos.RESULT)
        self._hints = self.node.create_subscription(PoseWithCovarianceStamped, "initialpose", self._on_hint, qos.RESULT)

    def deactivate(self) -> None:
        """Stop listening; the map stays."""
        if self._worker is None:
            return
        self._clouds.close()
        for subscription in (self._odometry, self._hints):
            self.node.destroy_subscription(subscription)
        self._worker.stop()
        self._counts.update({"too slow": self._worker.dropped})
        self._worker = None

    def cleanup(self) -> None:
        """Forget the map."""
        self._localizer = self._last = None

    def close(self) -> None:
        """Finish the pair in hand, save the map if a place was named, say the final counts."""
        self.deactivate()
        if self._localizer is not None and self._parameters.own("save_map_path"):
            self.node.get_logger().info(self._save_map())
        self._diagnostics.publish()

    def _begin(self) -> None:
        """A fresh localizer, with the map that parameter 'map' names."""
        path = self._parameters.own("map")
        known_map = load_map(Path(path).expanduser()) if path else None
        self._localizer = Localizer(
            self._parameters.config, known_map=known_map, extend=self._parameters.own("mapping")
        )
        self._last = None
        self._outputs.start(self._localizer, known_map)

    def _on_odometry(self, message: OdometryMessage) -> None:
        self._offer(self._pairs.add_first(stamp_ns(message.header.stamp), message))

    def _on_cloud(self, message: PointCloud2) -> None:
        self._offer(self._pairs.add_second(stamp_ns(message.header.stamp), message))

    def _offer(self, pair: Pair | None) -> None:
        if pair is not None:
            self._worker.offer(pair)

    def _on_pair(self, pair: Pair) -> None:
        try:
            odometry = odometry_record(*pair)
        except DamagedScan as error:
            self._refuse(error.kind, error.reason)
            return
        if odometry is None:
            self._refuse("pose not finite", "the pose on 'odometry' is no rigid motion")
            return
        before = self._localizer.state
        step = self._localizer.on_odometry(odometry)
        self._last = step
        self._counts["processed"] += 1
        self._counts["keyframes"] += step.keyframe is not None
        self._counts.update(f"closure {closure.reason}" for closure in step.closures)
        self._counts.update(step.reasons)
        if step.state != before:
            self.node.get_logger().info(f"{before.value} -> {step.state.value}")
        self._outputs.show(self._localizer, step)

    def _refuse(self, kind: str, reason: str) -> None:
        self._counts[kind] += 1
        self.node.get_logger().warning(f"odometry dropped: {reason}", throttle_duration_sec=5.0)

    def _on_hint(self, message: PoseWithCovarianceStamped) -> None:
        T_map_base, map_frame = pose_matrix(message.pose.pose), self._parameters.config.ros.map_frame
        if T_map_base is None or message.header.frame_id not in ("", map_frame):
            self.node.get_logger().warning(f"initial pose ignored: expected a finite pose in '{map_frame}'")
            return
        try:
            with self._worker.lock:
                self._localizer.hint(T_map_base)
        except BevLocError as error:
            self.node.get_logger().warning(f"initial pose ignored: {error}")

    def _save_map(self) -> str:
        path = self._parameters.own("save_map_path")
        if not path:
            raise BevLocError("parameter 'save_map_path' is empty: set it to a folder first")
        bundle = self._running().bundle()
        save_map(Path(path).expanduser(), bundle)
        return f"map with {len(bundle.entries)} keyframes and {len(bundle.closures)} closures saved to {path}"

    def _load_map(self) -> str:
        path = self._parameters.own("map")
        if not path:
            raise BevLocError("parameter 'map' is empty: set it to a map folder first")
        self._running()
        self._begin()
        return f"map {path} loaded; searching for the place in it"

    def _relocalize(self) -> str:
        self._running().relocalize()
        return f"searching; state: {self._localizer.state.value}"

    def _reset(self) -> str:
        self._running()
        self._begin()
        return "started anew" + (" with the given map" if self._parameters.own("map") else ", with an empty map")

    def _running(self) -> Localizer:
        if self._localizer is None:
            raise BevLocError("the node is not configured; configure it first")
        return self._localizer

    def _answering(self, action: Callable[[], str]) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        """A service: what the action says, or the sentence of its error; never while a pair is in hand."""

        def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            try:
                with self._worker.lock if self._worker is not None else nullcontext():
                    response.message = action()
                response.success = True
            except BevLocError as error:
                response.message = str(error)
            return response

        return answer

    def _report(self) -> diagnostics.Report:
        worker, last = self._worker, self._last
        state = last.state if last is not None else State.SEARCHING
        values = {
            "state": state.value if last is not None else "nothing received yet",
            "received": worker.offered if worker is not None else 0,
            "dropped: too slow": self._counts["too slow"] + (worker.dropped if worker is not None else 0),
            "dropped: cloud or odometry missing": self._pairs.unpaired,
            **{name: count for name, count in sorted(self._counts.items()) if name != "too slow"},
        }
        if worker is None:
            return diagnostics.Report(level=diagnostics.WARN, message="not active", values=values)
        level = diagnostics.OK if state is State.TRACKING and last is not None else diagnostics.WARN
        return diagnostics.Report(level=level, message=str(values["state"]), values=values)


def main() -> None:
    """The executable; ends the process."""
    raise SystemExit(run(LocalizationNode))


if __name__ == "__main__":
    main()

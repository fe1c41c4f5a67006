"""Deskewed clouds and odometry in; the place in the map out. A lifecycle node that starts by itself."""

from ..thread_environment import set_thread_environment
from .client_library import require_ros

set_thread_environment()  # numpy's thread pools read it once, when they load
require_ros()

import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TypeVar

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry as OdometryMessage
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from ..clouds.damaged import DamagedScan
from ..config import Config
from ..errors import BevLocError
from ..localizer import RESTARTED
from . import diagnostics, qos
from .conversions import odometry_record, pose_matrix, stamp_ns
from .localization_report import LocalizationReport
from .managed_node import ManagedNode
from .map_outputs import MapOutputs
from .pairing import Pairing
from .params import Parameters
from .pose_outputs import PoseOutputs
from .runner import run
from .session import Session
from .tf import Tf
from .time_jump import StampOrder, on_backward_jump
from .warm_up import warm_up_localizer
from .watched_topic import WatchedTopic
from .worker import Worker

Pair = tuple[OdometryMessage, PointCloud2]
Said = TypeVar("Said")
_MOST_WAITING = 30  # pairs: in a large map a closure may take seconds; after three of them the drive is thinned out
_SWITCH_S = 5e-4  # until the worker lets a callback in: a pose needs several turns, not 5 ms each, Python's default
_NICE = 5  # of the worker: keyframes can wait, the next scan and its pose cannot


class LocalizationNode:
    """`cloud_deskewed`, `odometry`, `initialpose` -> `pose`, `path`, the map, TF map -> odom; services."""

    def __init__(self) -> None:
        self.finished = False
        self.node = ManagedNode("localization_node", self)
        self._parameters = Parameters(self.node, "localization_node")
        self._parameters.on_change = self._on_change
        config = self._parameters.config
        self._poses = PoseOutputs(self.node, config, Tf(self.node, send=config.ros.publish_tf, listen=False))
        self._outputs = MapOutputs(self.node, config.ros)
        self._session = Session(self._parameters, self._outputs, self._say_error)
        self._worker: Worker[Pair] | None = None
        self._pairs: Pairing[OdometryMessage, PointCloud2] = Pairing()
        self._reported = LocalizationReport()
        self._stamps = StampOrder()
        self._begun_ns: deque[int] = deque()  # stamps of poses with which the odometry began, until the worker comes to them
        self._jumps = on_backward_jump(self.node, self._on_jump)
        self._diagnostics = diagnostics.Diagnostics(self.node, self._report)
        services = {"save_map": self._session.save, "load_map": self._moving(self._session.load),
                    "relocalize": self._moving(self._session.relocalize), "reset": self._moving(self._session.reset)}  # fmt: skip
        for name, action in services.items():
            self.node.create_service(Trigger, f"~/{name}", self._answering(action))
        if self._parameters.own("autostart"):
            self.node.autostart()

    def configure(self) -> None:
        """Load the map, check that one can be saved, compile what will be needed."""
        self._moving(self._session.begin)()
        warm_up_localizer(self._parameters.config)

    def activate(self) -> None:
        """Listen and publish."""
        self._worker = Worker("localization", self._on_pair, _MOST_WAITING, _NICE, thin_out=True)
        self._watched = (WatchedTopic(self.node, "odometry", OdometryMessage), WatchedTopic(self.node, "cloud_deskewed", PointCloud2))
        # in this order: when several have come, the executor takes them in the order of their subscriptions
        self._begins = self.node.create_subscription(Header, "odometry_begun", self._on_begun, qos.RESULT)
        self._odometry = self.node.create_subscription(OdometryMessage, "odometry", self._on_odometry, qos.RESULT)
        self._clouds = qos.CloudSubscription(self.node, "cloud_deskewed", self._on_cloud)
        self._hints = self.node.create_subscription(PoseWithCovarianceStamped, "initialpose", self._on_hint, qos.RESULT)

    def deactivate(self) -> None:
        """Stop listening; the map stays."""
        if self._worker is None:
            return
        self._clouds.close()
        for subscription in (self._odometry, self._begins, self._hints):
            self.node.destroy_subscription(subscription)
        worker, self._worker = self._worker, None
        worker.stop()
        self._reported.stopped(worker)

    def cleanup(self) -> None:
        """Forget the map."""
        self._session.end()
        self._poses.forget()
        self._reported.last = None

    def close(self) -> None:
        """Finish the pair in hand, save the map if a folder was named, say the final counts."""
        self.deactivate()
        saved = self._session.save_if_wanted()
        if saved:
            self.node.get_logger().info(saved)
        self._diagnostics.publish()

    def _on_change(self, config: Config) -> None:
        with self._idle():
            self._session.reconfigure(config)

    def _on_jump(self, back_s: float) -> None:
        if self._worker is not None:
            self._worker.clear()
            with self._worker.lock:
                self._begin_drive(f"/clock jumped back by {back_s:.1f} s")

    def _begin_drive(self, why: str) -> None:
        """What comes next is another drive, in the map as it stands."""
        self._stamps.forget()
        self._reported.last = None
        self._reported.counts["time went back"] += 1
        self._poses.forget()
        self.node.get_logger().warning(f"{why}: {self._moving(self._session.begin_drive)()}")

    def _on_odometry(self, message: OdometryMessage) -> None:
        self._watched[0].seen()
        self._poses.on_odometry(message)
        self._offer(self._pairs.add_first(stamp_ns(message.header.stamp), message))

    def _on_begun(self, message: Header) -> None:
        begun_ns = stamp_ns(message.stamp)
        self._begun_ns.append(begun_ns)
        self._poses.on_begun(begun_ns)

    def _on_cloud(self, message: PointCloud2) -> None:
        self._watched[1].seen()
        self._offer(self._pairs.add_second(stamp_ns(message.header.stamp), message))

    def _offer(self, pair: Pair | None) -> None:
        if pair is not None:
            self._worker.offer(pair)

    def _on_pair(self, pair: Pair) -> None:
        base_frame = self._parameters.config.ros.base_frame
        frames = {pair[0].child_frame_id, pair[1].header.frame_id}
        if frames != {base_frame}:
            named = " and ".join(f"'{frame}'" for frame in sorted(frames))
            self._refuse("foreign frame", f"expected odometry and cloud of '{base_frame}', got {named}; set ros.base_frame")
            return
        try:
            odometry = odometry_record(*pair)
        except DamagedScan as error:
            self._refuse(error.kind, error.reason)
            return
        if odometry is None:
            self._refuse("pose not finite", "the pose on 'odometry' is no rigid motion")
            return
        back_s = self._stamps.back_s(odometry.stamp_ns)
        if back_s:
            self._begin_drive(f"stamps on 'odometry' jumped back by {back_s:.1f} s")
        if self._has_begun(odometry.stamp_ns) and self._reported.last is not None:
            odometry = replace(odometry, health=replace(odometry.health, reasons=(RESTARTED,)))
            self.node.get_logger().warning("the odometry began anew: its place is searched in the map")
        localizer = self._session.localizer
        before, begin_s = localizer.state, time.monotonic()
        step = localizer.on_odometry(odometry)
        took_s = time.monotonic() - begin_s
        self._poses.place(step.T_map_odom, step.fit, pair[0])
        self._reported.take(step, took_s)
        if step.state != before:
            self.node.get_logger().info(f"{before.value} -> {step.state.value}")
        self._outputs.show(localizer, step)
        self._session.keep(step)

    def _has_begun(self, stamp_ns: int) -> bool:
        """Whether the odometry began since the pair before the one of this stamp; said once."""
        reached_ns = [begun_ns for begun_ns in tuple(self._begun_ns) if begun_ns <= stamp_ns]  # callbacks add meanwhile
        for begun_ns in reached_ns:
            self._begun_ns.remove(begun_ns)
        return bool(reached_ns)

    def _say_error(self, sentence: str) -> None:
        self.node.get_logger().error(sentence)

    def _refuse(self, kind: str, reason: str) -> None:
        self._reported.counts[f"dropped: {kind}"] += 1
        self.node.get_logger().warning(f"odometry dropped: {reason}", throttle_duration_sec=5.0)

    def _on_hint(self, message: PoseWithCovarianceStamped) -> None:
        T_map_base, map_frame = pose_matrix(message.pose.pose), self._parameters.config.ros.map_frame
        try:
            if T_map_base is None or message.header.frame_id not in ("", map_frame):
                raise BevLocError(f"expected a finite pose in '{map_frame}', got one in '{message.header.frame_id}'")
            with self._idle():
                self._session.hint(T_map_base)
        except BevLocError as error:
            self.node.get_logger().warning(f"initial pose ignored: {error}")

    def _moving(self, action: Callable[[], Said]) -> Callable[[], Said]:
        """`action`, after which poses follow the place that the session knows then."""

        def act() -> Said:
            said = action()
            self._poses.place(self._session.localizer.T_map_odom)
            return said

        return act

    def _answering(self, action: Callable[[], str]) -> Callable[[Trigger.Request, Trigger.Response], Trigger.Response]:
        """A service that says what the action says, or the sentence of its error."""

        def answer(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            try:
                with self._idle():
                    response.message = action()
                response.success = True
            except BevLocError as error:
                response.message = str(error)
            return response

        return answer

    def _idle(self):
        """While it is held, no pair is in hand."""
        return nullcontext() if self._worker is None else self._worker.lock

    def _report(self) -> diagnostics.Report:
        worker, unpaired = self._worker, self._pairs.unpaired
        if worker is None:
            return self._reported.inactive(unpaired)
        return self._reported.active(unpaired, worker, *self._watched, self._poses.delay_ms)


def main() -> None:
    """The executable; ends the process."""
    sys.setswitchinterval(_SWITCH_S)
    raise SystemExit(run(LocalizationNode))


if __name__ == "__main__":
    main()

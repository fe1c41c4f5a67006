"""The system: odometry, keyframes, place recognition, verification, pose graph, and T_map_odom.

Three ways to use it. *Map*: no map is given; one is built, loops are closed. *Localize*: a map is given;
the vehicle finds itself without an initial pose, tracks, notices when it is lost. *Extend*: a map is
given and mapped on; the new session is joined to it once it has found itself.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .back_end import BackEnd, Outcome
from .config import Config
from .config_io import leaves
from .errors import BevLocError, ConfigError, MapError
from .history import History
from .maps.contents import MapBundle, check
from .odometry.lio import Lio
from .odometry.map_fit import RESTARTED
from .place.describe import make_describer
from .records import Candidate, Closure, Dropped, ImuSample, Keyframe, LidarScan, Odometry, State, Step
from .searching import Search
from .stages import Stages
from .standing_map import StandingMap
from .tracking import MISFIT
from .verify.verifier import Verifier

_WATCH_S, _DOUBT_S = 1.0, 0.2  # between two looks at the map while the vehicle is where it thinks, and while that is in doubt


class Localizer:
    """Scans and IMU samples, or odometry, in; a place in the map out. Reads no clock unless one is given."""

    def __init__(
        self,
        config: Config,
        *,
        T_base_lidar: np.ndarray = np.eye(4),
        T_base_imu: np.ndarray = np.eye(4),
        known_map: MapBundle | None = None,
        extend: bool = False,
        clock: Callable[[], float] | None = None,
        remembered_poses: int | None = None,
    ) -> None:
        """`remembered_poses` bounds what `trajectory` can still tell, for robots that drive for days; None: all of it."""
        self._config, self._clock, self._known_map = config, clock, known_map
        self._mapping = known_map is None or extend
        describer = make_describer(config.place, config.bev)
        if known_map is not None:
            check(known_map, config, describer.name)
        entries = known_map.entries if known_map is not None else ()
        self._lio = Lio(
            config.odometry, T_base_lidar=T_base_lidar, T_base_imu=T_base_imu, initial_rpy=config.input.initial_rpy
        )
        self._search = Search(config, describer.dimension, entries, mapping=self._mapping)
        self._verifier = Verifier(config.verify, config.bev)
        self._back_end = BackEnd(config, known_map, mapping=self._mapping)
        self._map = StandingMap(config, known_map, describer, self._back_end.graph, mapping=self._mapping)
        self._keyframes = self._map.keyframes
        self._history = History(remembered_poses)
        self._next_id = self._map.free_id
        self._last_ns: int | None = None
        self._hint: np.ndarray | None = None  # T_map_base as a person sees it
        self._keyframe_now = False  # however short the way since the last one
        self._doubtful = False  # the last keyframe did not fit the map where it is tracked

    @property
    def state(self) -> State:
        """Whether the place in the map is known; in a map that is built from nothing it always is."""
        return self._back_end.state

    @property
    def T_map_odom(self) -> np.ndarray | None:
        """(4, 4) correction of the odometry; None while the place in the map is unknown."""
        return self._back_end.T_map_odom

    def on_imu(self, sample: ImuSample) -> None:
        """Take one IMU sample."""
        self._lio.on_imu(sample)

    def on_scan(self, scan: LidarScan) -> Step:
        """Take one scan: odometry, then everything else."""
        stages = Stages(self._clock)
        odometry = self._lio.on_scan(scan)
        stages.mark("odometry")
        if isinstance(odometry, Dropped):
            return self._step(scan.stamp_ns, None, stages, reasons=(odometry.kind,))
        return self._advance(odometry, stages)

    def on_odometry(self, odometry: Odometry) -> Step:
        """Take a pose with its cloud, from whatever odometry."""
        return self._advance(odometry, Stages(self._clock))

    def _advance(self, odometry: Odometry, stages: Stages) -> Step:
        fault = self._fault(odometry)
        if fault:
            return self._step(odometry.stamp_ns, None, stages, reasons=(fault,))
        self._last_ns = odometry.stamp_ns
        if RESTARTED in odometry.health.reasons:
            self._back_end.restart()
            self._search.begin_session()
            self._keyframe_now = True
        if not self._is_due(odometry):
            self._history.add(odometry, None)
            return self._step(odometry.stamp_ns, odometry, stages)

        keyframe = self._keyframes.make(odometry, id=self._next_id, session=self._back_end.session)
        stages.mark("describe")
        expected = self._expected(odometry)
        near = self._search.near(keyframe, expected)
        closures = self._verify(keyframe, near)
        stages.mark("verify near")
        if self._mapping or not any(closure.accepted for closure in closures):  # else it is where it was expected
            alike = self._search.alike(keyframe, near, wide=not expected)
            stages.mark("search")
            closures += self._verify(keyframe, alike)
            stages.mark("verify")
        map_near = any(self._search.around(T_map_kf) for T_map_kf in expected)
        outcome = self._back_end.take(keyframe, closures, T_map_hint=self._hint, map_near=map_near)
        stages.mark("graph")

        self._remember(odometry, outcome)
        return self._step(
            odometry.stamp_ns,
            odometry,
            stages,
            keyframe=outcome.keyframe,
            closures=outcome.closures,
            reasons=outcome.reasons,
        )

    def reconfigure(self, config: Config) -> None:
        """Other values of `live` tunables from the next scan on; ConfigError names one that needs a new localizer."""
        for old, new in zip(leaves(self._config), leaves(config)):
            if old.value != new.value and not new.live:
                raise ConfigError(f"{new.key} cannot change while running (here from {old.value} to {new.value}); begin anew for it")
        self._config = config
        self._keyframes.reconfigure(config.keyframes)
        self._search.reconfigure(config.place)
        self._verifier = Verifier(config.verify, config.bev)
        self._back_end.reconfigure(config.localization)

    def relocalize(self) -> None:
        """Forget the place and search the given map for it; without one there is nothing to search."""
        self._back_end.relocalize()
        self._keyframe_now = True

    def hint(self, T_map_base: np.ndarray) -> None:
        """Where a person says the base is. The next pose is compared with the map there; never trusted."""
        if T_map_base.shape != (4, 4) or not np.isfinite(T_map_base).all():
            raise BevLocError(f"a hint must be a finite 4 x 4 pose T_map_base, got {T_map_base!r}")
        if self._known_map is None:
            raise BevLocError("a hint is compared with a loaded map, and none is loaded; give one with --map")
        self._hint, self._keyframe_now = T_map_base, True

    def put_away(self, id: int, file: Path, sha256: str) -> None:
        """Keyframe `id` of this run is in `file` on the disk now: from here on it is read from there."""
        self._map.put_away(id, file, sha256)

    def trajectory(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) stamps and (N, 4, 4) T_map_base of every pose whose place is known, as the graph sees it now."""
        return self._history.resolve(self._back_end.graph.T_map_kf)

    def places(self) -> dict[int, np.ndarray]:
        """(4, 4) T_map_kf by id of every keyframe of the map as it stands; cheaper than `bundle`."""
        return self._map.places()

    def closures(self) -> tuple[Closure, ...]:
        """The map's closures, as `bundle` has them."""
        return self._map.closures()

    def bundle(self) -> MapBundle:
        """The map as it stands: what `save_map` writes. While only localizing, the map that was given."""
        return self._map.bundle()

    def _is_due(self, odometry: Odometry) -> bool:
        """Whether to make a keyframe: often while the place is sought or in doubt, and by time while it is tracked.

        A vehicle that was carried away while it stands is noticed too, and within seconds however slow it drives.
        """
        tracking = self.state is State.TRACKING
        after_s = None
        if tracking and not self._mapping:
            after_s = _DOUBT_S if self._doubtful else _WATCH_S
        dense = not tracking or self._doubtful
        return self._keyframes.is_due(odometry, now=self._keyframe_now, dense=dense, after_s=after_s)

    def _fault(self, odometry: Odometry) -> str:
        """What makes a pose unusable, as a short counted key; empty when nothing does."""
        if not np.isfinite(odometry.T_odom_base).all():
            return "pose not finite"
        if self._last_ns is not None and odometry.stamp_ns <= self._last_ns:
            return "stamp went back"
        return ""

    def _expected(self, odometry: Odometry) -> list[np.ndarray]:
        """T_map_kf as a hint has it, and as tracking has it."""
        tracked = [] if self.T_map_odom is None else [self.T_map_odom @ odometry.T_odom_base]
        return tracked if self._hint is None else [self._hint, *tracked]

    def _verify(self, keyframe: Keyframe, candidates: list[Candidate]) -> tuple[Closure, ...]:
        """What verification says of every candidate."""
        return self._verifier.verify_best(candidates, keyframe, self._readable, self._keyframes.submap_kf)

    def _readable(self, id: int) -> Keyframe | None:
        """The keyframe, unless a damaged map cannot show it: then the candidate is refused."""
        try:
            return self._keyframes.get(id)
        except MapError:
            return None

    def _remember(self, odometry: Odometry, outcome: Outcome) -> None:
        keyframe = outcome.keyframe
        if self._mapping:
            self._map.add(keyframe)
        self._search.keep(keyframe)
        self._history.add(odometry, keyframe)
        self._history.settle(outcome.settled)
        self._doubtful = MISFIT in outcome.reasons
        self._next_id += 1
        self._hint, self._keyframe_now = None, False

    def _step(
        self,
        stamp_ns: int,
        odometry: Odometry | None,
        stages: Stages,
        *,
        keyframe: Keyframe | None = None,
        closures: tuple[Closure, ...] = (),
        reasons: tuple[str, ...] = (),
    ) -> Step:
        return Step(
            stamp_ns=stamp_ns,
            state=self.state,
            odometry=odometry,
            T_map_odom=self.T_map_odom,
            fit=self._back_end.fit,
            keyframe=keyframe,
            closures=closures,
            reasons=reasons,
            stage_s=stages.times(),
        )

"""CPU time of every stage of the system on scans held in memory, beside that of other systems on the same scans."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..config import Config
from ..errors import SourceError
from ..localizer import Localizer
from ..place.describe import make_describer
from ..place.index import PlaceIndex
from ..records import ImuSample, LidarScan, Odometry, Step
from ..sources.base import Item, Source, Truth, mounting
from . import bench_peers
from .run_record import RunRecord, run_system

WARM_UP_SCANS = 5  # compilation and first touches are in nobody's time
CANDIDATES_AFTER_M = 3.0
INDEXED = 10_000  # descriptors that a query is searched in
QUERIES = 50


class Replay:
    """The first items of a source, read once: decoding is not timed."""

    def __init__(self, source: Source, items: list[Item]) -> None:
        self.name, self.notes, self.items = source.name, source.notes, items
        self.scans = [item for item in items if isinstance(item, LidarScan)]
        self.scan_count: int | None = len(self.scans)
        self.T_base_lidar: np.ndarray | None = source.T_base_lidar
        self.T_base_imu: np.ndarray | None = source.T_base_imu
        self._truth = source.truth

    def stream(self) -> Iterator[Item]:
        """Everything read."""
        return iter(self.items)

    def truth(self) -> Truth | None:
        """As the source's."""
        return self._truth()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """CPU milliseconds, all threads together; medians over the scans or keyframes that reached a stage."""

    source: str
    scans: int
    keyframes: int
    points_per_scan: int
    stages_ms: dict[str, float]  # each over the scans that reached it; verify over keyframes with candidates
    scan_ms: float  # the whole step, whatever it held
    mean_scan_ms: float  # keyframes shared out over all scans
    query_ms: float  # in an index of INDEXED descriptors
    peers_ms: dict[str, float | None]  # None: not installed
    ratios: dict[str, float]  # of a peer to the stage that does the same


def read(source: Source, most_scans: int) -> Replay:
    """The first scans and what came between them; SourceError when there are too few to time."""
    items: list[Item] = []
    count = 0
    for item in source.stream():
        items.append(item)
        count += isinstance(item, (LidarScan, Odometry))
        if count >= most_scans:
            break
    if count <= WARM_UP_SCANS:
        raise SourceError(f"{source.name}: holds {count} scans; timing needs more than {WARM_UP_SCANS}")
    return Replay(source, items)


def measure(source: Source, config: Config, most_scans: int, clock: Callable[[], float] = time.process_time) -> Bench:
    """Runs the system over the first scans, then every peer that is installed.

    A keyframe counts as old after CANDIDATES_AFTER_M, so that on the shortest drive each has candidates to verify.
    """
    config = replace(config, place=replace(config.place, min_path_m=CANDIDATES_AFTER_M))
    replay = read(source, most_scans)
    warm_up = Replay(source, _first(replay.items))
    run_system(warm_up, _system(warm_up, config, clock), RunRecord(), clock=clock)
    verified_s: list[float] = []  # of keyframes that had candidates
    each_s: list[float] = []  # shared out over these

    def listen(item: Item, step: Step | None) -> None:
        tried = {} if step is None or not step.closures else dict(step.stage_s)
        if "verify" in tried:
            verified_s.append(tried["verify"])
            each_s.append(tried["verify"] / len(step.closures))

    record = run_system(replay, _system(replay, config, clock), RunRecord(), clock=clock, listen=listen)
    stages_ms = {stage: _median_ms(durations) for stage, durations in record.stage_s.items()}
    if verified_s:
        stages_ms["verify"], stages_ms[bench_peers.ONE_CANDIDATE] = _median_ms(verified_s), _median_ms(each_s)
    peers_ms: dict[str, float | None] = {}
    ratios: dict[str, float] = {}
    for name, peer in bench_peers.PEERS.items():
        timed_s = peer.timed(replay.scans, clock) if replay.scans else None
        peer_ms = peers_ms[name] = None if timed_s is None else _median_ms(timed_s)
        if peer_ms is not None and stages_ms.get(peer.stage):
            ratios[f"{name} / {peer.stage}"] = peer_ms / stages_ms[peer.stage]
    return Bench(
        source=replay.name, scans=record.scans, keyframes=record.keyframes,
        points_per_scan=int(np.median([len(scan.points_lidar) for scan in replay.scans])) if replay.scans else 0,
        stages_ms=stages_ms, scan_ms=_median_ms(record.step_s), mean_scan_ms=1e3 * float(np.mean(record.step_s)),
        query_ms=_query_ms(config, clock), peers_ms=peers_ms, ratios=ratios,
    )  # fmt: skip


def _system(replay: Replay, config: Config, clock: Callable[[], float]) -> Localizer:
    T_base_lidar = mounting(config.input.T_base_lidar, replay.T_base_lidar)
    return Localizer(config, T_base_lidar=T_base_lidar, T_base_imu=mounting(config.input.T_base_imu, replay.T_base_imu), clock=clock)


def _first(items: list[Item]) -> list[Item]:
    """The items up to the last scan of the warm-up."""
    scans = [n for n, item in enumerate(items) if not isinstance(item, ImuSample)]
    return items[: scans[WARM_UP_SCANS] + 1]


def _query_ms(config: Config, clock: Callable[[], float]) -> float:
    """Time of a search among descriptors of any directions."""
    rng = np.random.default_rng(0)
    index = PlaceIndex(dimension := make_describer(config.place, config.bev).dimension)
    rows = rng.normal(size=(INDEXED, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index.extend(range(INDEXED), rows)
    durations_s = []
    for row in rows[:QUERIES]:
        start_s = clock()
        index.search(-1, row, config.place.candidates)
        durations_s.append(clock() - start_s)
    return _median_ms(durations_s)


def _median_ms(durations_s: list[float]) -> float:
    return 1e3 * float(np.median(durations_s))

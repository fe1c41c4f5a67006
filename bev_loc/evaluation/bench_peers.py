"""Other systems that do what one stage does, timed on the same scans when they are installed. One thread each."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from ..records import LidarScan

MIN_RANGE_M, MAX_RANGE_M, VOXEL_M = 2.0, 100.0, 1.0
ONE_CANDIDATE = "verify one candidate"  # a stage: its time shared out over the candidates, most of which fail early
PAIR_SCANS = 10  # between the two scans that are laid on each other
MOST_PAIRS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A package, and the stage that it is compared with."""

    stage: str
    package: str
    run: Callable[[list[LidarScan], Callable[[], float]], list[float]]

    def timed(self, scans: list[LidarScan], clock: Callable[[], float]) -> list[float] | None:
        """Seconds of every scan or pair; None when the package is not installed."""
        return self.run(scans, clock) if find_spec(self.package) else None


def _kiss_icp(scans: list[LidarScan], clock: Callable[[], float]) -> list[float]:
    """Odometry with deskewing where points have times; range 2-100 m, voxel 1 m."""
    from kiss_icp.config import load_config
    from kiss_icp.kiss_icp import KissICP

    config = load_config(None)
    config.data.min_range, config.data.max_range = MIN_RANGE_M, MAX_RANGE_M
    config.data.deskew = all(scan.offsets_s is not None for scan in scans)
    config.mapping.voxel_size, config.registration.max_num_threads = VOXEL_M, 1
    odometry, durations_s = KissICP(config), []
    for scan in scans:
        offsets_s = np.zeros(len(scan.points_lidar)) if scan.offsets_s is None else scan.offsets_s
        points, shares = scan.points_lidar.astype(np.float64), offsets_s / max(float(offsets_s.max(initial=0.0)), 1e-9)
        start_s = clock()
        odometry.register_frame(points, shares)
        durations_s.append(clock() - start_s)
    return durations_s


def _kiss_matcher(scans: list[LidarScan], clock: Callable[[], float]) -> list[float]:
    """Pose of scans in each other without a guess, with its defaults."""
    import kiss_matcher

    config, durations_s = kiss_matcher.KISSMatcherConfig(), []
    for n in range(0, max(len(scans) - PAIR_SCANS, 1), max(1, len(scans) // MOST_PAIRS)):
        other = scans[min(n + PAIR_SCANS, len(scans) - 1)]
        start_s = clock()
        kiss_matcher.KISSMatcher(config).estimate(scans[n].points_lidar, other.points_lidar)
        durations_s.append(clock() - start_s)
    return durations_s


PEERS = {
    "KISS-ICP": Peer(stage="odometry", package="kiss_icp", run=_kiss_icp),
    "KISS-Matcher": Peer(stage=ONE_CANDIDATE, package="kiss_matcher", run=_kiss_matcher),
}

"""Cost of the pose graph: 10,000 keyframes, 500 closures of which some are wrong, odometry that drifts; times by CPU, one thread.

In ROS the graph lives in the localization node, odometry in another process: none of this delays a scan. `bev_loc run`
is one process: there a scan waits for the graph, as it waits for the disk, and the source waits with it; nothing is dropped.
"""

import argparse
import resource
import time

import numpy as np

from bev_loc.config import GraphConfig
from bev_loc.geometry import se3
from bev_loc.graph.pose_graph import PoseGraph
from bev_loc.records import Closure

LAP = 400  # keyframes around the square, 2 m apart: every lap comes back to where the first one was
YAW_RAD = np.radians(0.02)  # drift a keyframe
WRONG = 0.02  # share of closures


def closure(query: int, match: int, T_match_query: np.ndarray) -> Closure:
    """A verified one."""
    return Closure(
        query_id=query, match_id=match, accepted=True, reason="accepted", method="keypoints", T_match_query=T_match_query,
        information=np.eye(6) * 1e4, descriptor_distance=0.1,
    )  # fmt: skip


def said(name: str, times_s: list[float]) -> str:
    """A row."""
    ms = 1e3 * np.array(times_s)
    return f"{name:34} {len(ms):6d} {np.median(ms):9.2f} {np.percentile(ms, 99):9.1f} {ms.max():9.0f}"


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyframes", type=int, default=10_000)
    parser.add_argument("--closures", type=int, default=500)
    arguments = parser.parse_args()
    rng, graph, true, T_odom = np.random.default_rng(1), PoseGraph(GraphConfig()), [np.eye(4)], np.eye(4)
    graph.anchor(0, np.eye(4))
    graph.add_keyframe(0, T_odom, 0)
    chosen = set(rng.choice(np.arange(LAP + 1, arguments.keyframes), arguments.closures, replace=False).tolist())
    without_s, with_s = [], []
    for n in range(1, arguments.keyframes):
        step = se3.from_se2(2.0, 0.0, np.pi / 2 if n % (LAP // 4) == 0 else 0.0)
        true.append(true[-1] @ step)
        T_odom = T_odom @ step @ se3.exp(rng.normal(0.0, (2e-4, 2e-4, 1e-3, 0.01, 0.01, 0.01))) @ se3.from_se2(0.0, 0.0, YAW_RAD)
        begin = time.process_time()
        graph.add_keyframe(n, T_odom, 0)
        if n in chosen:
            match = n - LAP * int(rng.integers(1, n // LAP + 1))
            T = se3.inverse(true[match]) @ true[n] @ se3.exp(rng.normal(0.0, (2e-3, 2e-3, 2e-3, 0.05, 0.05, 0.05)))
            graph.add_closure(closure(n, match, T @ se3.from_se2(8.0, -5.0, 0.3) if rng.random() < WRONG else T))
        graph.optimise()
        (with_s if n in chosen else without_s).append(time.process_time() - begin)
    places = np.array(list(graph.places().values()))
    off_m = np.linalg.norm((places - np.array(true))[:, :3, 3], axis=1)
    print(f"{'CPU ms':34} {'count':>6} {'median':>9} {'99 %':>9} {'most':>9}")
    print(said("keyframe without a closure", without_s))
    print(said("keyframe with a closure", with_s))
    print(said("the last 100 with a closure", with_s[-100:]))
    print(f"off by {np.sqrt((off_m**2).mean()):.2f} m RMS after {2.0 * arguments.keyframes / 1e3:.0f} km, "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")  # fmt: skip


if __name__ == "__main__":
    main()

"""A drive around a square, as it was and as odometry with a yaw drift sees it; closures; a graph of it."""

import numpy as np

from bev_loc.config import GraphConfig
from bev_loc.geometry import se3
from bev_loc.graph.pose_graph import PoseGraph
from bev_loc.records import Closure

SIDE = 20  # keyframes a side, 5 m apart
YAW_DRIFT_RAD = np.radians(0.15)  # per keyframe: about 0.03 degrees a metre


def square(laps: int = 1) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """True and drifted poses of a drive around a square of 100 m."""
    true, drifted = [np.eye(4)], [np.eye(4)]
    for n in range(4 * SIDE * laps):
        turn = np.pi / 2 if n % SIDE == SIDE - 1 else 0.0
        step = se3.from_se2(5.0, 0.0, turn)
        true.append(true[-1] @ step)
        drifted.append(drifted[-1] @ step @ se3.from_se2(0.0, 0.0, YAW_DRIFT_RAD))
    return true, drifted


def closure(query: int, match: int, T_match_query: np.ndarray, information: np.ndarray | None = None) -> Closure:
    return Closure(
        query_id=query,
        match_id=match,
        accepted=True,
        reason="accepted",
        method="keypoints",
        T_match_query=T_match_query,
        information=np.eye(6) * 1e4 if information is None else information,
        descriptor_distance=0.1,
    )


def true_closure(query: int, match: int, true: list[np.ndarray]) -> Closure:
    return closure(query, match, se3.inverse(true[match]) @ true[query])


def graph_of(poses: list[np.ndarray]) -> PoseGraph:
    graph = PoseGraph(GraphConfig())
    graph.anchor(0, np.eye(4))
    for id, T in enumerate(poses):
        graph.add_keyframe(id, T, 0)
    return graph

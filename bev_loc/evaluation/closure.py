"""Loop closure on BEV images and what it does to a trajectory, beside an oracle with true relative poses.

Only the plane is seen: height, roll and pitch stay with the odometry.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..config import Config, GraphConfig
from ..errors import EstimateError
from ..geometry import se3, so3
from ..graph.consistency import ConsistencyGate
from ..graph.pose_graph import PoseGraph
from ..records import Closure
from .closure_answers import Answer, answer_all
from .closure_drive import ClosureDrive
from .trajectory import compare_pairs

MIN_SCORE = 0.7  # of the images on what the query saw; no cloud will say more, so more is asked than of keyframes
WITNESSES = 2  # to a closure that drift does not explain, where a vehicle's need one: two look-alikes may agree by chance
MOST_OFFSET_M = 6.0  # farther apart two images show too different a view to be a revisit
ORACLE_SIGMA_M, ORACLE_SIGMA_RAD = 0.12, np.radians(0.17)  # about the error of a pose from two images
COMMON_SIGMA_M, COMMON_SIGMA_RAD = 0.3, np.radians(1.0)  # of a factor: closures a few metres apart err alike
ODOMETRY_SIGMA_DEG = 0.02  # per metre, at most: the nodes are scans; a vehicle's are keyframes of whatever odometry
RIGHT_M, RIGHT_RAD = 2.0, np.radians(5.0)
IMAGES_DISAGREE = "images disagree"
TOO_FAR = "too far apart"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClosureFigures:
    """What `evaluate closure` reports. Figures of curves are over each query's best answer."""

    queries: int
    revisits: int
    closures: int  # accepted
    precision: float | None  # of the accepted; None without any
    recall: float  # revisits with an accepted right closure
    recall_at_100_precision: float
    average_precision: float
    max_f1: float
    ate_before_m: float
    ate_after_m: float
    ate_oracle_m: float
    median_translation_m: float  # of the accepted that are right, against the truth, like the next
    median_rotation_deg: float
    candidates_by_reason: dict[str, int]
    curve: np.ndarray  # (K, 2) recall and precision, most certain answers first
    T_truth_before: np.ndarray  # (N, 4, 4) laid on the truth, like the next two
    T_truth_after: np.ndarray
    T_truth_oracle: np.ndarray
    accepted: tuple[Closure, ...]
    right: np.ndarray  # (closures,) bool


def evaluate(
    drive: ClosureDrive, config: Config, *, seed: int = 0, advance: Callable[[], object] = lambda: None
) -> ClosureFigures:
    """Finds closures, judges them with the pose graph's consistency, optimises; the oracle's noise is of `seed`."""
    if not drive.revisits.any():
        raise EstimateError("no scan comes back to within 5 m of an earlier one: there is no loop to close here")
    answers = answer_all(drive, config.place, config.verify, advance)
    graph = replace(config.graph, odometry_sigma_deg=min(config.graph.odometry_sigma_deg, ODOMETRY_SIGMA_DEG))
    verdicts, after = _close(drive, graph, answers)
    oracle = _optimised(drive, graph, oracle_closures(drive, np.random.default_rng(seed)))
    accepted = tuple(closure for closure in verdicts if closure.accepted)
    right = np.array([is_right(drive, closure) for closure in accepted], bool)
    errors = [planar_error(drive, closure) for closure, good in zip(accepted, right) if good] or [(np.nan, np.nan)]
    revisits = set(drive.queries[drive.revisits].tolist())
    recalled = sum(closure.query_id in revisits for closure, good in zip(accepted, right) if good)
    curve = precision_recall(drive, verdicts)
    laid = {name: _laid_on_truth(drive, poses) for name, poses in
            (("before", drive.T_odom_lidar), ("after", after), ("oracle", oracle))}  # fmt: skip
    reasons = [closure.reason for closure in verdicts]
    return ClosureFigures(
        queries=len(drive.queries),
        revisits=len(revisits),
        closures=len(accepted),
        precision=float(right.mean()) if len(right) else None,
        recall=recalled / len(revisits),
        recall_at_100_precision=float(max((recall for recall, precision in curve if precision == 1.0), default=0.0)),
        average_precision=float(np.sum(np.diff(curve[:, 0], prepend=0.0) * curve[:, 1])),
        max_f1=float(np.max(2 * curve[:, 0] * curve[:, 1] / np.maximum(curve.sum(1), 1e-9))),
        ate_before_m=laid["before"][0],
        ate_after_m=laid["after"][0],
        ate_oracle_m=laid["oracle"][0],
        median_translation_m=float(np.median([metres for metres, _ in errors])),
        median_rotation_deg=float(np.degrees(np.median([radians for _, radians in errors]))),
        candidates_by_reason={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        curve=curve,
        T_truth_before=laid["before"][1],
        T_truth_after=laid["after"][1],
        T_truth_oracle=laid["oracle"][1],
        accepted=accepted,
        right=right,
    )


def planar_closure(drive: ClosureDrive, query: int, match: int, x_y_yaw: np.ndarray) -> Closure:
    """A closure of (3,) metres and radians between the levelled scans; the rest is the odometry's, uninformed.

    Height, roll and pitch cannot be left out: each is taken where the odometry has it, so that no error of
    theirs shows in the plane.
    """
    x_m, y_m, yaw_rad = x_y_yaw
    height_m = drive.T_odom_lidar[query, 2, 3] - drive.T_odom_lidar[match, 2, 3]
    T_level_level = se3.from_xyz_rpy((x_m, y_m, height_m, 0.0, 0.0, yaw_rad))
    return Closure(
        query_id=query,
        match_id=match,
        accepted=True,
        reason="accepted",
        method="planar",
        T_match_query=se3.inverse(_level(drive, match)) @ T_level_level @ _level(drive, query),
        information=np.diag([0.0, 0.0, COMMON_SIGMA_RAD**-2, COMMON_SIGMA_M**-2, COMMON_SIGMA_M**-2, 0.0]),
        descriptor_distance=float("nan"),
    )


def oracle_closures(drive: ClosureDrive, rng: np.random.Generator) -> list[Closure]:
    """One closure a revisit, with the nearest earlier scan: the truth with the noise of a pose from two images."""
    places_m, closures = drive.T_truth_lidar[:, :3, 3], []
    for query, end in zip(drive.queries[drive.revisits].tolist(), drive.reach[drive.revisits].tolist()):
        match = int(np.linalg.norm(places_m[:end] - places_m[query], axis=1).argmin())
        noise = rng.normal(0.0, (ORACLE_SIGMA_M, ORACLE_SIGMA_M, ORACLE_SIGMA_RAD))
        closures.append(planar_closure(drive, query, match, _x_y_yaw(drive.true_motion(query, match)) + noise))
    return closures


def planar_error(drive: ClosureDrive, closure: Closure) -> tuple[float, float]:
    """Metres and radians in the plane between a closure and the truth."""
    T_level_level = _level(drive, closure.match_id) @ closure.T_match_query @ se3.inverse(_level(drive, closure.query_id))
    off = _x_y_yaw(T_level_level) - _x_y_yaw(drive.true_motion(closure.query_id, closure.match_id))
    return float(np.hypot(off[0], off[1])), float(abs((off[2] + np.pi) % (2 * np.pi) - np.pi))


def is_right(drive: ClosureDrive, closure: Closure) -> bool:
    """Within 2 m and 5 degrees of the truth."""
    metres, radians = planar_error(drive, closure)
    return metres < RIGHT_M and radians < RIGHT_RAD


def precision_recall(drive: ClosureDrive, verdicts: list[Closure]) -> np.ndarray:
    """(K, 2) recall of the revisits and precision, as answers are believed one by one.

    Those that consistency accepted come first, each group by the images' score. A right answer of a query that
    is no revisit is right, but recalls nothing.
    """
    revisits = set(drive.queries[drive.revisits].tolist())
    order = sorted(verdicts, key=lambda closure: (not closure.accepted, -closure.score))
    right = np.array([is_right(drive, closure) for closure in order])
    recalled = np.array([closure.query_id in revisits for closure in order]) & right
    return np.column_stack([np.cumsum(recalled) / len(revisits), np.cumsum(right) / np.arange(1, len(order) + 1)])


def _close(drive: ClosureDrive, config: GraphConfig, answers: list[Answer]) -> tuple[list[Closure], np.ndarray]:
    """Every answer with its verdict, by query, and the (N, 4, 4) optimised poses, scan after scan as on a vehicle."""
    graph, gate = PoseGraph(config), ConsistencyGate(config, WITNESSES)
    graph.anchor(0, np.eye(4))
    by_query = {answer.query: answer for answer in answers}
    verdicts: dict[int, Closure] = {}
    for scan, T_odom_lidar in enumerate(drive.T_odom_lidar):
        graph.add_keyframe(scan, T_odom_lidar, 0)
        if scan not in by_query:
            continue
        closure = _tested(drive, by_query[scan])
        if closure.accepted:
            admission = gate.offer(closure, graph)
            closure = admission.refused or closure
            for believed in admission.admitted:
                graph.add_closure(believed)
                verdicts[believed.query_id] = believed
            graph.optimise()
        verdicts.setdefault(scan, closure)
    return [verdicts[query] for query in sorted(verdicts)], np.array(list(graph.places().values()))


def _tested(drive: ClosureDrive, answer: Answer) -> Closure:
    """The answer as a closure, accepted or refused by what the two images alone say."""
    planar = answer.planar
    closure = planar_closure(drive, answer.query, answer.match, np.array([planar.x_m, planar.y_m, planar.yaw_rad]))
    closure = replace(
        closure, method=planar.method, score=planar.score, inliers=planar.inliers, descriptor_distance=answer.distance
    )
    if planar.score < MIN_SCORE:
        return replace(closure, accepted=False, reason=IMAGES_DISAGREE)
    if answer.offset_m > MOST_OFFSET_M:
        return replace(closure, accepted=False, reason=TOO_FAR)
    return closure


def _optimised(drive: ClosureDrive, config: GraphConfig, closures: list[Closure]) -> np.ndarray:
    """(N, 4, 4) poses of the same graph with these closures, one after the other."""
    graph = PoseGraph(config)
    graph.anchor(0, np.eye(4))
    by_query = {closure.query_id: closure for closure in closures}
    for scan, T_odom_lidar in enumerate(drive.T_odom_lidar):
        graph.add_keyframe(scan, T_odom_lidar, 0)
        if scan in by_query:
            graph.add_closure(by_query[scan])
            graph.optimise()
    return np.array(list(graph.places().values()))


def _laid_on_truth(drive: ClosureDrive, poses: np.ndarray) -> tuple[float, np.ndarray]:
    """ATE and the (N, 4, 4) poses after the best rigid alignment."""
    errors = compare_pairs(poses, drive.T_truth_lidar)
    return errors.ate_rmse_m, errors.T_ref_est @ poses


def _level(drive: ClosureDrive, scan: int) -> np.ndarray:
    """(4, 4) T_level_lidar by the odometry's roll and pitch."""
    return se3.from_parts(so3.level(drive.T_odom_lidar[scan, :3, :3]), np.zeros(3))


def _x_y_yaw(T: np.ndarray) -> np.ndarray:
    return np.array([T[0, 3], T[1, 3], np.arctan2(T[1, 0], T[0, 0])])

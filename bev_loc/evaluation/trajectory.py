"""How far an estimated trajectory is from a reference: ATE and RPE as evo defines them, KITTI's segment errors."""

from dataclasses import dataclass

import numpy as np

from ..errors import EstimateError
from ..geometry import se3
from ..geometry.trajectory import align, path_length_m

Trajectory = tuple[np.ndarray, np.ndarray]  # (N,) int64 stamps_ns, (N, 4, 4) poses
SEGMENT_LENGTHS_M = tuple(range(100, 900, 100))
_SEGMENT_STEP = 10  # KITTI's development kit starts a segment at every tenth pose


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrajectoryErrors:
    """Errors of an estimate, over the poses that have a partner in the reference."""

    poses: int
    path_length_m: float  # of the reference
    ate_rmse_m: float  # after the best rigid alignment
    ate_median_m: float
    ate_max_m: float
    rpe_m: float  # RMS from pose to pose
    rpe_deg: float
    kitti_translation_percent: float | None  # None on paths shorter than 100 m
    kitti_rotation_deg_per_m: float | None
    T_ref_est: np.ndarray  # (4, 4) the alignment: reference frame from the estimate's


def compare(estimate: Trajectory, reference: Trajectory, *, max_gap_s: float = 0.5) -> TrajectoryErrors:
    """Errors of `estimate` against `reference`, rigidly aligned by positions (Umeyama 1991).

    The reference is taken at the estimate's stamps: as it is where a stamp is equal, else interpolated
    between two poses at most `max_gap_s` apart. EstimateError when fewer than 3 poses have a partner.
    """
    estimated, truth = associate(estimate, reference, max_gap_s=max_gap_s)
    return compare_pairs(estimated, truth)


def stamps_back(trajectory: Trajectory) -> int:
    """How many poses are stamped before the pose above them; `compare` puts them in order of time."""
    return int(np.count_nonzero(np.diff(trajectory[0]) < 0))


def compare_pairs(estimated: np.ndarray, truth: np.ndarray) -> TrajectoryErrors:
    """Errors of (N, 4, 4) poses against (N, 4, 4) truth, pose by pose."""
    T_ref_est = align(truth[:, :3, 3], estimated[:, :3, 3])
    aligned = estimated[:, :3, 3] @ T_ref_est[:3, :3].T + T_ref_est[:3, 3]
    distances_m = np.linalg.norm(aligned - truth[:, :3, 3], axis=1)
    steps_m, steps_deg = _relative_errors(estimated[:-1], estimated[1:], truth[:-1], truth[1:])
    segments = kitti_segment_errors(estimated, truth)
    return TrajectoryErrors(
        poses=len(truth),
        path_length_m=float(path_length_m(truth)[-1]),
        ate_rmse_m=_rms(distances_m),
        ate_median_m=float(np.median(distances_m)),
        ate_max_m=float(distances_m.max()),
        rpe_m=_rms(steps_m),
        rpe_deg=_rms(steps_deg),
        kitti_translation_percent=float(segments[:, 0].mean() * 100) if len(segments) else None,
        kitti_rotation_deg_per_m=float(np.degrees(segments[:, 1].mean())) if len(segments) else None,
        T_ref_est=T_ref_est,
    )


def associate(estimate: Trajectory, reference: Trajectory, *, max_gap_s: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """(N, 4, 4) poses of the estimate and of the reference at the same moments; see `compare`."""
    stamps, poses = _in_time(estimate)
    reference_stamps, reference_poses = _in_time(reference)
    kept, partners = [], []
    after = np.searchsorted(reference_stamps, stamps)
    for index, (stamp, high) in enumerate(zip(stamps, after)):
        if high < len(reference_stamps) and reference_stamps[high] == stamp:
            partner = reference_poses[high]
        elif 0 < high < len(reference_stamps) and reference_stamps[high] - reference_stamps[high - 1] <= max_gap_s * 1e9:
            low = high - 1
            fraction = (stamp - reference_stamps[low]) / (reference_stamps[high] - reference_stamps[low])
            partner = se3.interpolate(reference_poses[low], reference_poses[high], float(fraction))
        else:
            continue
        kept.append(index)
        partners.append(partner)
    if len(kept) < 3:
        raise EstimateError(_no_overlap(stamps, reference_stamps, len(kept), max_gap_s))
    return poses[kept], np.array(partners)


def kitti_segment_errors(estimated: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(K, 2) translation (metre per metre) and rotation (radian per metre) errors of segments of 100 to 800 m.

    As KITTI's development kit: a segment starts at every tenth pose and ends at the first one that is
    farther than its length along the truth.
    """
    along_m = path_length_m(truth)
    rows = []
    for length in SEGMENT_LENGTHS_M:
        first, last = _segments(along_m, length)
        metres, degrees = _relative_errors(estimated[first], estimated[last], truth[first], truth[last])
        rows.append(np.stack([metres, np.radians(degrees)], axis=1) / length)
    return np.concatenate(rows)


def segment_errors_m(estimated: np.ndarray, truth: np.ndarray, length_m: float) -> np.ndarray:
    """(K, 3) metres by which segments of `length_m` end elsewhere, in axes of the true end: x is along the way.

    Segments start at every tenth pose, as KITTI's.
    """
    first, last = _segments(path_length_m(truth), length_m)
    return _motion_errors(estimated[first], estimated[last], truth[first], truth[last])[:, :3, 3]


def _segments(along_m: np.ndarray, length_m: float) -> tuple[np.ndarray, np.ndarray]:
    """(K,) indices of the poses, (N,) `along_m` the way, at which segments of `length_m` start and end."""
    starts = np.arange(0, len(along_m), _SEGMENT_STEP)
    ends = np.searchsorted(along_m, along_m[starts] + length_m, side="right")
    inside = ends < len(along_m)
    return starts[inside], ends[inside]


def _relative_errors(
    estimate_from: np.ndarray, estimate_to: np.ndarray, truth_from: np.ndarray, truth_to: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) metres and (N,) degrees by which N estimated motions differ from the true ones."""
    E = _motion_errors(estimate_from, estimate_to, truth_from, truth_to)
    # The angle from its sine and cosine: arccos alone loses half the digits near zero.
    sine = np.linalg.norm(np.stack([E[:, 2, 1] - E[:, 1, 2], E[:, 0, 2] - E[:, 2, 0], E[:, 1, 0] - E[:, 0, 1]], 1), axis=1)
    angles = np.arctan2(sine, np.trace(E[:, :3, :3], axis1=1, axis2=2) - 1)
    return np.linalg.norm(E[:, :3, 3], axis=1), np.degrees(angles)


def _motion_errors(estimate_from: np.ndarray, estimate_to: np.ndarray, truth_from: np.ndarray, truth_to: np.ndarray) -> np.ndarray:
    """(N, 4, 4) where N estimated motions end, in the frame of the true end."""
    moved_truth = np.linalg.inv(truth_from) @ truth_to
    moved_estimate = np.linalg.inv(estimate_from) @ estimate_to
    return np.linalg.inv(moved_truth) @ moved_estimate


def _in_time(trajectory: Trajectory) -> Trajectory:
    stamps, poses = trajectory
    order = np.argsort(stamps, kind="stable")
    return stamps[order], poses[order]


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _no_overlap(stamps: np.ndarray, reference_stamps: np.ndarray, common: int, max_gap_s: float) -> str:
    if not len(stamps) or not len(reference_stamps):
        return f"expected poses in both trajectories, got {len(stamps)} estimated and {len(reference_stamps)} reference poses"
    spans = [f"{s[0] / 1e9:.3f} to {s[-1] / 1e9:.3f} s" for s in (stamps, reference_stamps)]
    return (
        f"expected at least 3 poses with a reference within {max_gap_s:g} s around them, got {common}: the estimate "
        f"spans {spans[0]}, the reference {spans[1]}; check that both use the same clock"
    )

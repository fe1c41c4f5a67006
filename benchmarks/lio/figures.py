"""Figures of a run against the truth, their means over seeds, and verdicts on them."""

from dataclasses import dataclass

import numpy as np

from bev_loc.evaluation.trajectory import compare_pairs, segment_errors_m
from bev_loc.geometry import se3

from .runs import KeptRun

SEGMENT_M = 100.0
DIVERGED = 0.05  # of the path: farther off the start-aligned truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How far off one run was."""

    path_m: float
    ate_m: float
    kitti_percent: float
    kitti_deg_per_m: float
    end_m: float  # off at the end once the first poses agree
    worst_m: float  # off at the worst moment, likewise
    along_percent: float  # of 100 m segments: RMS drift along the way
    across_percent: float  # RMS drift across it, horizontally
    ms: float  # median CPU time of a scan
    poses: int
    scans: int
    failed: bool

    @property
    def diverged(self) -> bool:
        """Lost at some moment, or ended early."""
        return self.failed or not self.worst_m < DIVERGED * self.path_m


def figures(run: KeptRun) -> Figures:
    """Of one run; a run that ended early is failed, and its errors are those of the part that it did."""
    estimated, truth = run.T_odom_base, run.T_truth_base
    nan = float("nan")
    if len(estimated) < 3:
        return Figures(
            path_m=nan, ate_m=nan, kitti_percent=nan, kitti_deg_per_m=nan, end_m=nan, worst_m=nan, along_percent=nan, across_percent=nan,
            ms=nan, poses=len(estimated), scans=run.scans, failed=True,
        )  # fmt: skip
    errors = compare_pairs(estimated, truth)
    moved_truth, moved = se3.inverse(truth[0]) @ truth, se3.inverse(estimated[0]) @ estimated
    off_m = np.linalg.norm(moved[:, :3, 3] - moved_truth[:, :3, 3], axis=1)
    drift = segment_errors_m(estimated, truth, SEGMENT_M) / SEGMENT_M * 100
    return Figures(
        path_m=errors.path_length_m, ate_m=errors.ate_rmse_m,
        kitti_percent=nan if errors.kitti_translation_percent is None else errors.kitti_translation_percent,
        kitti_deg_per_m=nan if errors.kitti_rotation_deg_per_m is None else errors.kitti_rotation_deg_per_m,
        end_m=float(off_m[-1]), worst_m=float(off_m.max()),
        along_percent=root_mean_square(drift[:, 0]), across_percent=root_mean_square(drift[:, 1]),
        ms=float(np.median(run.ms)), poses=len(estimated), scans=run.scans, failed=bool(run.failure),
    )  # fmt: skip


def mean(some: list[Figures], name: str) -> float:
    """The mean of one figure over runs; NaN when none has it."""
    values = _finite(some, name)
    return float(np.mean(values)) if len(values) else float("nan")


def rms(some: list[Figures], name: str) -> float:
    """The root of the mean square of one figure over runs; NaN when none has it."""
    return root_mean_square(_finite(some, name))


def root_mean_square(values: np.ndarray) -> float:
    """Of (N,) values; NaN of none."""
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")


def word(reached: bool) -> str:
    """For a verdict."""
    return "reached" if reached else "MISSED"


def _finite(some: list[Figures], name: str) -> np.ndarray:
    values = np.array([getattr(one, name) for one in some])
    return values[np.isfinite(values)]

"""Two clouds registered in 3-D from a good guess (GICP, Segal 2009, by small_gicp), with its evidence."""

from dataclasses import dataclass

import numpy as np
import small_gicp

from ..clouds.voxels import downsample
from ..geometry import se3

VOXEL_M = 0.8  # thinning before registration: a few thousand points carry the pose
SKETCH_M = 2.0  # for the first approach: some hundred points lead as near, and tell strangers at a sixth of the cost
NEIGHBOURS = 10  # that give a point its covariance; more of them reach round corners
WIDE_M, CLOSE_M = 3.0, 1.0  # farthest correspondence, first and last
WIDE_ITERATIONS, CLOSE_ITERATIONS = 8, 15  # at most; true pairs need 1 to 8, strangers seldom settle
APPROACH_ITERATIONS = 6  # with short arms, before every point has its say
SETTLED_M = 1e-2  # a last step below this; correspondences that swap back and forth move by millimetres for ever
MOST_SHIFT_M = 2.5  # from the guess; farther away it has found something else
MOST_TURN_RAD = np.radians(8.0)
MIN_POINTS = 100
INDEPENDENT = 0.02  # share of the points whose errors are independent: neighbours err together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """A thinned cloud with covariances and its search tree; what is prepared once per cloud."""

    cloud: small_gicp.PointCloud
    tree: small_gicp.KdTree


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sketch:
    """A cloud thinned to a few hundred points, without more."""

    cloud: small_gicp.PointCloud


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """T_target_source and why to believe it."""

    T_target_source: np.ndarray  # (4, 4)
    information: np.ndarray  # (6, 6), tangent at T_target_source, rotation first
    inliers: int  # source points with a target point near by
    inlier_ratio: float
    rmse_m: float  # of the inliers across the target's surface
    converged: bool  # it settled, and near the guess


def surface(points: np.ndarray) -> Surface | None:
    """The (N, 3) points thinned and prepared; None when fewer than 100 are left."""
    thinned = _thinned(points, VOXEL_M)
    if len(thinned) < MIN_POINTS:
        return None
    cloud = small_gicp.PointCloud(thinned)
    tree = small_gicp.KdTree(cloud)
    small_gicp.estimate_normals_covariances(cloud, tree, NEIGHBOURS)
    return Surface(cloud=cloud, tree=tree)


def sketch(points: np.ndarray) -> Sketch | None:
    """The (N, 3) points thinned to a few hundred; None when there are too few for a surface."""
    thinned = _thinned(points, VOXEL_M)
    return None if len(thinned) < MIN_POINTS else Sketch(cloud=small_gicp.PointCloud(_thinned(thinned, SKETCH_M)))


def approach(target: Surface, source: Sketch, guess: np.ndarray) -> np.ndarray:
    """T_target_source (4, 4) of a sketch from a guess within a few metres: good enough to see whether more is worth while.

    Its points on the target's planes, with wide arms and then with short ones.
    """
    wide = _align(target, source.cloud, guess, WIDE_M, WIDE_ITERATIONS, "PLANE_ICP").T_target_source
    return _align(target, source.cloud, wide, CLOSE_M, APPROACH_ITERATIONS, "PLANE_ICP").T_target_source


def register(target: Surface, source: Surface, guess: np.ndarray, approached: np.ndarray) -> Registration:
    """The source laid on the target: what `approach` made of a guess T_target_source, settled with every point."""
    last = _align(target, source.cloud, approached, CLOSE_M, CLOSE_ITERATIONS, "GICP")
    T = last.T_target_source
    inliers, rmse_m = _residuals(target, source, T)
    shift_m, turn_rad = se3.distance(guess, T)
    # Where no step can better an exact fit, small_gicp does not call it converged.
    exact = last.num_inliers > 0 and last.error < 1e-9 * last.num_inliers
    variance = max(2.0 * last.error / max(last.num_inliers, 1), 1.0)  # in units of GICP's own model
    return Registration(
        T_target_source=T,
        information=0.5 * (last.H + last.H.T) * INDEPENDENT / variance,
        inliers=inliers,
        inlier_ratio=inliers / source.cloud.size(),
        rmse_m=rmse_m,
        converged=bool((last.converged or exact) and shift_m <= MOST_SHIFT_M and turn_rad <= MOST_TURN_RAD),
    )


def _thinned(points: np.ndarray, voxel_m: float) -> np.ndarray:
    """(M, 3) float64: small_gicp takes ten times as long to read float32."""
    return downsample(np.ascontiguousarray(points), voxel_m).astype(np.float64)


def _align(
    target: Surface, source: small_gicp.PointCloud, T_target_source: np.ndarray, reach_m: float, most_iterations: int, kind: str
) -> small_gicp.RegistrationResult:
    """In one thread: sums in another order would differ in their last bits from run to run."""
    return small_gicp.align(
        target.cloud,
        source,
        target.tree,
        T_target_source,
        registration_type=kind,
        max_correspondence_distance=reach_m,
        num_threads=1,
        max_iterations=most_iterations,
        translation_epsilon=SETTLED_M,
    )


def _residuals(target: Surface, source: Surface, T_target_source: np.ndarray) -> tuple[int, float]:
    """How many source points have a target point near by, and their distance across its surface."""
    points = se3.apply(T_target_source, source.cloud.points()[:, :3])
    nearest, squares = target.tree.batch_nearest_neighbor_search(points)
    near = np.asarray(squares) < CLOSE_M**2
    if not near.any():
        return 0, float("nan")
    nearest = np.asarray(nearest)[near]
    across = ((points[near] - target.cloud.points()[nearest, :3]) * target.cloud.normals()[nearest, :3]).sum(1)
    return int(near.sum()), float(np.sqrt(np.mean(across**2)))

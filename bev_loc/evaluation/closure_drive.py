"""A drive of BEV images along an odometry with true poses: what may close a loop with what, and what is a revisit."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..geometry import se3, so3
from ..geometry.trajectory import path_length_m
from .bev_folder import read_pictures, read_poses


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureProtocol:
    """Who asks, who may answer, and what is to be found."""

    query_stride: int = 5
    gap_scans: int = 100  # an answer is older than this
    gap_m: float = 50.0  # and farther back along the odometry than this
    revisit_m: float = 5.0  # the nearest possible answer lies this near: then the query is to be answered
    drift_yaw_deg_per_m: float = 0.0  # turned into every motion of the odometry


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClosureDrive:
    """N images with their poses by odometry (drift included) and in truth."""

    pictures: np.ndarray  # (N, S, S) uint8
    T_odom_lidar: np.ndarray  # (N, 4, 4)
    T_truth_lidar: np.ndarray  # (N, 4, 4)
    protocol: ClosureProtocol
    queries: np.ndarray  # (Q,) scans that have possible answers
    reach: np.ndarray  # (Q,) scans 0 .. reach - 1 are the possible answers
    revisits: np.ndarray  # (Q,) bool

    def true_motion(self, query: int, match: int) -> np.ndarray:
        """(4, 4) T_match_query."""
        return se3.inverse(self.T_truth_lidar[match]) @ self.T_truth_lidar[query]

    def odometry_motion(self, query: int, match: int) -> np.ndarray:
        """(4, 4) T_match_query as the odometry has it."""
        return se3.inverse(self.T_odom_lidar[match]) @ self.T_odom_lidar[query]


def read_drive(images: Path, odometry: Path, poses: Path, protocol: ClosureProtocol) -> ClosureDrive:
    """The images of a folder, rows 'n x y z qx qy qz qw' of odometry and 3 x 4 rows of truth, one a scan each."""
    pictures = read_pictures(images)
    truth = np.tile(np.eye(4), (len(pictures), 1, 1))
    truth[:, :3] = read_poses(poses, len(pictures))
    return make_drive(pictures, read_odometry(odometry, len(pictures)), truth, protocol)


def make_drive(
    pictures: np.ndarray, T_odom_lidar: np.ndarray, T_truth_lidar: np.ndarray, protocol: ClosureProtocol
) -> ClosureDrive:
    """(N, S, S) pictures, (N, 4, 4) odometry without drift and (N, 4, 4) truth under a protocol."""
    T_odom_lidar = drifted(T_odom_lidar, protocol.drift_yaw_deg_per_m)
    along_m = path_length_m(T_odom_lidar)
    asked = np.arange(0, len(pictures), protocol.query_stride)
    reach = np.minimum(np.searchsorted(along_m, along_m[asked] - protocol.gap_m), asked - protocol.gap_scans)
    asked, reach = asked[reach > 0], reach[reach > 0]
    places_m = T_truth_lidar[:, :3, 3]
    nearest_m = [np.linalg.norm(places_m[:end] - places_m[query], axis=1).min() for query, end in zip(asked, reach)]
    return ClosureDrive(
        pictures=pictures,
        T_odom_lidar=T_odom_lidar,
        T_truth_lidar=T_truth_lidar,
        protocol=protocol,
        queries=asked,
        reach=reach,
        revisits=np.array(nearest_m) < protocol.revisit_m,
    )


def drifted(poses: np.ndarray, yaw_deg_per_m: float) -> np.ndarray:
    """(N, 4, 4) `poses` with every motion turned to the left by its length times `yaw_deg_per_m`."""
    out = poses.copy()
    for n in range(1, len(poses)):
        motion = se3.inverse(poses[n - 1]) @ poses[n]
        yaw_rad = np.radians(yaw_deg_per_m) * float(np.linalg.norm(motion[:3, 3]))
        out[n] = out[n - 1] @ motion @ se3.from_se2(0.0, 0.0, yaw_rad)
    return out


def read_odometry(file: Path, count: int) -> np.ndarray:
    """(count, 4, 4) poses of rows 'n x y z qx qy qz qw'; SourceError when there are others or their number differs."""
    try:
        rows = np.loadtxt(file, ndmin=2)
    except (OSError, ValueError) as error:
        raise SourceError(f"{file}: cannot be read as rows 'n x y z qx qy qz qw' ({error}); name an odometry file") from None
    if rows.shape != (count, 8):
        raise SourceError(f"{file}: expected {count} rows of 8 numbers, one per image, got {rows.shape}; check both")
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, 3], poses[:, :3, :3] = rows[:, 1:4], so3.from_quat_xyzw(rows[:, 4:])
    return poses

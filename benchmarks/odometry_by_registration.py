"""Odometry against direct registration: far-apart scans of a short drive that still overlap, aligned by GICP.

Where there is no ground truth this tells which of two odometries to believe: each deskews the scans with its
own velocities and starts the alignment from its own pose; the alignment's answer is compared with that pose.
"""

import argparse
import os
import sys
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()

import numpy as np  # noqa: E402
import small_gicp  # noqa: E402
from odometry_vs_kiss_icp import MAX_RANGE_M, MIN_RANGE_M, VOXEL_M, decoded  # noqa: E402

from bev_loc.clouds.deskew import deskew  # noqa: E402
from bev_loc.config import OdometryConfig  # noqa: E402
from bev_loc.geometry import se3  # noqa: E402
from bev_loc.records import LidarScan  # noqa: E402

PAIRS = ((0, 39), (5, 39), (0, 20), (0, 6), (3, 6), (6, 12), (12, 30))


def main() -> int:
    """Print, for every pair of scans, how far each odometry is from the registration it leads to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("BEV_LOC_DATA"))
    arguments = parser.parse_args()
    if arguments.data is None or not (Path(arguments.data) / "kitti_raw").is_dir():
        print("kitti_raw: set BEV_LOC_DATA to measure on it")
        return 0
    scans = decoded(str(Path(arguments.data) / "kitti_raw"))
    tracks = {"ours": ours(scans), "KISS-ICP": kiss(scans)}
    print(f"{'scans':>8} " + " ".join(f"{name + ' m off':>15}" for name in tracks))
    for pair in PAIRS:
        print(f"{pair[0]:3d}-{pair[1]:<4d} " + " ".join(f"{off_m(scans, track, *pair):15.3f}" for track in tracks.values()))
    return 0


def ours(scans: list[LidarScan]) -> list[np.ndarray]:
    """Poses of this package's odometry."""
    from bev_loc.odometry.lio import Lio

    lio = Lio(OdometryConfig(min_range_m=MIN_RANGE_M, max_range_m=MAX_RANGE_M))
    return [lio.on_scan(scan).T_odom_base for scan in scans]


def kiss(scans: list[LidarScan]) -> list[np.ndarray]:
    """Poses of KISS-ICP with deskewing."""
    from kiss_icp.config import load_config
    from kiss_icp.kiss_icp import KissICP

    config = load_config(None)
    config.data.deskew, config.data.min_range, config.data.max_range = True, MIN_RANGE_M, MAX_RANGE_M
    config.mapping.voxel_size = VOXEL_M
    odometry, poses = KissICP(config), []
    for scan in scans:
        odometry.register_frame(scan.points_lidar.astype(float), scan.offsets_s / scan.offsets_s.max())
        poses.append(odometry.last_pose.copy())
    return poses


def off_m(scans: list[LidarScan], poses: list[np.ndarray], i: int, j: int) -> float:
    """Metres between the relative pose of an odometry and the registration that starts from it."""
    T_i_j = se3.inverse(poses[i]) @ poses[j]
    fit = small_gicp.align(
        undone(scans, poses, i), undone(scans, poses, j), init_T_target_source=T_i_j,
        registration_type="GICP", downsampling_resolution=0.2, max_correspondence_distance=0.6,
    )  # fmt: skip
    return se3.distance(fit.T_target_source, T_i_j)[0]


def undone(scans: list[LidarScan], poses: list[np.ndarray], k: int) -> np.ndarray:
    """(N, 3) float64 points of scan k at its end, deskewed with the odometry's own velocity around it."""
    before, after = max(k - 1, 0), min(k + 1, len(poses) - 1)
    span_s = (scans[after].stamp_ns - scans[before].stamp_ns) * 1e-9
    twist = se3.log(se3.inverse(poses[before]) @ poses[after]) / span_s
    scan = scans[k]
    ranges = np.linalg.norm(scan.points_lidar, axis=1)
    near = (ranges > MIN_RANGE_M) & (ranges < 80.0)
    return deskew(scan.points_lidar[near], scan.offsets_s[near], twist, float(scan.offsets_s.max())).astype(float)


if __name__ == "__main__":
    sys.exit(main())

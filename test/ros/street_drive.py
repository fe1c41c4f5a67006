"""A short drive through the boxes of the odometry tests, as a folder that `source_node` can replay."""

from pathlib import Path

import numpy as np
from odometry.box_world import scan, street

from bev_loc.geometry import se3

SCANS = 12
SPEED_M_S = 5.0
FIRST_STAMP_NS = 1_700_000_000_000_000_000


def T_world_lidar(t_s: float) -> np.ndarray:
    """Straight ahead, 1.7 m above the ground."""
    return se3.from_se2(SPEED_M_S * t_s, 0.0, 0.0) + np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1.7], [0, 0, 0, 0]])


def write_drive(folder: Path) -> Path:
    """The folder, with one .npz a scan, named by its stamp."""
    boxes, rng = street(), np.random.default_rng(5)
    for i in range(SCANS):
        sweep = scan(boxes, T_world_lidar, 0.1 * i, rng)
        name = f"{FIRST_STAMP_NS + i * 100_000_000}.npz"
        np.savez(folder / name, points=sweep.points_lidar, offsets_s=sweep.offsets_s)
    return folder

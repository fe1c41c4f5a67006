"""Registered poses and when; attitudes between them."""

from dataclasses import dataclass

import numpy as np

from ..geometry import se3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose:
    """A registered pose of the body and when."""

    stamp_ns: int
    T_odom_body: np.ndarray


def attitudes(poses: list[Pose], stamps_ns: np.ndarray) -> np.ndarray:
    """(K, 3, 3) attitudes at stamps between the poses."""
    stamps = np.array([pose.stamp_ns for pose in poses])
    after = np.clip(np.searchsorted(stamps, stamps_ns), 1, len(poses) - 1)
    shares = (stamps_ns - stamps[after - 1]) / (stamps[after] - stamps[after - 1])
    return np.array(
        [
            se3.interpolate(poses[n - 1].T_odom_body, poses[n].T_odom_body, share)[:3, :3]
            for n, share in zip(after, shares)
        ]
    )

"""Registered poses and when; velocities and attitudes between them."""

from dataclasses import dataclass

import numpy as np

from ..geometry import se3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose:
    """A registered pose of the body and when."""

    stamp_ns: int
    T_odom_body: np.ndarray  # (4, 4)


def velocity(a: Pose, b: Pose) -> np.ndarray:
    """(3,) mean velocity of the body's origin from one pose to the other in odom axes, m/s."""
    return (b.T_odom_body[:3, 3] - a.T_odom_body[:3, 3]) / ((b.stamp_ns - a.stamp_ns) * 1e-9)


def attitudes(poses: list[Pose], stamps_ns: np.ndarray) -> np.ndarray:
    """(K, 3, 3) attitudes R_odom_body at (K,) stamps between the poses."""
    stamps = np.array([pose.stamp_ns for pose in poses])
    after = np.clip(np.searchsorted(stamps, stamps_ns), 1, len(poses) - 1)
    shares = (stamps_ns - stamps[after - 1]) / (stamps[after] - stamps[after - 1])
    return np.array(
        [
            se3.interpolate(poses[n - 1].T_odom_body, poses[n].T_odom_body, share)[:3, :3]
            for n, share in zip(after, shares)
        ]
    )

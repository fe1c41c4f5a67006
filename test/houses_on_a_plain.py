"""A world of boxes as points, and drives through it: just enough structure to recognise places by."""

from collections.abc import Iterator

import numpy as np

from bev_loc.config import BevConfig, Config, KeyframeConfig, PlaceConfig
from bev_loc.geometry import se3
from bev_loc.records import Odometry, OdometryHealth

RANGE_M = 30.0
CONFIG = Config(
    bev=BevConfig(range_m=RANGE_M),
    keyframes=KeyframeConfig(distance_m=4.0, angle_deg=40.0),
    place=PlaceConfig(min_path_m=40.0, candidates=4),
)


class BoxWorld:
    """Houses on a plain, the ground with them; no two worlds of different seeds are alike."""

    def __init__(self, seed: int, half_side_m: float = 80.0, houses: int = 130) -> None:
        rng = np.random.default_rng(seed)
        walls = [self._ground(rng, half_side_m)]
        for _ in range(houses):
            centre = rng.uniform(-half_side_m, half_side_m, 2)
            if np.abs(np.abs(centre).max() - 30.0) < 5.0:  # the road of `square_drive`
                continue
            walls.append(self._house(rng, centre))
        self._points_world = np.concatenate(walls)

    def scan_base(self, T_world_base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(N, 3) float32 points within range, in the base frame, with 1 cm of noise."""
        near = np.abs(self._points_world[:, :2] - T_world_base[:2, 3]).max(1) < RANGE_M
        points_base = se3.apply(se3.inverse(T_world_base), self._points_world[near])
        return (points_base + rng.normal(0.0, 0.01, points_base.shape)).astype(np.float32)

    @staticmethod
    def _ground(rng: np.random.Generator, half_side_m: float) -> np.ndarray:
        xy = rng.uniform(-half_side_m - RANGE_M, half_side_m + RANGE_M, (30000, 2))
        return np.column_stack([xy, np.full(len(xy), -1.7)])

    @staticmethod
    def _house(rng: np.random.Generator, centre: np.ndarray) -> np.ndarray:
        width, depth, height, yaw = *rng.uniform(1.0, 9.0, 2), rng.uniform(1.0, 6.0), rng.uniform(0, np.pi)
        along = np.arange(0.0, 1.0, 0.3 / (2 * (width + depth)))
        heights = np.arange(-1.7, height, 0.3)
        corners = np.array([[0, 0], [width, 0], [width, depth], [0, depth], [0, 0]]) - [width / 2, depth / 2]
        lengths = np.array([0, width, width + depth, 2 * width + depth, 2 * (width + depth)])
        outline = np.column_stack([np.interp(along * lengths[-1], lengths, corners[:, k]) for k in (0, 1)])
        turned = outline @ np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]]) + centre
        return np.column_stack([np.repeat(turned, len(heights), 0), np.tile(heights, len(turned))])


def square_drive(metres: float, start_m: float = 0.0, step_m: float = 2.0, sideways_m: float = 0.0) -> list[np.ndarray]:
    """T_world_base along a square of 60 m side, every `step_m`, `sideways_m` to the left of its line."""
    poses = []
    for way_m in np.arange(start_m, start_m + metres, step_m):
        side, along_m = divmod(way_m, 60.0)
        T_world_side = se3.from_se2(0.0, 0.0, side * np.pi / 2)
        poses.append(T_world_side @ se3.from_se2(along_m - 30.0, sideways_m - 30.0, 0.0))
    return poses


def drive(
    world: BoxWorld, T_world_base: list[np.ndarray], *, seed: int, drift_deg_per_m: float = 0.0, first_ns: int = 10**9
) -> Iterator[Odometry]:
    """Odometry along a drive, from an origin of its own, with a yaw that drifts."""
    rng = np.random.default_rng(seed)
    T_odom_base = np.eye(4)
    for n, T in enumerate(T_world_base):
        if n:
            step = se3.inverse(T_world_base[n - 1]) @ T
            yaw = np.radians(drift_deg_per_m) * float(np.linalg.norm(step[:3, 3]))
            T_odom_base = T_odom_base @ step @ se3.from_se2(0.0, 0.0, yaw)
        points_base = world.scan_base(T, rng)
        count = len(points_base)
        health = OdometryHealth(points_in=count, points_used=count, matches=count, rmse_m=0.01, iterations=3)
        yield Odometry(
            stamp_ns=first_ns + n * 10**8,
            T_odom_base=T_odom_base,
            covariance=np.eye(6) * 1e-4,
            points_base=points_base,
            health=health,
        )

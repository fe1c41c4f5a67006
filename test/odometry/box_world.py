"""A small street of boxes on flat ground, cast analytically: the truth of the odometry tests."""

import numpy as np
from numba import njit

from bev_loc.geometry import se3, so3
from bev_loc.odometry.lio import Lio
from bev_loc.odometry.state import STANDARD_GRAVITY_M_S2
from bev_loc.records import Dropped, ImuSample, LidarScan, Odometry

GROUND_Z_M = 0.0


def street(seed: int = 3) -> np.ndarray:
    """(B, 2, 3) lower and upper corners of house blocks and cars along a street in x."""
    rng = np.random.default_rng(seed)
    boxes = []
    for side in (-1.0, 1.0):
        x = -60.0
        while x < 160.0:
            width, depth, height = rng.uniform(8, 16), rng.uniform(6, 10), rng.uniform(5, 12)
            near = side * rng.uniform(9, 12)
            y = sorted((near, near + side * depth))
            boxes.append([[x, y[0], GROUND_Z_M], [x + width, y[1], height]])
            x += width + rng.uniform(1, 6)
        for x in np.arange(-50.0, 150.0, 14.0) + rng.uniform(-3, 3):
            y = sorted((side * 6.0, side * 7.8))
            boxes.append([[x, y[0], GROUND_Z_M], [x + 4.2, y[1], 1.5]])
    return np.array(boxes)


def directions(rings: int = 32, columns: int = 450) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) unit ray directions of a clockwise spinning lidar, column by column, and (N,) sweep shares."""
    elevation = np.deg2rad(np.linspace(-24.0, 6.0, rings))
    azimuth = np.pi - (np.arange(columns) + 0.5) * 2 * np.pi / columns
    a, e = np.meshgrid(azimuth, elevation, indexing="ij")
    rays = np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], -1).reshape(-1, 3)
    return rays, np.repeat((np.arange(columns) + 0.5) / columns, rings)


@njit(error_model="numpy")  # not cached: the cache would know it under one of its two names, box_world and odometry.box_world
def cast(boxes: np.ndarray, origins: np.ndarray, rays: np.ndarray, max_range_m: float = 90.0) -> np.ndarray:
    """(N,) distances from (N, 3) origins along (N, 3) rays to the nearest surface, infinite beyond the range."""
    distances = np.empty(len(rays))
    for n in range(len(rays)):
        nearest = (GROUND_Z_M - origins[n, 2]) / rays[n, 2] if rays[n, 2] < 0 else np.inf
        for box in range(len(boxes)):
            near, far = -np.inf, np.inf
            for axis in range(3):
                a = (boxes[box, 0, axis] - origins[n, axis]) / rays[n, axis]
                b = (boxes[box, 1, axis] - origins[n, axis]) / rays[n, axis]
                near, far = max(near, min(a, b)), min(far, max(a, b))
            if 0 < near < far:
                nearest = min(nearest, near)
        distances[n] = nearest if nearest < max_range_m else np.inf
    return distances


def scan(
    boxes: np.ndarray, pose_at: "callable", begin_s: float, rng: np.random.Generator, duration_s: float = 0.1
) -> LidarScan:
    """One sweep from `pose_at(t_s) -> T_world_lidar`, with motion distortion and 1 cm of range noise."""
    rays, shares = directions()
    poses = np.array([pose_at(begin_s + s * duration_s) for s in np.unique(shares)])
    poses = np.repeat(poses, len(rays) // len(poses), axis=0)
    rays_world = np.einsum("nij,nj->ni", poses[:, :3, :3], rays)
    distance = cast(boxes, poses[:, :3, 3], rays_world) + rng.normal(0, 0.01, len(rays))
    hit = np.isfinite(distance)
    return LidarScan(
        stamp_ns=round(begin_s * 1e9),
        points_lidar=(rays * distance[:, None])[hit].astype(np.float32),
        offsets_s=(shares * duration_s)[hit].astype(np.float32),
        name=f"sweep at {begin_s:.1f} s",
    )


def drive(t_s: float) -> np.ndarray:
    """T_world_lidar of a drive with acceleration, a lane change, bumps and a stop; the sensor is 1.8 m up."""
    x = 0.5 * 2.0 * min(t_s, 4.0) ** 2 + 8.0 * max(0.0, t_s - 4.0)
    y = 1.5 * np.sin(0.5 * t_s)
    yaw = 0.12 * np.sin(0.8 * t_s)
    R_bump = se3.exp(np.array([0.01 * np.sin(3 * t_s), 0.015 * np.sin(2.3 * t_s), 0, 0, 0, 0]))
    T = se3.from_se2(x, y, yaw) @ R_bump
    T[2, 3] = 1.8 + 0.03 * np.sin(4 * t_s)
    return T


def imu(begin_s: float, end_s: float, rate_hz: float = 200.0, noise: np.random.Generator | None = None) -> list[ImuSample]:
    """The samples of an IMU at the lidar's place along the drive, ideal or with a consumer sensor's noise."""
    return imu_along(drive, begin_s, end_s, rate_hz, noise)


def imu_along(
    pose_at: "callable", begin_s: float, end_s: float, rate_hz: float, noise: np.random.Generator | None
) -> list[ImuSample]:
    """The samples of an IMU at `pose_at(t_s) -> T_world_imu`."""
    samples, h = [], 1e-3
    for t in np.arange(begin_s, end_s, 1.0 / rate_hz):
        T, before, after = pose_at(t), pose_at(t - h), pose_at(t + h)
        turn = so3.log(np.ascontiguousarray(before[:3, :3].T @ after[:3, :3])) / (2 * h)
        acc = (before[:3, 3] + after[:3, 3] - 2 * T[:3, 3]) / h**2
        force = T[:3, :3].T @ (acc + [0.0, 0.0, STANDARD_GRAVITY_M_S2])
        if noise is not None:
            turn = turn + noise.normal(0, 0.003, 3) + [0.004, -0.002, 0.003]
            force = force + noise.normal(0, 0.04, 3) + [0.05, -0.03, 0.04]
        samples.append(ImuSample(stamp_ns=round(t * 1e9), gyro_rad_s=turn, acc_m_s2=force))
    return samples


def replay(lio: Lio, scans: list[LidarScan], samples: list[ImuSample]) -> list[Odometry | Dropped]:
    """Everything in order of arrival: a scan comes when a tenth of a second has passed since its stamp."""
    results, waiting = [], list(samples)
    for one in scans:
        while waiting and waiting[0].stamp_ns <= one.stamp_ns + 10**8:
            lio.on_imu(waiting.pop(0))
        results.append(lio.on_scan(one))
    return results


def errors_m(results: list[Odometry | Dropped]) -> np.ndarray:
    """(N,) how far off the motion since the first result is, for every scan that was not dropped."""
    kept = [one for one in results if isinstance(one, Odometry)]
    truth = [drive(one.stamp_ns * 1e-9) for one in kept]
    motions = [(se3.inverse(truth[0]) @ T, se3.inverse(kept[0].T_odom_base) @ one.T_odom_base) for T, one in zip(truth, kept)]
    return np.array([se3.distance(expected, estimate)[0] for expected, estimate in motions])

"""Which way is up at the start: from the accelerometer at rest, else from the ground under the vehicle."""

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import so3
from .propagate import Readings

_CELL_M, _RADIUS_M = 2.0, 25.0
_GROUND_TOLERANCE_M = 0.15
_MIN_CELLS, _MIN_SHARE = 40, 0.35
_MAX_TILT_RAD = np.deg2rad(25.0)
_SAME_LEVEL_RAD = np.deg2rad(1.5)  # what the ground of one scan leaves open
WAITING = "level not sure yet"
WHY_WAITING = "the IMU seems at rest, but the ground is not level to it: a slope, or a vehicle that gains speed; the next scan tells"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levelled:
    """The attitude at the start and how it was found."""

    R_odom_base: np.ndarray  # (3, 3)
    note: str
    told: bool = True  # by something, not assumed
    by_rest: bool = False  # of the IMU
    R_odom_ground: np.ndarray | None = None  # (3, 3): the attitude by the ground, beside an IMU at rest; None: not clear

    @property
    def disputed(self) -> bool:
        """Whether the ground contradicts the IMU: it stands on a slope, or gains speed steadily; the next scan tells which."""
        ground = self.R_odom_ground
        return ground is not None and float(np.linalg.norm(so3.log(ground @ self.R_odom_base.T))) > _SAME_LEVEL_RAD


def level(
    points_base: np.ndarray, resting: Readings | None, R_base_body: np.ndarray, initial_rpy: tuple[float, ...]
) -> Levelled:
    """The attitude of the first scan (N, 3): as given, from an IMU at rest, from the ground, or level."""
    if initial_rpy:
        return Levelled(R_odom_base=so3.from_rpy(*initial_rpy), note="start attitude as given")
    if resting is not None:
        R_odom_base = level_from_gravity(R_base_body @ resting.acc_m_s2.mean(0))
        return Levelled(
            R_odom_base=R_odom_base,
            note="start levelled by gravity (IMU at rest)",
            by_rest=True,
            R_odom_ground=level_from_ground(points_base),
        )
    R_odom_base = level_from_ground(points_base)
    if R_odom_base is not None:
        return Levelled(R_odom_base=R_odom_base, note="start levelled by the ground under the vehicle (no IMU at rest)")
    note = "start taken as level: no IMU at rest and no clear ground; set input.initial_rpy if it is not"
    return Levelled(R_odom_base=np.eye(3), note=note, told=False)


def level_in_motion(by_imu: Levelled) -> Levelled:
    """The attitude of the first scan once it is known that the IMU was not at rest, only steadily driven."""
    if by_imu.R_odom_ground is None:
        note = "start levelled by an IMU that moved, for want of clear ground; set input.initial_rpy if it is not level"
        return replace(by_imu, note=note, told=False)
    if not by_imu.disputed:
        return by_imu
    return Levelled(R_odom_base=by_imu.R_odom_ground, note="start levelled by the ground under the vehicle (it moved)")


def level_from_ground(points_base: np.ndarray) -> np.ndarray | None:
    """R_odom_base that makes the ground of one (N, 3) cloud horizontal; None when there is no clear ground.

    Robust plane through the lowest point of every 2 m cell within 25 m (iteratively reweighted, Cauchy).
    """
    near = points_base[(np.abs(points_base[:, :2]) < _RADIUS_M).all(1)].astype(float)
    if len(near) < _MIN_CELLS:
        return None
    cells = np.floor(near[:, :2] / _CELL_M).astype(int) @ (1, 1000)
    order = np.lexsort((near[:, 2], cells))
    first = np.unique(cells[order], return_index=True)[1]
    lowest = near[order[first]]
    if len(lowest) < _MIN_CELLS:
        return None
    design = np.column_stack([lowest[:, :2], np.ones(len(lowest))])
    plane = np.array([0.0, 0.0, np.quantile(lowest[:, 2], 0.3)])
    for width in np.geomspace(1.0, 0.1, 10):
        weight = 1.0 / (1.0 + ((lowest[:, 2] - design @ plane) / width) ** 2)
        plane = np.linalg.solve(design.T @ (weight[:, None] * design), design.T @ (weight * lowest[:, 2]))
    on_plane = np.abs(lowest[:, 2] - design @ plane) < _GROUND_TOLERANCE_M
    normal = np.array([-plane[0], -plane[1], 1.0]) / np.linalg.norm([plane[0], plane[1], 1.0])
    if on_plane.sum() < _MIN_CELLS or on_plane.mean() < _MIN_SHARE or np.arccos(normal[2]) > _MAX_TILT_RAD:
        return None
    return level_from_gravity(normal)


def level_from_gravity(acc_base: np.ndarray) -> np.ndarray:
    """R_odom_base that turns the specific force at rest (3,), in the base frame, straight up, without yaw."""
    return so3.level(so3.rotation_between(acc_base, np.array([0.0, 0.0, 1.0])))

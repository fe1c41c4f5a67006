"""Vehicles and pedestrians that move: where each stands during a scan."""

from dataclasses import dataclass

import numpy as np

from . import assets
from .drive import Drive
from .meshes import Mesh
from .polyline import lengths, offset, resampled
from .world import World

_KINDS = 4  # meshes of each sort
_SIGHT_M = 90.0
_NO_WALKERS_M_S = 14.0  # nobody walks where one drives so fast
_ROOM_M = 3.5  # nothing comes nearer to the sensor: whoever would has turned off


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walker:
    """Someone on a way of his own at constant speed, starting over at its end."""

    kind: int
    way: np.ndarray  # (N, 2) every half metre
    begin_m: float
    speed_m_s: float


class Traffic:
    """Cars ahead of and behind the sensor in its own lane, oncoming cars, people on the pavement."""

    def __init__(self, world: World, drive: Drive, lane: np.ndarray, count: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 11])
        self._world, self._drive = world, drive
        self.meshes: tuple[Mesh, ...] = tuple(assets.car(rng) for _ in range(_KINDS)) + tuple(assets.person(rng) for _ in range(_KINDS))
        even = resampled(lane, 0.5)
        back, total = offset(even, world.lane_m)[::-1], lengths(even)[-1]
        vehicles = count if world.lane_m else 0  # none in corridors and on single tracks
        self._column = [(int(rng.integers(_KINDS)), sign * (3.5 + 4.0 * k)) for k in range(vehicles // 4) for sign in (1, -1)]
        oncoming = vehicles - len(self._column)
        self._walkers = [
            Walker(kind=int(rng.integers(_KINDS)), way=back, begin_m=total * (k + rng.random()) / oncoming, speed_m_s=rng.uniform(6, 10))
            for k in range(oncoming)
        ]
        beside = [-5.2, 5.2 + world.lane_m] if world.lane_m else [-2.6, 2.6]
        for k in range(count if world.route.speed_m_s < _NO_WALKERS_M_S else 0):
            side = offset(even, rng.choice(beside) + rng.uniform(-0.2, 0.2))
            self._walkers.append(Walker(
                kind=_KINDS + int(rng.integers(_KINDS)), way=side if rng.random() < 0.5 else side[::-1],
                begin_m=total * (k + rng.random()) / count, speed_m_s=rng.uniform(0.9, 1.7),
            ))  # fmt: skip

    def during(self, t_s: float, period_s: float) -> list[tuple[int, np.ndarray, float, np.ndarray]]:
        """(kind, xyz, yaw, velocity) of everything in sight of the sensor in the scan that begins at `t_s`."""
        here = self._drive.poses(np.array([t_s]))[0, :2, 3]
        spots = [self._follower(kind, t_s + shift, period_s) for kind, shift in self._column]
        spots += [self._walker(walker, t_s, period_s) for walker in self._walkers]
        seen = []
        for kind, xy, velocity, yaw in spots:
            away = np.linalg.norm(xy - here)
            if _ROOM_M < away < _SIGHT_M:
                low, high = self._world.ground.height(np.stack([xy, xy + velocity * period_s]))
                rise = (high - low) / period_s
                seen.append((kind, np.array([*xy, low]), yaw, np.array([*velocity, rise])))
        return seen

    def _follower(self, kind: int, t_s: float, period_s: float) -> tuple[int, np.ndarray, np.ndarray, float]:
        """A car that drives as the sensor does, some seconds before or after it."""
        T = self._drive.poses(np.array([t_s, t_s + period_s]))
        yaw = float(np.arctan2(T[0, 1, 0], T[0, 0, 0]))
        return kind, T[0, :2, 3], (T[1, :2, 3] - T[0, :2, 3]) / period_s, yaw

    def _walker(self, walker: Walker, t_s: float, period_s: float) -> tuple[int, np.ndarray, np.ndarray, float]:
        at = (walker.begin_m + walker.speed_m_s * np.array([t_s, t_s + period_s])) / 0.5
        k = int(at[0]) % (len(walker.way) - 1)
        way = walker.way[k + 1] - walker.way[k]
        heading = way / max(float(np.linalg.norm(way)), 1e-9)
        xy = walker.way[k] + (at[0] - int(at[0])) * way
        return walker.kind, xy, walker.speed_m_s * heading, float(np.arctan2(heading[1], heading[0]))

"""From a lane to a drive: speed, stops, slopes, bumps, and the car's leaning into its springs."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from .drive import SplineDrive
from .polyline import curvature, lengths, offset, resampled
from .terrain import Ground
from .world import Route

_KNOT_S = 0.05
_STEP_M = 0.5
_WHEELBASE_M, _TRACK_M = 2.7, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """How somebody drives, and on what springs."""

    accelerate_m_s2: float = 1.4
    brake_m_s2: float = 1.8
    sideways_m_s2: float = 2.2
    turn_rad_s: float = 0.7
    wait_s: float = 1.5  # standstill at the start
    rough_m: float = 0.008  # heave over bumps, RMS
    rough_rad: float = 0.004  # roll and pitch over bumps, RMS
    sensor_height_m: float = 1.73


def plan(route: Route, ground: Ground, seed: int, driver: Driver = Driver(), speed: float = 1.0) -> SplineDrive:
    """The drive along `route`, its base at the sensor; `speed` scales the route's speed."""
    rng = np.random.default_rng([seed, 7])
    lane = _wandering(resampled(route.points, _STEP_M), route.wander_m, rng)
    way = lengths(lane)
    along = _speeds(lane, way, route, driver, speed)
    s = _timed(way, along, route.stops, driver)
    t = _KNOT_S * np.arange(len(s))
    xy = CubicSpline(way, lane)
    points, heading = xy(s), xy(s, 1)
    yaw = np.unwrap(np.arctan2(heading[:, 1], heading[:, 0]))
    z, roll, pitch = _attitude(points, yaw, s, ground, driver, rng)
    return SplineDrive(t, np.column_stack([points, z, roll, pitch, yaw]))


def _wandering(lane: np.ndarray, wander_m: float, rng: np.random.Generator) -> np.ndarray:
    noise = gaussian_filter1d(rng.normal(size=len(lane) + 400), 25.0 / _STEP_M)[200:-200]
    return offset(lane, wander_m * noise / max(noise.std(), 1e-9)) if wander_m else lane


def _speeds(lane: np.ndarray, way: np.ndarray, route: Route, driver: Driver, speed: float) -> np.ndarray:
    """(N,) m/s at each point: bends, stops ahead, and the end of the way."""
    bend = gaussian_filter1d(maximum_filter1d(np.abs(curvature(lane, way[1])), 7), 2.0)
    bend = np.maximum(bend, 1e-6)
    limit = np.minimum(np.sqrt(driver.sideways_m_s2 / bend), driver.turn_rad_s / bend)
    limit = speed * np.minimum(route.speed_m_s, limit)
    for at, _ in route.stops:
        limit[np.searchsorted(way, at).clip(0, len(way) - 1)] = 0.0
    limit[-1] = 0.0
    for k in range(len(limit) - 2, -1, -1):
        limit[k] = min(limit[k], np.sqrt(limit[k + 1] ** 2 + 2 * driver.brake_m_s2 * (way[k + 1] - way[k])))
    return limit


def _timed(way: np.ndarray, limit: np.ndarray, stops: tuple[tuple[float, float], ...], driver: Driver) -> np.ndarray:
    """(M,) way driven every `_KNOT_S`: a simple driver, then smoothed so that jerk stays finite."""
    waits = {int(np.searchsorted(way, at).clip(0, len(way) - 1)): wait for at, wait in stops}
    s, v, out = 0.0, 0.0, [0.0] * int(driver.wait_s / _KNOT_S)
    while s < way[-1] - 0.3:
        k = min(int(s / way[1]), len(limit) - 2)
        fraction = min(s / way[1] - k, 1.0)
        aim = np.sqrt((1 - fraction) * limit[k] ** 2 + fraction * limit[k + 1] ** 2)
        v = max(min(v + driver.accelerate_m_s2 * _KNOT_S, aim), 0.15)
        s += v * _KNOT_S
        out.append(s)
        for at in [k for k in waits if s >= way[k] - 0.1]:
            out += [s] * int(waits.pop(at) / _KNOT_S)
            v = 0.0
    out += [s] * int(1.0 / _KNOT_S)
    return np.maximum.accumulate(gaussian_filter1d(np.array(out), 0.4 / _KNOT_S, mode="nearest"))


def _attitude(
    points: np.ndarray, yaw: np.ndarray, s: np.ndarray, ground: Ground, driver: Driver, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height, roll and pitch: the ground under four wheels, bumps, and the springs under acceleration."""
    ahead = np.stack([np.cos(yaw), np.sin(yaw)], 1)
    left = np.stack([-ahead[:, 1], ahead[:, 0]], 1)
    front, rear = (ground.height(points + k * 0.5 * _WHEELBASE_M * ahead) for k in (1, -1))
    up, down = (ground.height(points + k * 0.5 * _TRACK_M * left) for k in (1, -1))
    v = np.gradient(s, _KNOT_S)
    sideways, forward = v * np.gradient(yaw, _KNOT_S), np.gradient(v, _KNOT_S)
    heave, rock, nod = (_bumps(s, rng) for _ in range(3))
    z = ground.height(points) + driver.sensor_height_m + driver.rough_m * heave
    roll = np.arctan2(up - down, _TRACK_M) + 0.009 * sideways + driver.rough_rad * rock
    pitch = -np.arctan2(front - rear, _WHEELBASE_M) - 0.006 * forward + driver.rough_rad * nod
    smooth = [gaussian_filter1d(value, 0.08 / _KNOT_S, mode="nearest") for value in (z, roll, pitch)]
    return smooth[0], smooth[1], smooth[2]


def _bumps(s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random road of unit variance over the way (waves of 3 to 40 m), after which the car swings."""
    wavelength = np.geomspace(3.0, 40.0, 24)
    weight = wavelength**0.7
    phase = rng.uniform(0, 2 * np.pi, 24)
    value = np.sin(2 * np.pi * s[:, None] / wavelength + phase) @ weight
    return value / np.sqrt(0.5 * np.sum(weight**2))

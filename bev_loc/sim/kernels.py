"""Numba kernels around the ray caster: rays from moving sensors, what the receiver makes of the hits, packing."""

import numpy as np
from numba import njit, prange

_U64 = np.uint64


@njit(cache=True, inline="always")
def _hash(seed: np.uint64, k: np.uint64) -> np.uint64:
    """SplitMix64 of a counter: random numbers that depend on the ray, not on the thread."""
    z = seed + k * _U64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _U64(27))) * _U64(0x94D049BB133111EB)
    return z ^ (z >> _U64(31))


@njit(cache=True, parallel=True)
def make_rays(directions: np.ndarray, firing: np.ndarray, T_world_lidar: np.ndarray, rays: np.ndarray) -> None:
    """Fills (N, 6) float32 origins and directions in the world, each from its firing's (F, 4, 4) sensor pose."""
    for k in prange(len(directions)):
        T = T_world_lidar[firing[k]]
        x, y, z = directions[k, 0], directions[k, 1], directions[k, 2]
        for i in range(3):
            rays[k, i] = T[i, 3]
            rays[k, 3 + i] = T[i, 0] * x + T[i, 1] * y + T[i, 2] * z


@njit(cache=True, parallel=True)
def look_up(primitives: np.ndarray, materials: np.ndarray, found: np.ndarray) -> None:
    """The material of each hit triangle; misses get that of triangle 0, their range is infinite anyway."""
    for k in prange(len(primitives)):
        found[k] = materials[primitives[k] if primitives[k] < len(materials) else 0]


@njit(cache=True)
def near_sphere(rays: np.ndarray, ranges: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Indices of the rays that pass the sphere before they hit anything."""
    out, count = np.empty(len(rays), np.int64), 0
    for k in range(len(rays)):
        x, y, z = centre[0] - rays[k, 0], centre[1] - rays[k, 1], centre[2] - rays[k, 2]
        along = x * rays[k, 3] + y * rays[k, 4] + z * rays[k, 5]
        if along > -radius and along - radius < ranges[k] and x * x + y * y + z * z - along * along < radius * radius:
            out[count] = k
            count += 1
    return out[:count]


@njit(cache=True, parallel=True)
def receive(
    rays: np.ndarray, ranges: np.ndarray, normals: np.ndarray, materials: np.ndarray, hidden: np.ndarray,
    reflectivity: np.ndarray, returning: np.ndarray, limits: np.ndarray, error_m: np.ndarray, seed: np.uint64,
    measured: np.ndarray, intensity: np.ndarray,
) -> None:  # fmt: skip
    """Measured range (0 = nothing came back) and intensity 0..1 of each ray.

    limits: least and greatest range, range noise (m), reach, share lost. The received power follows
    the lidar equation, reflectivity * cos(incidence) / range^2, and the chance of a return falls
    smoothly once it comes near `reach`.
    """
    low, high, noise, reach, lost = limits[0], limits[1], limits[2], limits[3], limits[4]
    for k in prange(len(rays)):
        measured[k], intensity[k] = 0.0, 0.0
        r = ranges[k]
        if hidden[k] or not (low < r < high):
            continue
        cosine = abs(rays[k, 3] * normals[k, 0] + rays[k, 4] * normals[k, 1] + rays[k, 5] * normals[k, 2])
        echo = reflectivity[materials[k]] * (0.03 + 0.97 * cosine)
        strength = echo / (r * r) / reach
        chance = returning[materials[k]] * (1.0 - lost)
        if strength < 6.0:  # beyond, the exponential is nothing
            chance *= 1.0 - np.exp(-strength * np.sqrt(strength))
        bits = _hash(seed, _U64(k))
        if (bits >> _U64(40)) * (1.0 / 16777216.0) > chance:
            continue
        bits = _hash(bits, _U64(1))
        total = 0.0  # four uniform numbers: close enough to a normal one, and bounded by 3.5 sigma
        for i in range(4):
            total += ((bits >> _U64(16 * i)) & _U64(0xFFFF)) * (1.0 / 65535.0)
        measured[k] = r + error_m[k] + noise * (total - 2.0) * 1.7320508
        intensity[k] = min(1.0, echo)


@njit(cache=True)
def pack(
    directions: np.ndarray, measured: np.ndarray, intensity: np.ndarray, offsets_s: np.ndarray, rings: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Points in the lidar frame with their times, intensities and rings, of the rays that came back."""
    count = 0
    for k in range(len(measured)):
        count += measured[k] > 0
    points, times = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    shine, ring = np.empty(count, np.float32), np.empty(count, np.uint8)
    at = 0
    for k in range(len(measured)):
        if measured[k] > 0:
            for i in range(3):
                points[at, i] = directions[k, i] * measured[k]
            times[at], shine[at], ring[at] = offsets_s[k], intensity[k], rings[k]
            at += 1
    return points, times, shine, ring

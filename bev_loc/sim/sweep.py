"""The record of one simulated scan; here, so that reading it needs no ray caster."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """One simulated scan with everything a driver would deliver."""

    stamp_ns: int
    points_lidar: np.ndarray  # (N, 3) float32, in order of time, each in the lidar frame of its moment
    offsets_s: np.ndarray  # (N,) float32 from `stamp_ns`
    intensity: np.ndarray  # (N,) float32, 0..1
    rings: np.ndarray  # (N,) uint8, 0 is the lowest beam

"""Scans and pictures of a simulated drive, by index or time."""

import numpy as np

from .camera import CameraModel, Picture, expose
from .caster import Caster, Moving
from .options import PASSES
from .simulation import Simulation
from .sweep import Sweep
from .traffic import Traffic


class Scanner:
    """A simulation with its world loaded into the ray caster."""

    def __init__(self, simulation: Simulation) -> None:
        options = simulation.options
        self._simulation = simulation
        self._seed = options.seed * 97 + options.run * 13 + PASSES.index(options.drive)
        self._traffic = (
            Traffic(simulation.world, simulation.drive, simulation.route.points, options.moving, self._seed) if options.moving else None
        )
        self._caster = Caster(simulation.world.mesh, simulation.lidar, self._traffic.meshes if self._traffic else ())

    def sweep(self, index: int) -> Sweep:
        """The scan of this index."""
        simulation = self._simulation
        start = simulation.begin_s + index / simulation.lidar.rate_hz
        return self._caster.scan(
            simulation.drive.poses, start, index, self._seed, simulation.stamp_ns(start), self._moving(start)
        )

    def picture(self, t_s: float, camera: CameraModel) -> Picture:
        """What the camera sees at a moment of the drive."""
        T = self._simulation.drive.poses(np.array([t_s]))[0]
        return expose(self._caster, camera, T, self._simulation.stamp_ns(t_s), self._moving(t_s))

    def _moving(self, t_s: float) -> tuple[Moving, ...]:
        seen = self._traffic.during(t_s, 1.0 / self._simulation.lidar.rate_hz) if self._traffic else []
        return tuple(Moving(kind=kind, xyz=xyz, yaw_rad=yaw, v_m_s=v) for kind, xyz, yaw, v in seen)

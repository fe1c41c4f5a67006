"""Ray casting with Open3D: one scan from a moving sensor, with things that move themselves."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import DependencyError
from . import kernels
from .lidar import LidarModel, hidden_by_own_car, unit
from .meshes import REFLECTIVITY, RETURNING, Mesh
from .sweep import Sweep

try:
    import open3d as o3d
except ImportError as missing:  # only the simulator needs it
    raise DependencyError(f"the simulator casts rays with Open3D ({missing}); install it with 'pip install open3d'") from missing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moving:
    """A rigid thing during one scan: straight, at constant speed."""

    kind: int  # index into the meshes the caster was given
    xyz: np.ndarray  # (3,) where it stands at the scan's start, world frame
    yaw_rad: float
    v_m_s: np.ndarray  # (3,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What rays meet: range (infinite for none), surface normal and material."""

    ranges_m: np.ndarray  # (N,) float32
    normals: np.ndarray  # (N, 3) float32
    materials: np.ndarray  # (N,) uint8


class Caster:
    """A world ready to be scanned by one lidar."""

    def __init__(self, mesh: Mesh, model: LidarModel, movers: tuple[Mesh, ...] = ()) -> None:
        self._model, self._unit = model, unit(model)
        self._scene, self._materials = _scene(mesh), mesh.materials
        self._movers = [(_scene(part), part.materials, _radius(part)) for part in movers]
        count = len(model.directions)
        self._hidden = hidden_by_own_car(model.directions) if model.own_car else np.zeros(count, bool)
        self._rays = np.empty((count, 6), np.float32)
        self._measured, self._intensity = np.empty(count, np.float32), np.empty(count, np.float32)
        self._limits = np.array([model.min_range_m, model.max_range_m, model.noise_m, model.reach, model.lost])

    def scan(
        self, poses: Callable[[np.ndarray], np.ndarray], start_s: float, index: int, seed: int, stamp_ns: int,
        moving: tuple[Moving, ...] = (),
    ) -> Sweep:  # fmt: skip
        """The scan that begins at `start_s`; `poses((F,) s)` gives T_world_lidar."""
        model = self._model
        directions, true_directions = model.directions, self._unit.directions
        if model.turns:  # by the golden angle about the axis of sight, so that no scan repeats another
            c, s = np.cos(2.39996 * index), np.sin(2.39996 * index)
            turn = np.array([[1, 0, 0], [0, c, s], [0, -s, c]], np.float32)
            directions, true_directions = directions @ turn, true_directions @ turn
        kernels.make_rays(true_directions, model.firing, poses(start_s + model.firing_s), self._rays)
        seen = self.look(self._rays, model.offsets_s, moving)
        kernels.receive(
            self._rays, seen.ranges_m, seen.normals, seen.materials, self._hidden, REFLECTIVITY, RETURNING, self._limits,
            self._unit.range_error_m, np.uint64((seed * 1_000_003 + index * 7919 + 12345) % 2**63), self._measured, self._intensity,
        )  # fmt: skip
        points, times, shine, rings = kernels.pack(directions, self._measured, self._intensity, model.offsets_s, model.rings)
        return Sweep(stamp_ns=stamp_ns, points_lidar=points, offsets_s=times, intensity=shine, rings=rings)

    def look(self, rays: np.ndarray, offsets_s: np.ndarray, moving: tuple[Moving, ...] = ()) -> Seen:
        """What (N, 6) float32 world rays meet, each at its own (N,) time after the scan's start."""
        hit = self._scene.cast_rays(o3d.core.Tensor.from_numpy(rays))
        seen = Seen(
            ranges_m=hit["t_hit"].numpy(), normals=hit["primitive_normals"].numpy(),
            materials=np.empty(len(rays), np.uint8),
        )  # fmt: skip
        kernels.look_up(hit["primitive_ids"].numpy(), self._materials, seen.materials)
        for thing in moving:
            self._meet(thing, rays, offsets_s, seen)
        return seen

    def _meet(self, thing: Moving, rays: np.ndarray, offsets_s: np.ndarray, seen: Seen) -> None:
        """Rays are carried into the thing's own frame at their own time, so it is distorted as a real one is."""
        scene, materials, radius = self._movers[thing.kind]
        half_s = 0.5 / self._model.rate_hz
        reach = radius + half_s * float(np.linalg.norm(thing.v_m_s))
        near = kernels.near_sphere(rays, seen.ranges_m, thing.xyz + half_s * thing.v_m_s, reach)
        if not len(near):
            return
        c, s = np.cos(thing.yaw_rad), np.sin(thing.yaw_rad)
        R = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        at = thing.xyz + offsets_s[near, None] * thing.v_m_s
        own = np.hstack([(rays[near, :3] - at) @ R, rays[near, 3:] @ R]).astype(np.float32)
        hit = scene.cast_rays(o3d.core.Tensor.from_numpy(own))
        closer = hit["t_hit"].numpy() < seen.ranges_m[near]
        near = near[closer]
        seen.ranges_m[near] = hit["t_hit"].numpy()[closer]
        seen.normals[near] = hit["primitive_normals"].numpy()[closer] @ R.T
        seen.materials[near] = materials[hit["primitive_ids"].numpy()[closer]]


def _scene(mesh: Mesh) -> "o3d.t.geometry.RaycastingScene":
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor.from_numpy(mesh.vertices), o3d.core.Tensor.from_numpy(mesh.triangles))
    return scene


def _radius(mesh: Mesh) -> float:
    return float(np.linalg.norm(mesh.vertices, axis=1).max())

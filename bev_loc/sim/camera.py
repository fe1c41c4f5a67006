"""A pinhole camera: shaded grey images with the edges of things, and depth."""

from dataclasses import dataclass

import numpy as np

from ..geometry import se3
from .caster import Caster, Moving

_BRIGHTNESS = np.array([95, 150, 185, 60, 120, 85, 70, 110, 230, 140], np.float32)  # by material, grey 0..255
_SKY = 235.0
_SUN = np.array([0.45, -0.35, 0.82])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraModel:
    """Pinhole without distortion; x right, y down, z into the picture."""

    width_px: int = 640
    height_px: int = 360
    focal_px: float = 420.0

    def matrix(self) -> np.ndarray:
        """(3, 3) K; the middle of the upper left pixel is (0, 0)."""
        return np.array([
            [self.focal_px, 0.0, 0.5 * (self.width_px - 1)], [0.0, self.focal_px, 0.5 * (self.height_px - 1)], [0.0, 0.0, 1.0],
        ])  # fmt: skip


# In front of and below the lidar, looking forward along the base's x.
T_BASE_CAM = se3.from_parts(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.3, 0.0, -0.15]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One exposure, all pixels at once."""

    stamp_ns: int
    grey: np.ndarray  # (H, W) uint8
    depth_m: np.ndarray  # (H, W) float32 along z, infinite for the sky


def expose(caster: Caster, model: CameraModel, T_world_base: np.ndarray, stamp_ns: int, moving: tuple[Moving, ...] = ()) -> Picture:
    """The picture taken at a pose of the base; things that move stand where they are at the scan's start."""
    K, T = model.matrix(), T_world_base @ T_BASE_CAM
    u, v = np.meshgrid(np.arange(model.width_px), np.arange(model.height_px))
    way = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(u.shape)], -1).reshape(-1, 3)
    stretch = np.linalg.norm(way, axis=1)
    rays = np.empty((len(way), 6), np.float32)
    rays[:, :3], rays[:, 3:] = T[:3, 3], (way / stretch[:, None]) @ T[:3, :3].T
    seen = caster.look(rays, np.zeros(len(rays), np.float32), moving)
    facing = -np.sign(np.einsum("ni,ni->n", seen.normals, rays[:, 3:]))
    light = 0.55 + 0.45 * np.clip(facing * (seen.normals @ _SUN), -0.3, 1.0)
    grey = np.where(np.isfinite(seen.ranges_m), _BRIGHTNESS[seen.materials] * light, _SKY)
    shape = (model.height_px, model.width_px)
    return Picture(
        stamp_ns=stamp_ns, grey=np.clip(grey, 0, 255).astype(np.uint8).reshape(shape),
        depth_m=(seen.ranges_m / stretch).astype(np.float32).reshape(shape),
    )  # fmt: skip

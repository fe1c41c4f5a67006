"""Extrinsics from the static transforms of a recording."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..geometry import se3, so3

_BASE_FRAMES = ("base_link", "base_footprint", "base", "vehicle", "body")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StaticTransform:
    """One edge of the tree."""

    parent: str
    child: str
    T_parent_child: np.ndarray  # (4, 4)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extrinsics:
    """The sensors in the base, None where the tree does not say, and what was found as sentences."""

    T_base_lidar: np.ndarray | None
    T_base_imu: np.ndarray | None
    notes: tuple[str, ...]


def extrinsics(edges: Iterable[StaticTransform], lidar: str, imu: str | None) -> Extrinsics:
    """The sensors' poses in the base frame of the tree, or in the lidar's when it has no base."""
    edges = tuple(edges)
    from_lidar = _reachable(edges, lidar)
    base = next((name for name in _BASE_FRAMES if name in from_lidar), lidar)
    T_base_lidar = se3.inverse(from_lidar[base])
    if base == lidar and imu in (None, lidar):
        notes = (f"no static transform between '{lidar}' and a base frame: the lidar frame is the base",)
        return Extrinsics(T_base_lidar=None, T_base_imu=None, notes=() if base in _BASE_FRAMES else notes)
    if imu is not None and imu not in from_lidar:
        note = f"no static transform between lidar '{lidar}' and IMU '{imu}': give input.T_base_imu"
        T_known = None if base == lidar else T_base_lidar
        return Extrinsics(T_base_lidar=T_known, T_base_imu=None, notes=(note,))
    sensors = f"'{lidar}'" if imu is None else f"'{lidar}' and '{imu}'"
    return Extrinsics(
        T_base_lidar=T_base_lidar,
        T_base_imu=None if imu is None else T_base_lidar @ from_lidar[imu],
        notes=(f"extrinsics of {sensors} in '{base}' come from /tf_static",),
    )


def static_transform(
    parent: str, child: str, xyz: tuple[float, ...], quat_xyzw: tuple[float, ...]
) -> StaticTransform | None:
    """An edge; None when its numbers are no rigid motion."""
    values = np.array([*xyz, *quat_xyzw], float)
    if not np.isfinite(values).all() or np.linalg.norm(values[3:]) < 1e-6:
        return None
    T = se3.from_parts(so3.from_quat_xyzw(values[3:] / np.linalg.norm(values[3:])), values[:3])
    return StaticTransform(parent=parent.lstrip("/"), child=child.lstrip("/"), T_parent_child=T)


def _reachable(edges: tuple[StaticTransform, ...], root: str) -> dict[str, np.ndarray]:
    """T_root_frame of every frame connected with `root`."""
    found, waiting = {root: np.eye(4)}, [root]
    while waiting:
        frame = waiting.pop()
        for edge in edges:
            if edge.parent == frame and edge.child not in found:
                found[edge.child] = found[frame] @ edge.T_parent_child
                waiting.append(edge.child)
            elif edge.child == frame and edge.parent not in found:
                found[edge.parent] = found[frame] @ se3.inverse(edge.T_parent_child)
                waiting.append(edge.parent)
    return found

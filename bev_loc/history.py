"""Every odometry pose, held by its keyframe: when the keyframe moves in the map, its poses move along."""

from array import array
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .geometry import se3
from .records import Keyframe, Odometry


@dataclass(slots=True, kw_only=True, eq=False)
class _Held:
    """The poses of one keyframe, which may still move."""

    stamps_ns: list[int] = field(default_factory=list)
    T_kf_base: list[np.ndarray] = field(default_factory=list)


class History:
    """Stamps, and poses relative to the keyframe before them (to the first one, for those before it).

    `most` bounds what is remembered: the oldest poses go. Without it everything is, 136 bytes a pose once
    its keyframe is settled.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._keyframe: Keyframe | None = None
        self._early: deque[Odometry] = deque(maxlen=most)  # before the first keyframe
        self._held: dict[int, _Held] = {}  # by keyframe, oldest first
        self._held_count = 0  # poses in all of them
        self._settled_ns, self._settled_poses = array("q"), array("d")  # poses that stay as they are, 16 numbers each

    def add(self, odometry: Odometry, keyframe: Keyframe | None) -> None:
        """The next pose, and the keyframe made of it, if one was."""
        if keyframe is not None:
            self._keyframe = keyframe
        if self._keyframe is None:
            self._early.append(_without_cloud(odometry))
            return
        held = self._held.setdefault(self._keyframe.id, _Held())
        for pose in (*self._early, odometry):
            held.stamps_ns.append(pose.stamp_ns)
            held.T_kf_base.append(se3.inverse(self._keyframe.T_odom_kf) @ pose.T_odom_base)
        self._held_count += 1 + len(self._early)
        self._early.clear()
        if self._most is not None:
            self._forget_held(self._held_count - self._most)

    def settle(self, final: Mapping[int, np.ndarray | None]) -> None:
        """These keyframes stay where they are (T_map_kf by id), or never get a place: then their poses go."""
        for id, T_map_kf in final.items():
            held = self._held.pop(id, None)
            if held is None:
                continue
            self._held_count -= len(held.stamps_ns)
            if T_map_kf is None:
                continue
            self._settled_ns.extend(held.stamps_ns)
            for T_kf_base in held.T_kf_base:
                self._settled_poses.extend((T_map_kf @ T_kf_base).ravel())
        if self._most is not None and len(self._settled_ns) > 2 * self._most:
            del self._settled_ns[: -self._most], self._settled_poses[: -16 * self._most]

    def resolve(self, T_map_kf: Callable[[int], np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
        """(N,) int64 stamps and (N, 4, 4) T_map_base of the poses whose keyframe has a place in the map, by stamp."""
        stamps_ns = [np.array(self._settled_ns, np.int64)]
        poses = [np.array(self._settled_poses, float).reshape(-1, 4, 4)]
        for id, held in self._held.items():
            T = T_map_kf(id)
            if T is not None:
                stamps_ns.append(np.array(held.stamps_ns, np.int64))
                poses.append(T @ np.array(held.T_kf_base))
        all_ns, all_poses = np.concatenate(stamps_ns), np.concatenate(poses)
        order = np.argsort(all_ns, kind="stable")
        order = order if self._most is None else order[-self._most :]
        return all_ns[order], all_poses[order]

    def _forget_held(self, count: int) -> None:
        """The oldest poses go: while mapping no keyframe settles, and one that is parked on gathers them for hours."""
        while count > 0:
            id, oldest = next(iter(self._held.items()))
            gone = min(count, len(oldest.stamps_ns))
            del oldest.stamps_ns[:gone], oldest.T_kf_base[:gone]
            if not oldest.stamps_ns:
                del self._held[id]
            self._held_count -= gone
            count -= gone


def _without_cloud(odometry: Odometry) -> Odometry:
    """The pose alone: clouds of a vehicle that waits without a keyframe would fill the memory."""
    return Odometry(
        stamp_ns=odometry.stamp_ns,
        T_odom_base=odometry.T_odom_base,
        covariance=odometry.covariance,
        points_base=odometry.points_base[:0].copy(),
        health=odometry.health,
    )

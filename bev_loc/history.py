"""Every odometry pose, held by its keyframe: when the keyframe moves in the map, its poses move along."""

from collections.abc import Callable

import numpy as np

from .geometry import se3
from .records import Keyframe, Odometry


class History:
    """Stamps, and poses relative to the keyframe before them (to the first one, for those before it)."""

    def __init__(self) -> None:
        self._keyframe: Keyframe | None = None
        self._stamps_ns: list[int] = []
        self._keyframe_ids: list[int] = []
        self._T_kf_base: list[np.ndarray] = []
        self._early: list[Odometry] = []  # before the first keyframe

    def add(self, odometry: Odometry, keyframe: Keyframe | None) -> None:
        """The next pose, and the keyframe made of it, if one was."""
        if keyframe is not None:
            self._keyframe = keyframe
        if self._keyframe is None:
            self._early.append(odometry)
            return
        early, self._early = self._early, []
        for pose in (*early, odometry):
            self._stamps_ns.append(pose.stamp_ns)
            self._keyframe_ids.append(self._keyframe.id)
            self._T_kf_base.append(se3.inverse(self._keyframe.T_odom_kf) @ pose.T_odom_base)

    def resolve(self, T_map_kf: Callable[[int], np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
        """(N,) int64 stamps and (N, 4, 4) T_map_base of the poses whose keyframe has a place in the map."""
        stamps_ns, poses = [], []
        for stamp_ns, id, T_kf_base in zip(self._stamps_ns, self._keyframe_ids, self._T_kf_base):
            T = T_map_kf(id)
            if T is not None:
                stamps_ns.append(stamp_ns)
                poses.append(T @ T_kf_base)
        return np.array(stamps_ns, np.int64), np.array(poses, float).reshape(-1, 4, 4)

"""A synthetic town seen from anywhere with known truth, and keyframes of it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pytest

from bev_loc.bev.raster import rasterise
from bev_loc.clouds.voxels import downsample
from bev_loc.config import BevConfig, PlaceConfig
from bev_loc.geometry import se3, so3
from bev_loc.place.describe import make_describer
from bev_loc.records import Keyframe

BEV = BevConfig()


class MakeKeyframe(Protocol):
    """A keyframe at T_town_kf whose odometry thinks that its roll and pitch are those of R_level_kf."""

    def __call__(
        self, id: int, T_town_kf: np.ndarray, *, R_level_kf: np.ndarray | None = None, town: int = 0
    ) -> Keyframe: ...


def _town(seed: int) -> np.ndarray:
    """(N, 3) points: ground at -1.7 m, walls of 3 to 9 m and poles, about 130 m across."""
    rng = np.random.default_rng(seed)
    ground = np.column_stack([rng.uniform(-65, 65, (40000, 2)), rng.normal(-1.7, 0.02, 40000)])
    parts = [ground]
    for _ in range(60):
        corner, length = rng.uniform(-60, 60, 2), rng.uniform(4, 16)
        yaw = rng.integers(0, 4) * np.pi / 2 + rng.normal(0, 0.1)
        along, up = rng.uniform(0, length, int(90 * length)), rng.uniform(-1.7, rng.uniform(1.5, 7.0), int(90 * length))
        parts.append(np.column_stack([corner[0] + along * np.cos(yaw), corner[1] + along * np.sin(yaw), up]))
    for _ in range(80):
        foot = rng.uniform(-60, 60, 2)
        parts.append(np.column_stack([foot + rng.normal(0, 0.08, (60, 2)), rng.uniform(-1.7, 4.0, 60)]))
    return np.vstack(parts)


@pytest.fixture(scope="session")
def make_keyframe() -> MakeKeyframe:
    towns: dict[int, np.ndarray] = {}
    describer = make_describer(PlaceConfig(), BEV)

    def make(id: int, T_town_kf: np.ndarray, *, R_level_kf: np.ndarray | None = None, town: int = 0) -> Keyframe:
        points_town = towns.setdefault(town, _town(town))
        rng = np.random.default_rng(id)
        seen = points_town[rng.random(len(points_town)) < 0.7] + rng.normal(0, 0.02, 3)
        points_kf = se3.apply(se3.inverse(T_town_kf), seen).astype(np.float32)
        points_kf = points_kf[np.linalg.norm(points_kf, axis=1) < 50.0]
        R = so3.level(T_town_kf[:3, :3]) if R_level_kf is None else R_level_kf
        image = rasterise(points_kf @ R.T.astype(np.float32), BEV)
        return Keyframe(
            id=id,
            session=0,
            stamp_ns=id,
            T_odom_kf=T_town_kf,
            R_level_kf=R,
            points_kf=downsample(points_kf, 0.4),
            image=image,
            descriptor=describer.describe(image),
            path_m=0.0,
        )

    return make


@pytest.fixture
def no_submap() -> Callable[[int], np.ndarray]:
    return lambda id: np.zeros((0, 3), np.float32)

"""A street that the command line is tried on: walls, posts and ground, driven along at 0.5 m a scan."""

from pathlib import Path

import numpy as np
import pytest

SCANS = 12
STEP_M = 0.5


def street_points() -> np.ndarray:
    """(N, 3) float32 in the frame of the first scan: ground, two broken walls, posts."""
    rng = np.random.default_rng(0)
    x, y, z = rng.uniform(-30, 45, 40_000), rng.uniform(-12, 12, 40_000), rng.uniform(-1.7, 5, 40_000)
    ground = np.stack([x, y, np.full_like(x, -1.7)], 1)
    wall = (np.sin(x * 0.9) > -0.5) * 1.5
    left, right = np.stack([x, 9 + wall, z], 1), np.stack([x, -8 - 1.5 * (np.cos(x * 0.6) > 0), z], 1)
    posts = [np.stack([np.full(300, px) + rng.normal(0, 0.1, 300), np.full(300, py), rng.uniform(-1.7, 3, 300)], 1)
             for px, py in rng.uniform([-25, -6], [40, 6], (25, 2))]  # fmt: skip
    return np.concatenate([ground[::2], left[::3], right[1::3], *posts]).astype(np.float32)


def write_street(folder: Path, scans: int = SCANS) -> Path:
    """A bare velodyne folder."""
    folder.mkdir(parents=True)
    points, rng = street_points(), np.random.default_rng(1)
    for index in range(scans):
        seen = points[rng.random(len(points)) < 0.5] - np.float32([STEP_M * index, 0, 0])
        seen = seen[np.linalg.norm(seen, axis=1) < 40] + rng.normal(0, 0.01, 3).astype(np.float32)
        np.hstack([seen, np.zeros((len(seen), 1), np.float32)]).tofile(folder / f"{index:06d}.bin")
    return folder


@pytest.fixture(scope="session")
def street(tmp_path_factory) -> Path:
    """Read only."""
    return write_street(tmp_path_factory.mktemp("street") / "velodyne")

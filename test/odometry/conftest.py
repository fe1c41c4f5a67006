"""Makes the box world importable by the tests beside it, and drives through it once for all of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from box_world import drive, scan, street  # noqa: E402

from bev_loc.records import LidarScan  # noqa: E402


@pytest.fixture(scope="session")
def sweeps() -> list[LidarScan]:
    """Six seconds of the drive."""
    rng = np.random.default_rng(0)
    boxes = street()
    return [scan(boxes, drive, 0.1 * k, rng) for k in range(60)]

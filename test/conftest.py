"""What every test may use: calm thread pools, and the real data where it exists."""

import os
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import pytest  # noqa: E402
from real_data import RealData  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data() -> RealData:
    """Real recordings: `data / "kitti_raw"`."""
    return RealData(Path(os.environ.get("BEV_LOC_DATA", REPOSITORY.parent / "shared" / "data")))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return REPOSITORY

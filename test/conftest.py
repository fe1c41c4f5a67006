"""What every test may use: calm thread pools, and the real data where it exists."""

import os
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import pytest  # noqa: E402
from real_data import RealData  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[1]
ROS = REPOSITORY / "test" / "ros"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side (-n 2 --dist loadgroup), a file's tests stay together, and so do all that start nodes and wait for them."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            together = "ros" if ROS in item.path.parents else str(item.path.relative_to(REPOSITORY))
            item.add_marker(pytest.mark.xdist_group(together))


@pytest.fixture(scope="session")
def data() -> RealData:
    """Real recordings: `data / "kitti_raw"`."""
    return RealData(Path(os.environ.get("BEV_LOC_DATA", REPOSITORY.parent / "shared" / "data")))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return REPOSITORY

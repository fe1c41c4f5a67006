"""What an installation holds, and where: read from the wheel that pip would install."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "out", "build", "*.egg-info", "__pycache__", "test")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    pytest.importorskip("setuptools", minversion="71", reason="building needs setuptools: pip install setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(Path(__file__).resolve().parents[1], folder / "source", ignore=LEFT_OUT)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def data_files(wheel: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {info.filename.split(".data/data/")[1]: info for info in wheel.infolist() if ".data/data/" in info.filename}


@pytest.mark.parametrize("node", ["odometry_node", "localization_node", "source_node"])
def test_nodes_are_executable_where_ros_looks_and_start_their_namesake(wheel, node):
    info = data_files(wheel)[f"lib/bev_loc/{node}"]
    assert (info.external_attr >> 16) & 0o111 == 0o111
    entry_points = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert f"bev_loc_{node} = bev_loc.ros.{node}:main" in entry_points
    assert "bev_loc = bev_loc.cli.main:main" in entry_points


def test_the_package_is_in_the_ament_index_with_launch_and_configuration(wheel, repository):
    files = set(data_files(wheel))
    assert {"share/ament_index/resource_index/packages/bev_loc", "share/bev_loc/package.xml"} <= files
    shipped = [*repository.glob("launch/*.launch.py"), *repository.glob("config/*"), *repository.glob("rviz/*")]
    wanted = {f"share/bev_loc/{path.relative_to(repository)}" for path in shipped if path.is_file()}
    assert wanted and wanted <= files, wanted - files


def test_every_module_is_in_it(wheel, repository):
    modules = {str(path.relative_to(repository)) for path in (repository / "bev_loc").rglob("*.py")}
    assert modules <= set(wheel.namelist())


def test_it_depends_on_lower_bounds_and_neither_on_torch_nor_on_ros(wheel):
    metadata = next(wheel.read(name).decode() for name in wheel.namelist() if name.endswith("METADATA"))
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert len(required) > 5 and all(">=" in line for line in required)
    assert not [line for line in required if any(name in line for name in ("torch", "open3d", "ros-", "rclpy"))]

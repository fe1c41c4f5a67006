"""Package for pip and colcon. The configuration, launch and node files go where ROS 2 looks for them."""

import re
from glob import glob
from pathlib import Path

from setuptools import Distribution, find_packages, setup

here = Path(__file__).resolve().parent  # colcon --symlink-install runs a link to this file
version = re.search(r'__version__ = "(.+)"', (here / "bev_loc/__init__.py").read_text()).group(1)
nodes = ("odometry_node", "localization_node", "source_node", "line_node")


class WithData(Distribution):
    """Editable installs ask this before they install data files; without it `ros2 run` would find nothing there."""

    def has_data(self) -> bool:
        return self.has_data_files()


setup(
    name="bev_loc",
    distclass=WithData,
    version=version,
    description="LiDAR global localization and mapping from bird's-eye-view images, with ROS 2 nodes",
    long_description=(here / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    maintainer="bev_loc maintainers",
    maintainer_email="bev_loc@example.org",
    python_requires=">=3.11",
    packages=find_packages(include=["bev_loc", "bev_loc.*"]),
    package_data={"bev_loc.lines": ["weights/*"], "bev_loc.place": ["weights/*"]},
    zip_safe=False,  # the weights are read as files
    install_requires=[
        "faiss-cpu>=1.8",
        "gtsam>=4.3.0",
        "matplotlib>=3.6",
        "numba>=0.60",
        "numpy>=1.26",
        "onnxruntime>=1.17",
        "opencv-python-headless>=4.8",
        "PyYAML>=6.0",
        "rosbags>=0.11",
        "scipy>=1.11",
        "small_gicp>=1.0",
        "tqdm>=4.60",
    ],
    extras_require={
        "sim": ["open3d>=0.19"],
        "view": ["rerun-sdk>=0.41"],
        "test": ["onnx>=1.16", "pytest>=8", "pytest-xdist>=3.6", "evo>=1.30", "rerun-sdk>=0.41", "setuptools>=71", "torch>=2.4"],
        "bench": ["kiss-icp>=1.2", "kiss-matcher>=1.0", "rko_lio>=0.4"],
        "train": ["onnx>=1.16", "torch>=2.4"],
    },
    entry_points={
        "console_scripts": [
            "bev_loc = bev_loc.cli.main:main",
            *(f"bev_loc_{node} = bev_loc.ros.{node}:main" for node in nodes),
        ]
    },
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/bev_loc"]),
        ("share/bev_loc", ["package.xml"]),
        ("share/bev_loc/launch", glob("launch/*.launch.py")),
        ("share/bev_loc/config", glob("config/*.yaml") + glob("config/*.xml")),
        ("share/bev_loc/config/presets", glob("config/presets/*.yaml")),
        ("share/bev_loc/rviz", glob("rviz/*.rviz")),
        ("share/bev_loc/systemd", glob("systemd/*")),
        ("share/bev_loc/docker", glob("docker/Dockerfile.*")),
        ("share/bev_loc/docs", glob("docs/*.md")),
        ("lib/bev_loc", [f"scripts/{node}" for node in nodes]),
    ],
)

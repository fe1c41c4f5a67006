"""`bev_loc doctor`: what is here, what is missing and how to get it; with a SOURCE, what that source is."""

import argparse
import os
import platform
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import __version__
from ..thread_environment import thread_environment
from .options import add_config_options, add_json_option, config_from, print_result
from .system_libraries import missing_packages

# module, package, what it is for; the first group is required
_REQUIRED = (
    ("numpy", "numpy", "arrays"),
    ("scipy", "scipy", "transforms"),
    ("numba", "numba", "compiled kernels"),
    ("cv2", "opencv-python-headless", "images"),
    ("yaml", "PyYAML", "configuration"),
    ("faiss", "faiss-cpu", "place search"),
    ("gtsam", "gtsam", "pose graph"),
    ("small_gicp", "small_gicp", "registration of closures"),
    ("rosbags", "rosbags", "reading bags"),
    ("matplotlib", "matplotlib", "report pictures"),
    ("tqdm", "tqdm", "progress"),
)
_OPTIONAL = (
    ("open3d", "open3d", "simulator and demo"),
    ("rerun", "rerun-sdk", "run --rerun: a recording to look at"),
    ("evo", "evo", "tests"),
    ("pytest", "pytest", "tests"),
    ("kiss_icp", "kiss-icp", "benchmark peer"),
    ("kiss_matcher", "kiss-matcher", "benchmark peer"),
)
_ROS = ("rclpy", "sensor_msgs", "nav_msgs", "geometry_msgs", "std_srvs", "tf2_ros", "launch_ros")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    name: str
    state: str  # "ok", "missing", "absent" (optional), "note"
    text: str


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("doctor", help="what is installed, what is missing; describe a source")
    parser.add_argument("source", metavar="SOURCE", nargs="?", help="describe this source: what was detected, rates, points")
    add_config_options(parser)
    add_json_option(parser)
    parser.set_defaults(handler=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.source is not None:
        from .source_description import describe

        description = describe(arguments.source, config_from(arguments))
        print_result(description, arguments.json, "\n".join(f"{key}: {_flat(value)}" for key, value in description.items()))
        return 0
    findings = [*_packages(), *_system(), *_ros(), *_environment()]
    missing = [finding.name for finding in findings if finding.state == "missing"]
    result: dict[str, Any] = {
        "version": __version__,
        "missing": missing,
        "findings": {finding.name: {"state": finding.state, "text": finding.text} for finding in findings},
    }
    width = max(len(finding.name) for finding in findings)
    lines = [f"bev_loc {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"]
    lines += [f"  {finding.state:8}{finding.name:{width}}  {finding.text}" for finding in findings]
    lines.append(f"missing: {', '.join(missing)}" if missing else "everything that is required is here")
    print_result(result, arguments.json, "\n".join(lines))
    return 1 if missing else 0


def _packages() -> list[Finding]:
    findings = []
    for group, required in ((_REQUIRED, True), (_OPTIONAL, False)):
        for module, package, purpose in group:
            if find_spec(module) is not None:
                findings.append(Finding(name=package, state="ok", text=f"{_version(package)} ({purpose})"))
            else:
                state = "missing" if required else "absent"
                findings.append(Finding(name=package, state=state, text=f"{purpose}: pip install {package}"))
    return findings


def _system() -> list[Finding]:
    packages = missing_packages()
    if not packages:
        return [Finding(name="system libraries", state="ok", text="OpenMP, OpenGL, X11 and USB can be loaded")]
    # Only OpenMP is needed without the simulator.
    state = "missing" if "libgomp1" in packages else "absent"
    return [Finding(name="system libraries", state=state, text=f"sudo apt-get install -y {' '.join(packages)}")]


def _ros() -> list[Finding]:
    distribution = os.environ.get("ROS_DISTRO", "")
    found = [name for name in _ROS if find_spec(name) is not None]
    if "rclpy" not in found:
        text = "nodes need it: source /opt/ros/jazzy/setup.bash; the command line works without"
        return [Finding(name="ROS 2", state="absent", text=text)]
    lacking = [name for name in _ROS if name not in found]
    text = f"{distribution or 'wheels, no distribution sourced'}" + (f"; without {', '.join(lacking)}" if lacking else "")
    return [Finding(name="ROS 2", state="ok", text=text)]


def _environment() -> list[Finding]:
    threads = " ".join(f"{name}={value}" for name, value in thread_environment().items())
    return [
        _numba_cache(),
        _data(),
        Finding(name="thread pools", state="note", text=threads),
        Finding(name="processor", state="note", text=f"{os.cpu_count()} cores"),
    ]


def _numba_cache() -> Finding:
    """Compiled kernels must be kept somewhere, or every start costs half a minute."""
    package = Path(__file__).resolve().parents[1]
    folders = [Path(os.environ["NUMBA_CACHE_DIR"])] if "NUMBA_CACHE_DIR" in os.environ else [package, Path.home() / ".cache"]
    for folder in folders:
        if _writable(folder):
            return Finding(name="kernel cache", state="ok", text=f"{folder} can be written")
    text = f"{', '.join(map(str, folders))} cannot be written: export NUMBA_CACHE_DIR=/some/writable/folder"
    return Finding(name="kernel cache", state="missing", text=text)


def _data() -> Finding:
    """Recorded data that tests and benchmarks use; nothing else needs it."""
    folder = os.environ.get("BEV_LOC_DATA", "")
    if Path(folder).is_dir() and folder:
        return Finding(name="test data", state="ok", text=folder)
    return Finding(name="test data", state="absent", text="tests on real scans are skipped: export BEV_LOC_DATA=/its/folder")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


def _flat(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)

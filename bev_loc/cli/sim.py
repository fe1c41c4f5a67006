"""`bev_loc sim`: a simulated drive written as a rosbag2 or a KITTI folder, with its truth."""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from .options import add_json_option, not_negative, plain, print_result

if TYPE_CHECKING:
    from ..sim.simulation import Simulation

_GRAMMAR = """
NAME is a world, with options after commas, as in 'town,pass=other,moving=8,faults=imu_gap@20:1.5+nan@40:0.2'; the same
text after 'sim:' is a source of 'bev_loc run'. An unknown world, option, lidar or fault is answered with the known ones.
World 'around' is laid out along the track of --trajectory (TUM, or KITTI poses beside their times) or of --imu (.npz with
time_s, gyro_rad_s, acc_m_s2, rpy_rad, position_m, velocity_m_s), whose IMU samples are then the real ones.
"""
_FORMATS = ("bag", "kitti")


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("sim", help="write a simulated drive, with truth", epilog=_GRAMMAR)
    parser.add_argument("name", metavar="NAME[,KEY=VALUE...]", help="world and options, for example town or town,moving=8")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the sequence")
    parser.add_argument("--format", choices=_FORMATS, default="bag", help="rosbag2 (mcap) or KITTI odometry folder; default bag")
    parser.add_argument("--trajectory", metavar="FILE", help="drive along these poses")
    parser.add_argument("--imu", metavar="FILE", help="use these real IMU samples")
    parser.add_argument("--lidar", metavar="PRESET", help="hdl64 (default), hdl32, vlp16, os1-64, os1-128, livox")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of the drive; default: all of it")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the world; default 1")
    parser.add_argument("--camera", type=not_negative, default=2.0, metavar="HZ", help="pictures a second in a bag; default 2, 0 for none")
    parser.add_argument("--force", action="store_true", help="replace an earlier simulation in DIR")
    add_json_option(parser)
    parser.set_defaults(handler=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..sim.options import checked, parse
    from ..sim.simulation import simulate

    given = {"trajectory": arguments.trajectory, "imu_file": arguments.imu, "lidar": arguments.lidar, "seconds": arguments.seconds,
             "seed": arguments.seed}  # fmt: skip
    given = {key: value for key, value in given.items() if value is not None}
    options = checked(replace(parse(arguments.name), **given))
    text = ",".join([arguments.name, *(f"{key}={value}" for key, value in given.items())])
    simulation = simulate(options)
    _claim(arguments.out, arguments.force)
    print(f"bev_loc: simulating '{text}': {simulation.scan_count} scans", file=sys.stderr)
    points = list(_with_progress(_writer(simulation, arguments), simulation.scan_count))
    from ..geometry.trajectory import path_length_m

    fields = {
        "scans": len(points), "points": sum(points), "imu_samples": 0 if simulation.imu is None else len(simulation.imu.t_s),
        "seconds": simulation.end_s - simulation.begin_s, "path_length_m": float(path_length_m(simulation.truth()[1])[-1]),
        "triangles": len(simulation.world.mesh.triangles), "notes": list(simulation.notes), "sim": text,
        "format": arguments.format, "out": arguments.out,
    }  # fmt: skip
    (arguments.out / "simulation.json").write_text(json.dumps(plain(fields), indent=1) + "\n")
    summary = (
        f"{len(points)} scans over {fields['path_length_m']:.0f} m written to {arguments.out} ({arguments.format}), truth in truth.tum"
    )
    print_result(fields, arguments.json, summary)
    return 0


def _writer(simulation: "Simulation", arguments: argparse.Namespace) -> Iterator[int]:
    if arguments.format == "kitti":
        from ..sim.write_kitti import write_kitti

        return write_kitti(simulation, arguments.out)
    from ..sim.write_bag import write_bag

    return write_bag(simulation, arguments.out, arguments.camera)


def _with_progress(steps: Iterator[int], total: int) -> Iterator[int]:
    from tqdm import tqdm

    return iter(tqdm(steps, total=total, unit="scan", file=sys.stderr, disable=not sys.stderr.isatty()))


def _claim(folder: Path, force: bool) -> None:
    """An empty or new folder, or with `force` one that an earlier simulation wrote; OutputError otherwise."""
    try:
        if folder.is_dir() and any(folder.iterdir()):
            if not force or not (folder / "simulation.json").is_file():
                raise OutputError(
                    f"{folder}: expected a new or empty folder; name another with --out, or replace an earlier simulation with --force"
                )
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); name another with --out") from None

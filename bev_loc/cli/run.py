"""`bev_loc run`: the whole system on a source of scans."""

import argparse
import sys
from pathlib import Path

from .options import add_config_options, add_json_option, config_from, print_result

_OUTPUTS = """
DIR gets odometry.tum, trajectory.tum (optimised, map frame), events.jsonl (every candidate with its reason, every
dropped scan), timing.json, config.yaml and report.html; with --rerun also recording.rrd. An earlier run's
files there are replaced. Interrupted half-way, all of them are written from what was done, and the exit code is 130.
"""


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("run", help="odometry, mapping and localization on recorded scans", epilog=_OUTPUTS)
    parser.add_argument(
        "source", metavar="SOURCE",
        help="KITTI odometry sequence or velodyne folder, KITTI raw drive, rosbag (.bag, .db3, .mcap or its folder), "
        "folder of pcd/ply/npz/range images, keyframe archive (.npz), sim:NAME",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--map", type=Path, metavar="MAP", help="localize in this saved map")
    parser.add_argument("--extend", action="store_true", help="with --map: go on mapping and join this drive to it")
    parser.add_argument("--save-map", type=Path, metavar="MAP", help="save the map, keyframe by keyframe as it grows")
    parser.add_argument("--rerun", action="store_true", help="write recording.rrd too, to look at with rerun (pip install rerun-sdk)")
    parser.add_argument("--force", action="store_true", help="overwrite files in DIR that no earlier run wrote")
    add_config_options(parser)
    add_json_option(parser)
    parser.set_defaults(handler=_run, usage_error=parser.error)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.extend and not arguments.map:
        arguments.usage_error("--extend needs --map: the map that this drive is joined to")
    if arguments.save_map and arguments.map and not arguments.extend:
        arguments.usage_error("--save-map with --map needs --extend: localizing alone does not change the map")
    from .session import Session

    session = Session.prepare(
        arguments.source,
        config_from(arguments),
        out=arguments.out,
        map_path=arguments.map,
        extend=arguments.extend,
        save_map_path=arguments.save_map,
        force=arguments.force,
        rerun=arguments.rerun,
    )
    result = session.run()
    print_result(result.fields, arguments.json, result.text)
    if session.interrupted:
        print(f"bev_loc: interrupted; {arguments.out} holds the results so far", file=sys.stderr)
        return 130
    return 0

"""`bev_loc evaluate`: figures against a reference."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from . import evaluate_closure, evaluate_lines, evaluate_place
from .options import above_zero, add_json_option, print_result


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("evaluate", help="compare results with a reference")
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="SUBJECT")
    trajectory = subjects.add_parser(
        "trajectory",
        help="ATE, RPE and KITTI segment errors of a trajectory",
        description="ATE after rigid alignment and RPE from pose to pose (root mean squares, as evo defines them), and "
        "KITTI's mean errors of segments of 100 to 800 m. Files are TUM (stamp x y z qx qy qz qw) or KITTI (3 x 4 rows). "
        "The reference is interpolated at the estimate's stamps; two KITTI files are compared row by row.",
    )
    trajectory.add_argument("estimate", type=Path, metavar="EST")
    trajectory.add_argument("reference", type=Path, metavar="REF")
    trajectory.add_argument("--times", type=Path, metavar="FILE", help="times.txt that stamps the rows of a KITTI file")
    trajectory.add_argument(
        "--calib", type=Path, metavar="FILE",
        help="KITTI calib.txt: a KITTI reference in the camera frame is moved into the LiDAR's by its Tr",
    )  # fmt: skip
    trajectory.add_argument(
        "--max-gap", type=above_zero, default=0.5, metavar="S", help="interpolate between reference poses at most this far apart"
    )
    add_json_option(trajectory)
    trajectory.set_defaults(handler=_trajectory)
    evaluate_closure.register(subjects)
    evaluate_place.register(subjects)
    evaluate_lines.register(subjects)


def _trajectory(arguments: argparse.Namespace) -> int:
    from ..evaluation.trajectory import compare, stamps_back
    from ..evaluation.trajectory_files import read_pair

    estimate, reference = read_pair(arguments.estimate, arguments.reference, arguments.times, arguments.calib)
    for path, trajectory in ((arguments.estimate, estimate), (arguments.reference, reference)):
        if back := stamps_back(trajectory):
            print(f"bev_loc: {path}: {back} stamps lie before the row above them; compared in order of time", file=sys.stderr)
    errors = compare(estimate, reference, max_gap_s=arguments.max_gap)
    result = {leaf.name: getattr(errors, leaf.name) for leaf in fields(errors)}
    lines = [
        f"{errors.poses} poses over {errors.path_length_m:.1f} m of reference",
        f"ATE  {errors.ate_rmse_m:.4f} m RMS, median {errors.ate_median_m:.4f}, maximum {errors.ate_max_m:.4f}",
        f"RPE  {errors.rpe_m:.4f} m, {errors.rpe_deg:.4f} deg from pose to pose",
    ]
    if errors.kitti_translation_percent is None:
        lines.append("KITTI segments: none, the path is shorter than 100 m")
    else:
        lines.append(f"KITTI segments: {errors.kitti_translation_percent:.4f} %, {errors.kitti_rotation_deg_per_m:.6f} deg/m")
    print_result(result, arguments.json, "\n".join(lines))
    return 0

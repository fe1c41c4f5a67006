"""`bev_loc evaluate closure`: loop closure and pose graph on BEV images along an odometry."""

import argparse
import csv
import io
import json
import sys
from pathlib import Path

from .options import add_config_options, add_json_option, config_from, finite, plain, print_result


def register(subjects: argparse._SubParsersAction) -> None:
    """Adds the subject."""
    parser = subjects.add_parser(
        "closure",
        help="loop closure on BEV images along an odometry",
        description="Every 5th image asks; images more than 100 scans and 50 m of path earlier may answer; a revisit has one "
        "within 5 m. A closure is right within 2 m and 5 degrees. ATE is 3-D after rigid alignment; the oracle is the same "
        "graph with one true closure a revisit, with noise of 0.12 m and 0.17 degrees.",
    )
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="PNGs in the order of the poses")
    parser.add_argument("--odometry", type=Path, required=True, metavar="FILE", help="rows 'n x y z qx qy qz qw', one an image")
    parser.add_argument("--poses", type=Path, required=True, metavar="FILE", help="the truth: 3 x 4 rows, LiDAR frame")
    parser.add_argument(
        "--drift-yaw-deg-per-m", type=finite, default=0.0, metavar="D", help="turn every motion by its length times D degrees"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write closure.json, closures.csv and closure.png there")
    add_config_options(parser)
    add_json_option(parser)
    parser.set_defaults(handler=_closure)


def _closure(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..evaluation.closure import evaluate
    from ..evaluation.closure_drive import ClosureProtocol, read_drive
    from .outputs import make_writable

    if arguments.out is not None:
        make_writable(arguments.out)
    protocol = ClosureProtocol(drift_yaw_deg_per_m=arguments.drift_yaw_deg_per_m)
    drive = read_drive(arguments.images, arguments.odometry, arguments.poses, protocol)
    with tqdm(total=len(drive.queries), unit="query", file=sys.stderr, mininterval=0.1 if sys.stderr.isatty() else 10.0) as bar:
        figures = evaluate(drive, config_from(arguments), advance=bar.update)
    names = ("queries", "revisits", "closures", "precision", "recall", "recall_at_100_precision", "average_precision", "max_f1",
             "ate_before_m", "ate_after_m", "ate_oracle_m", "median_translation_m", "median_rotation_deg",
             "candidates_by_reason")  # fmt: skip
    result = {name: getattr(figures, name) for name in names}
    if arguments.out is not None:
        _write(arguments.out, drive, figures, result)
    precision = "no closure" if figures.precision is None else f"{figures.closures} closures, {100 * figures.precision:.2f} % right"
    text = (
        f"{figures.queries} queries, {figures.revisits} revisits: {precision}; recall {100 * figures.recall:.1f} %, "
        f"at 100 % precision {100 * figures.recall_at_100_precision:.1f} %, AP {figures.average_precision:.4f}, "
        f"max F1 {figures.max_f1:.4f}\n"
        f"ATE before {figures.ate_before_m:.3f} m, after {figures.ate_after_m:.3f} m, with oracle closures "
        f"{figures.ate_oracle_m:.3f} m"
    )
    print_result(result, arguments.json, text)
    return 0


def _write(out: Path, drive, figures, result: dict) -> None:
    import numpy as np

    from ..evaluation.bev_folder import write_bytes
    from ..evaluation.closure import planar_error
    from ..viz.closure_view import ClosedDrive, draw_closures

    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["query", "match", "method", "score", "inliers", "off_m", "off_deg", "right"])
    for closure, right in zip(figures.accepted, figures.right):
        metres, radians = planar_error(drive, closure)
        rows.writerow([closure.query_id, closure.match_id, closure.method, f"{closure.score:.4f}", closure.inliers,
                       f"{metres:.4f}", f"{np.degrees(radians):.4f}", int(right)])  # fmt: skip
    shown = ClosedDrive(
        truth_m=drive.T_truth_lidar[:, :2, 3],
        before_m=figures.T_truth_before[:, :2, 3],
        after_m=figures.T_truth_after[:, :2, 3],
        closures=np.array([(c.query_id, c.match_id) for c in figures.accepted], int).reshape(-1, 2),
        right=figures.right,
        curve=figures.curve,
    )
    write_bytes(out / "closures.csv", table.getvalue().encode())
    write_bytes(out / "closure.json", (json.dumps(plain(result), indent=1) + "\n").encode())
    write_bytes(out / "closure.png", draw_closures(shown, figures.ate_before_m, figures.ate_after_m))

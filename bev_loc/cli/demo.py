"""`bev_loc demo`: a simulated town is mapped, then localized in from an unknown pose."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import add_json_option, print_result

if TYPE_CHECKING:
    from .session import Session

# The second drive takes the same streets in the other lane and direction, between other parked cars, and
# starts somewhere on the way: nothing tells it where.
_MAPPING = "sim:town,seconds=80"
_LOCALIZING = "sim:town,pass=other,start=40,seconds=30"


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "demo",
        help="map a simulated town, then localize in it from an unknown pose",
        description="Maps a simulated town with loops, saves the map, and localizes in it from an unknown pose on "
        "another pass: other lane, other direction, other parked cars. Needs no data; writes two reports.",
    )
    parser.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--force", action="store_true", help="overwrite files in DIR that no earlier demo wrote")
    add_json_option(parser)
    parser.set_defaults(handler=_run)


def _run(arguments: argparse.Namespace) -> int:
    map_path = arguments.out / "map"
    mapping = _drive(_MAPPING, "mapping", arguments, save_map_path=map_path)
    localizing = _drive(_LOCALIZING, "localizing", arguments, map_path=map_path)
    found = _localization(mapping, localizing)
    results = {"mapping": mapping.result.fields, "localizing": localizing.result.fields, "localization": found}
    text = [f"mapping ({_MAPPING})", mapping.result.text, f"localizing ({_LOCALIZING})", localizing.result.text, _said(found)]
    print_result(results, arguments.json, "\n".join(text))
    return 0


def _drive(source: str, name: str, arguments: argparse.Namespace, **maps: Path) -> "Session":
    from ..config import Config
    from .session import Session

    print(f"bev_loc: {name}: {source}", file=sys.stderr)
    title = f"Demo, {name}: a simulated town"
    session = Session.prepare(source, Config(), out=arguments.out / name, force=arguments.force, title=title, **maps)
    session.run()
    if session.interrupted:
        raise KeyboardInterrupt
    return session


def _localization(mapping: "Session", localizing: "Session") -> dict[str, Any]:
    """How soon the place was found, and how far from the truth it then was, in the map's own frame."""
    import numpy as np

    from ..errors import EstimateError
    from ..evaluation.trajectory import associate, compare

    tracking_ns = [stamp for stamp, state in localizing.record.states if state.value == "tracking"]
    if not tracking_ns:
        raise EstimateError(f"the place was never found in the map; see {localizing.out}/report.html")
    T_truth_map = compare(mapping.localizer.trajectory(), mapping.truth).T_ref_est
    stamps_ns, poses = localizing.localizer.trajectory()
    estimated, truth = associate((stamps_ns, T_truth_map @ poses), localizing.truth)
    errors_m = np.linalg.norm(estimated[:, :3, 3] - truth[:, :3, 3], axis=1)
    return {
        "found_after_s": (tracking_ns[0] - localizing.record.stamps_ns[0]) / 1e9,
        "median_error_m": float(np.median(errors_m)),
        "max_error_m": float(errors_m.max()),
    }


def _said(found: dict[str, Any]) -> str:
    return (
        f"place found after {found['found_after_s']:.1f} s; distance to the truth in the map's frame: "
        f"median {found['median_error_m']:.3f} m, maximum {found['max_error_m']:.3f} m (all simulated)"
    )

"""`bev_loc evaluate place` and `evaluate pose`: retrieval and pose on folders of BEV images."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import PlaceConfig
from .options import add_json_option, natural, positive, print_result

if TYPE_CHECKING:
    import numpy as np

KINDS = ("occlude90", "occlude150", "drop50", "binary", "range15", "noise", "shift4")
DESCRIPTORS = PlaceConfig.__dataclass_fields__["descriptor"].metadata["choices"]
CANDIDATES = 16
SHIPPED = PlaceConfig().descriptor


def register(subjects: argparse._SubParsersAction) -> None:
    """Adds both subjects."""
    place = subjects.add_parser(
        "place",
        help="recall of place recognition on BEV images",
        description="The first --split frames are the database, queries start 200 frames later and count if a database "
        "frame lies within 5 m; so must the answer. Images are square PNGs of 0.4 m per pixel, sensor on the middle pixel.",
    )
    _add_protocol(place)
    place.set_defaults(handler=_place)
    pose = subjects.add_parser(
        "pose",
        help="pose of BEV images in each other",
        description="The pose of every query in its nearest database frame; success is an error below 2 m and 5 degrees.",
    )
    _add_protocol(pose)
    pose.add_argument(
        "--pairs", choices=("nearest", "retrieved"), default="nearest",
        help="the geometrically nearest database frame, or the one that retrieval answers",
    )  # fmt: skip
    pose.set_defaults(handler=_pose)


def _add_protocol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="PNGs in the order of the poses")
    parser.add_argument("--poses", type=Path, required=True, metavar="FILE", help="3 x 4 rows, LiDAR frame")
    parser.add_argument("--split", type=positive, required=True, metavar="N", help="frames of the database")
    parser.add_argument("--yaw", type=natural, metavar="SEED", help="turn every image by its own random whole degrees")
    parser.add_argument("--stride", type=positive, default=1, metavar="K", help="every K-th query")
    parser.add_argument("--database-stride", type=positive, default=1, metavar="K", help="every K-th database frame")
    parser.add_argument("--corrupt", choices=KINDS, metavar="KIND", help=f"what befalls the queries: {', '.join(KINDS)}")
    parser.add_argument(
        "--descriptor", choices=DESCRIPTORS, default=SHIPPED, help="default: %(default)s"
    )
    parser.add_argument("--checkpoint", default="", metavar="FILE", help="of BEVPlace++, for --descriptor bevplace; else the shipped one")
    parser.add_argument("--no-rerank", action="store_true", help="the nearest descriptor is the answer")
    parser.add_argument(
        "--candidates", type=positive, default=CANDIDATES, metavar="N", help="re-ranked ones; default: %(default)s"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="PNG of failures and successes side by side")
    add_json_option(parser)


def _place(arguments: argparse.Namespace) -> int:
    places, retrieval = _retrieve(arguments)
    names = ("queries", "recall_at_1", "recall_at_1_descriptor", "recall_at_5", "recall_at_1_percent",
             "recall_at_candidates", "ms_per_image")  # fmt: skip
    result: dict[str, Any] = {name: getattr(retrieval, name) for name in names}
    result |= {"descriptor": arguments.descriptor, "corruption": arguments.corrupt, "reranked": not arguments.no_rerank}
    captions = [f"{away_m:.1f} m away" for away_m in retrieval.away_m]
    _picture(arguments, places, retrieval.asked, retrieval.answered, retrieval.away_m < 5.0, captions)
    text = (
        f"{retrieval.queries} queries: recall@1 {retrieval.recall_at_1:.4f} (descriptor alone "
        f"{retrieval.recall_at_1_descriptor:.4f}, @5 {retrieval.recall_at_5:.4f}, @1 % {retrieval.recall_at_1_percent:.4f}), "
        f"{retrieval.ms_per_image:.1f} ms per image"
    )
    print_result(result, arguments.json, text)
    return 0


def _pose(arguments: argparse.Namespace) -> int:
    from ..config import VerifyConfig
    from ..evaluation import image_pose
    from ..evaluation.bev_folder import GRID
    from ..evaluation.image_match import ImageMatcher

    if arguments.pairs == "retrieved":
        places, retrieval = _retrieve(arguments)
        answered = retrieval.answered
    else:
        places, answered = _places(arguments), None
    poses = image_pose.evaluate(places, ImageMatcher(GRID, VerifyConfig()), answered)
    names = ("pairs", "success_rate", "median_translation_m", "median_rotation_deg", "mean_translation_m",
             "mean_rotation_deg", "ms_per_pair")  # fmt: skip
    success = (poses.errors[:, 0] < image_pose.SUCCESS_M) & (poses.errors[:, 1] < image_pose.SUCCESS_DEG)
    captions = [f"{metres:.2f} m, {degrees:.1f} deg" for metres, degrees in poses.errors]
    _picture(arguments, places, poses.asked, poses.answered, success, captions)
    text = (
        f"{poses.pairs} pairs: {100 * poses.success_rate:.2f} % within 2 m and 5 deg, median {poses.median_translation_m:.3f} m "
        f"{poses.median_rotation_deg:.3f} deg, {poses.ms_per_pair:.1f} ms per pair"
    )
    print_result({name: getattr(poses, name) for name in names}, arguments.json, text)
    return 0


def _places(arguments: argparse.Namespace):
    from ..evaluation.bev_folder import read_pictures, read_poses
    from ..evaluation.place_set import PlaceProtocol, PlaceSet

    pictures = read_pictures(arguments.images)
    protocol = PlaceProtocol(
        split=arguments.split, stride=arguments.stride, database_stride=arguments.database_stride,
        yaw_seed=arguments.yaw, corruption=arguments.corrupt,
    )  # fmt: skip
    return PlaceSet(pictures, read_poses(arguments.poses, len(pictures)), protocol)


def _retrieve(arguments: argparse.Namespace):
    """The places, and who answered whom."""
    from ..config import VerifyConfig
    from ..evaluation.bev_folder import GRID
    from ..evaluation.image_match import ImageMatcher
    from ..evaluation.retrieval import evaluate
    from ..place.describe import make_describer

    places = _places(arguments)
    describer = make_describer(PlaceConfig(descriptor=arguments.descriptor, checkpoint=arguments.checkpoint), GRID)
    matcher = None if arguments.no_rerank else ImageMatcher(GRID, VerifyConfig())
    return places, evaluate(places, describer, matcher, candidates=arguments.candidates)


def _picture(
    arguments: argparse.Namespace, places, asked: "np.ndarray", answered: "np.ndarray", right: "np.ndarray", captions: list[str]
) -> None:
    if arguments.picture is None:
        return
    from ..evaluation.bev_folder import write_bytes
    from ..viz.place_view import AnsweredQuery, chosen, draw

    shown = [
        AnsweredQuery(
            query=places.query_picture(asked[n]), answer=places.database_picture(answered[n]), right=bool(right[n]),
            caption=captions[n],
        )
        for n in chosen(right)
    ]  # fmt: skip
    title = f"{int(right.sum())} of {len(right)} right; {arguments.corrupt or 'no corruption'}"
    write_bytes(arguments.picture, draw(shown, title))

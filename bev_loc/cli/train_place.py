"""`bev_loc train place`: the learned place descriptor from BEV images with poses."""

import argparse
import sys
from pathlib import Path

from .options import above_zero, add_json_option, natural, positive, print_result


def register(subjects: argparse._SubParsersAction) -> None:
    """Adds the subject."""
    parser = subjects.add_parser(
        "place",
        help="the place descriptor, from BEV images of a drive with poses",
        description="Learns from the first --frames images and from simulated worlds: the projections of 'spectral', the "
        "default, in a quarter of an hour; for 'fused' and 'rein' first the equivariant network, which is exported, also in "
        "int8; or, for 'bevplace', the paper's REIN. Networks are a matter for GPUs, of which "
        "'torchrun --nproc-per-node N -m bev_loc train place ...' uses several. "
        "Everything lies in --out; the same call again goes on where it stopped.",
    )
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="PNGs of 0.4 m per pixel, in the order of the poses")
    parser.add_argument("--poses", type=Path, required=True, metavar="FILE", help="3 x 4 rows, LiDAR frame")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--descriptor", choices=("spectral", "fused", "bevplace"), default="spectral",
        help="what to learn; fused has the rings of 'rein' as well, bevplace makes rein.pth for place.checkpoint",
    )  # fmt: skip
    parser.add_argument("--frames", type=positive, default=3000, metavar="N")
    parser.add_argument("--worlds", type=int, choices=range(16), default=15, metavar="N", help="simulated ones beside the images, 0 to 15")
    parser.add_argument("--steps", type=positive, metavar="N", help="of a network; by default those of the shipped weights")
    parser.add_argument("--minutes", type=above_zero, default=float("inf"), metavar="M", help="stop after so many; the same call goes on")
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=positive, default=1, metavar="N")
    add_json_option(parser)
    parser.set_defaults(handler=_train)


def _train(arguments: argparse.Namespace) -> int:
    from ..errors import DependencyError
    from .outputs import make_writable

    make_writable(arguments.out)
    try:
        from ..training.place import PEAK_RATES, STEPS, PlaceOptions, run
        from ..training.place_loop import PlaceTraining
    except ImportError as error:
        raise DependencyError(f"training needs {error.name}: pip install 'bev_loc[train]'") from None
    options = PlaceOptions(
        images=arguments.images, poses=arguments.poses, out=arguments.out, frames=arguments.frames,
        worlds=arguments.worlds, threads=arguments.threads, descriptor=arguments.descriptor,
        training=PlaceTraining(
            steps=arguments.steps or STEPS[arguments.descriptor], seed=arguments.seed, device=arguments.device,
            peak_rate=PEAK_RATES[arguments.descriptor], most_s=60.0 * arguments.minutes,
        ),
    )  # fmt: skip
    files = run(options, lambda text: print(text, file=sys.stderr, flush=True))
    wrote = "wrote " + " and ".join(str(file) for file in files) if files else "stopped before its end; the same call goes on"
    print_result({"files": files}, arguments.json, wrote)
    return 0

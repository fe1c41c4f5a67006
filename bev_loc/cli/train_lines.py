"""`bev_loc train lines`: LSDNet from rendered scenes and unlabelled photographs."""

import argparse
import sys
from pathlib import Path

from .options import above_zero, add_json_option, natural, positive, print_result


def register(subjects: argparse._SubParsersAction) -> None:
    """Adds the subject."""
    parser = subjects.add_parser(
        "lines",
        help="the line detector, from rendered scenes and photographs without labels",
        description="Renders scenes with exact labels, trains, labels the photographs by homography adaptation, trains on, and "
        "writes lsdnet.onnx for lines.model. Everything lies in --out; the same call again goes on where it stopped.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="unlabelled photographs; without them, rendered scenes only")
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=positive, default=1, metavar="N")
    parser.add_argument("--effort", type=above_zero, default=1.0, metavar="X", help="steps relative to the shipped weights' recipe")
    add_json_option(parser)
    parser.set_defaults(handler=_train)


def _train(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from ..errors import DependencyError
    from .outputs import make_writable

    make_writable(arguments.out)
    try:
        from ..training.lines import STAGES, LineTraining, train
    except ImportError as error:
        raise DependencyError(f"training needs {error.name}: pip install 'bev_loc[train]'") from None
    stages = tuple(replace(stage, steps=max(2, round(stage.steps * arguments.effort))) for stage in STAGES)
    options = LineTraining(
        out=arguments.out, photos=arguments.photos, seed=arguments.seed, device=arguments.device, threads=arguments.threads,
        stages=stages,
    )  # fmt: skip
    model = train(options, lambda text: print(text, file=sys.stderr, flush=True))
    print_result({"model": model}, arguments.json, f"wrote {model}; use it with --set lines.model={model}")
    return 0

"""`bev_loc bench`: CPU time of every stage and of the whole, with peers as ratios."""

import argparse
from dataclasses import asdict

from .options import add_config_options, add_json_option, config_from, positive, print_result

DEFAULT = "sim:town,seconds=10"


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "bench",
        help="CPU time of every stage and of the whole, beside other systems",
        description="Maps the first scans of a source, held in memory, and prints CPU time (all threads together, medians). "
        "Every keyframe has candidates to verify, however short the drive. KISS-ICP and KISS-Matcher run on the same scans, one "
        "thread each, when they are installed (pip install kiss-icp kiss-matcher); their ratio to our stage is what carries over to "
        "other machines. `make bench` measures far more.",
    )
    parser.add_argument("source", nargs="?", default=DEFAULT, metavar="SOURCE", help="as `run` takes it; default: %(default)s")
    parser.add_argument("--scans", type=positive, default=100, metavar="N", help="at most; default: %(default)s")
    add_config_options(parser)
    add_json_option(parser)
    parser.set_defaults(handler=_bench)


def _bench(arguments: argparse.Namespace) -> int:
    from ..evaluation.bench import INDEXED, measure
    from ..sources.open import open_source

    config = config_from(arguments)
    bench = measure(open_source(arguments.source, config.input), config, arguments.scans)
    stages = [f"  {stage:28s} {ms:8.2f} ms" for stage, ms in bench.stages_ms.items()]
    peers = [f"  {name:28s} " + ("not installed" if ms is None else f"{ms:8.2f} ms") for name, ms in bench.peers_ms.items()]
    lines = [
        f"{bench.source}: {bench.scans} scans of {bench.points_per_scan} points, {bench.keyframes} keyframes; CPU time, medians",
        *stages,
        f"  {'a scan, all stages':28s} {bench.scan_ms:8.2f} ms, keyframes shared out {bench.mean_scan_ms:.2f} ms",
        f"  {f'search among {INDEXED} keyframes':28s} {bench.query_ms:8.2f} ms",
        *peers,
        *(f"  {name}: {ratio:.1f} times" for name, ratio in bench.ratios.items()),
    ]
    print_result(asdict(bench), arguments.json, "\n".join(lines))
    return 0

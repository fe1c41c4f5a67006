"""The command line: parses, calls one verb, turns named errors into exit codes. Imports nothing heavy."""

import argparse
import os
import sys

from .. import __version__
from ..errors import BevLocError
from ..thread_environment import set_thread_environment
from . import bench, config, demo, doctor, evaluate, lines, map, run, sim, train

INTERRUPTED = 130  # as a shell reports SIGINT


def build_parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    parser = argparse.ArgumentParser(
        prog="bev_loc",
        description="LiDAR odometry, mapping with loop closures, and localization in a saved map without an initial pose.",
        epilog="Exit code 0; 1 for a named error; 2 for wrong usage; 130 when interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"bev_loc {__version__}")
    verbs = parser.add_subparsers(title="verbs", dest="verb", required=True, metavar="VERB")
    for verb in (demo, run, sim, map, evaluate, lines, train, bench, config, doctor):
        verb.register(verbs)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    set_thread_environment()
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.handler(arguments)
    except BevLocError as error:
        print(f"bev_loc: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bev_loc: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0

"""`bev_loc train`: make weights; each subject in its own file."""

import argparse

from . import train_lines, train_place


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("train", help="train a network: resumable, seeded, on CPU or GPU")
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="SUBJECT")
    train_lines.register(subjects)
    train_place.register(subjects)

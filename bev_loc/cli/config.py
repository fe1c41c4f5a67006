"""`bev_loc config`: the configuration as YAML, checked, or as a table."""

import argparse
from pathlib import Path

from ..config import Config
from ..config_io import changes, dump, load, table
from .options import add_config_options, config_from


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("config", help="print, check and explain the configuration")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    dumping = actions.add_parser("dump", help="print the YAML of all keys, ready to be edited")
    add_config_options(dumping)
    dumping.set_defaults(handler=_dump)

    checking = actions.add_parser("check", help="read a YAML file and say what it changes")
    checking.add_argument("file", type=Path)
    checking.set_defaults(handler=_check)

    tabling = actions.add_parser("table", help="print the table of all keys: default, unit, range, meaning")
    tabling.set_defaults(handler=_table)


def _dump(arguments: argparse.Namespace) -> int:
    print(dump(config_from(arguments)), end="")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    differences = changes(load(arguments.file))
    for leaf, default in differences:
        print(f"{leaf.key}: {leaf.value} (default {default})")
    print(f"{arguments.file}: valid, {len(differences)} keys differ from the defaults")
    return 0


def _table(arguments: argparse.Namespace) -> int:
    print(table(Config()), end="")
    return 0

"""Options that several verbs share, and what they mean."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from ..config import Config
from ..config_io import load, override, override_text


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """--config, --set and --initial-rpy."""
    group = parser.add_argument_group("configuration", "'bev_loc config table' lists every key")
    group.add_argument("--config", type=Path, metavar="FILE", help="YAML file; keys left out keep their defaults")
    group.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="assignments",
        help="single keys, after --config; for example --set odometry.scan_voxel_m=0.4 keyframes.distance_m=1",
    )  # fmt: skip
    group.add_argument(
        "--initial-rpy", nargs=3, type=finite, metavar=("ROLL", "PITCH", "YAW"),
        help="attitude of the base at the start, degrees; default: from gravity or the ground",
    )  # fmt: skip


def config_from(arguments: argparse.Namespace) -> Config:
    """The configuration that the options ask for; ConfigError names the key that is wrong."""
    config = load(arguments.config) if arguments.config else Config()
    config = override_text(config, arguments.assignments)
    if arguments.initial_rpy is not None:
        radians = [math.radians(angle) for angle in arguments.initial_rpy]
        config = override(config, {"input.initial_rpy": radians}, where="--initial-rpy")
    return config


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, everything else on stderr")


def positive(text: str) -> int:
    """A whole number from 1."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text}")
    return value


def natural(text: str) -> int:
    """A whole number from 0."""
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text}")
    return value


def finite(text: str) -> float:
    """A number, neither NaN nor infinite."""
    if not math.isfinite(value := float(text)):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text}")
    return value


def above_zero(text: str) -> float:
    """A finite number above zero."""
    if (value := finite(text)) <= 0.0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def not_negative(text: str) -> float:
    """A finite number from zero."""
    if (value := finite(text)) < 0.0:
        raise argparse.ArgumentTypeError(f"expected a number from 0, got {text}")
    return value


def print_result(result: dict[str, Any], as_json: bool, text: str) -> None:
    """`result` as one JSON object, or `text` for a person."""
    print(json.dumps(plain(result), allow_nan=False) if as_json else text)


def plain(value: Any) -> Any:
    """`value` with numpy scalars, arrays and paths as JSON knows them; NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value

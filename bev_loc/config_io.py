"""Configuration in and out: YAML, `key=value` overrides, and the table of every key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from .config import Config
from .errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One tunable: its dotted key, value, and what its declaration says about it."""

    key: str
    value: Any
    kind: str  # "bool", "int", "float", "str", "floats"
    unit: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    meaning: str
    live: bool

    @property
    def range_text(self) -> str:
        """The admissible values as a person reads them."""
        if self.choices:
            return " \\| ".join(self.choices)
        if self.minimum is None:
            return ""
        return f"{self.minimum:g} to {self.maximum:g}"


def leaves(config: Config) -> Iterator[Leaf]:
    """Every tunable of `config`, in order of declaration."""
    for section in fields(config):
        values = getattr(config, section.name)
        for leaf in fields(values):
            value = getattr(values, leaf.name)
            declared = leaf.metadata
            yield Leaf(
                key=f"{section.name}.{leaf.name}",
                value=value,
                kind=_kind(leaf.default),
                **{name: declared[name] for name in ("unit", "minimum", "maximum", "choices", "meaning", "live")},
            )


def override(config: Config, values: Mapping[str, Any], where: str = "configuration") -> Config:
    """`config` with the given dotted keys replaced; ConfigError names the key that is wrong."""
    known = {leaf.key: leaf for leaf in leaves(config)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key '{key}'{_nearest(key, known)}")
        section, name = key.split(".")
        accepted = checked(known[key], value, where)
        config = replace(config, **{section: replace(getattr(config, section), **{name: accepted})})
    return config


def override_text(config: Config, assignments: list[str]) -> Config:
    """`config` with `key=value` texts applied; values are read as YAML."""
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text}: expected key=value, for example odometry.scan_voxel_m=0.5")
        try:
            values[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {text}: the value is not YAML ({_fault(error)})") from None
    return override(config, values, where="--set")


def load(path: Path, base: Config = Config()) -> Config:
    """The configuration in a YAML file: sections as in `dump`; keys left out keep `base`'s values."""
    try:
        tree = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); 'bev_loc config dump' prints a template") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML ({_fault(error)})") from None
    return from_tree(tree or {}, base, where=str(path))


def _fault(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """What and where in one line."""
    mark = getattr(error, "problem_mark", None)
    return " ".join(str(error).split()) if mark is None else f"{error.problem} in line {mark.line + 1}, column {mark.column + 1}"


def changes(config: Config, base: Config = Config()) -> list[tuple[Leaf, Any]]:
    """The leaves of `config` that differ from `base`, each with `base`'s value."""
    return [(leaf, before.value) for leaf, before in zip(leaves(config), leaves(base)) if leaf.value != before.value]


def from_tree(tree: Any, base: Config = Config(), where: str = "configuration") -> Config:
    """The configuration in nested mappings `{section: {name: value}}`."""
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{where}: expected sections with keys, got {type(tree).__name__}")
    sections = [section.name for section in fields(base)]
    flat: dict[str, Any] = {}
    for section, values in tree.items():
        if section not in sections:
            raise ConfigError(f"{where}: unknown section '{section}'{_nearest(str(section), sections)}")
        if values is None:  # a section whose keys are all commented out
            continue
        if not isinstance(values, Mapping):
            raise ConfigError(f"{where}: section '{section}' must hold keys, got {type(values).__name__}")
        flat |= {f"{section}.{name}": value for name, value in values.items()}
    return override(base, flat, where)


def to_tree(config: Any) -> Any:
    """Nested plain mappings and lists, as YAML and JSON want them."""
    if is_dataclass(config):
        return {leaf.name: to_tree(getattr(config, leaf.name)) for leaf in fields(config)}
    return list(config) if isinstance(config, tuple) else config


def dump(config: Config) -> str:
    """The YAML text of `config`, each key with its meaning as a comment."""
    lines: list[str] = []
    section = ""
    for leaf in leaves(config):
        head, name = leaf.key.split(".")
        if head != section:
            section = head
            lines.append(f"{section}:")
        value = list(leaf.value) if leaf.kind == "floats" else leaf.value
        text = yaml.safe_dump(value, default_flow_style=True).replace("\n...", "").strip()
        notes = "; ".join(n for n in (leaf.unit, leaf.range_text.replace("\\|", "|")) if n)
        lines.append(f"  {name}: {text}  # {leaf.meaning}" + (f" [{notes}]" if notes else ""))
    return "\n".join(lines) + "\n"


def table(config: Config = Config()) -> str:
    """The Markdown table of every key: what the README shows."""
    rows = ["| key | default | unit | range | meaning |", "|---|---|---|---|---|"]
    for leaf in leaves(config):
        default = list(leaf.value) if leaf.kind == "floats" else leaf.value
        rows.append(f"| `{leaf.key}` | `{default if default != '' else '(empty)'}` | {leaf.unit} | {leaf.range_text} | {leaf.meaning} |")
    return "\n".join(rows) + "\n"


def _kind(default: Any) -> str:
    return "floats" if isinstance(default, tuple) else type(default).__name__


def _nearest(key: str, known: Any) -> str:
    match = get_close_matches(key, known, n=1, cutoff=0.4)
    return f"; did you mean '{match[0]}'?" if match else "; 'bev_loc config table' lists them all"


_WANTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "floats": "a list of 6 finite numbers (3 for initial_rpy), or an empty one",
}


def checked(leaf: Leaf, value: Any, where: str) -> Any:
    """`value` in the leaf's type; ConfigError when it has another one, or lies outside."""
    try:
        value = _as_kind(leaf, value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{where}: '{leaf.key}' must be {_WANTED[leaf.kind]}, got {value!r}") from None
    if leaf.choices and value not in leaf.choices:
        raise ConfigError(f"{where}: '{leaf.key}' must be one of {', '.join(leaf.choices)}, got {value!r}")
    if leaf.minimum is not None and not leaf.minimum <= value <= leaf.maximum:
        raise ConfigError(f"{where}: '{leaf.key}' must lie in {leaf.range_text}, got {value!r}")
    return value


def _as_kind(leaf: Leaf, value: Any) -> Any:
    if leaf.kind == "floats":
        length = 3 if leaf.key.endswith("rpy") else 6
        if not isinstance(value, (list, tuple)) or len(value) not in (0, length):
            raise TypeError
        return tuple(_number(item) for item in value)
    if leaf.kind == "float":
        return _number(value)
    if leaf.kind == "int":
        number = _number(value)
        if number != int(number):
            raise ValueError
        return int(number)
    if isinstance(value, bool) and leaf.choices:
        return "on" if value else "off"  # YAML 1.1 reads these two words as booleans
    if type(value).__name__ != leaf.kind:
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError
    number = float(value)  # a text too: YAML 1.1 reads 1e9 as one
    if number != number:
        raise ValueError
    return number

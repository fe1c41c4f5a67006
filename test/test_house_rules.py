"""The rules of the house that a machine can check."""

import argparse
import ast
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import bev_loc

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bev_loc"
LOWEST = {"errors", "thread_environment"}
BASE = LOWEST | {"config", "config_io", "records", "geometry"}
CORE = BASE | {"clouds", "bev", "odometry", "place", "verify", "graph", "maps"}
SYSTEM = CORE | {"localizer", "back_end", "searching", "tracking", "history", "stages", "growing_map", "standing_map", "joining"}
MOST = SYSTEM | {"lines", "sim", "sources", "evaluation", "viz", "training"}

# room -> rooms that it may import from (itself is understood), and third-party packages
MAY_IMPORT = {
    "__init__": (set(), set()),
    "__main__": ({"cli"}, set()),
    "errors": (set(), set()),
    "thread_environment": (set(), set()),
    "geometry": ({"errors"}, {"numpy", "numba"}),
    "config": ({"errors"}, set()),
    "config_io": ({"errors", "config"}, {"yaml"}),
    "records": ({"errors", "geometry"}, {"numpy"}),
    "clouds": (BASE, {"numpy", "numba", "scipy", "cv2"}),
    "bev": (BASE | {"clouds"}, {"numpy", "numba", "scipy", "cv2"}),
    "odometry": (BASE | {"clouds", "bev"}, {"numpy", "numba", "scipy"}),
    "place": (BASE | {"clouds", "bev"}, {"numpy", "numba", "scipy", "cv2", "faiss", "torch", "onnxruntime"}),
    "verify": (BASE | {"clouds", "bev"}, {"numpy", "numba", "scipy", "cv2", "small_gicp"}),
    "graph": (BASE, {"numpy", "gtsam"}),
    "maps": (BASE | {"place"}, {"numpy", "cv2"}),
    "lines": ({"errors", "config", "records"}, {"numpy", "numba", "cv2", "torch", "onnxruntime"}),
    "sim": (BASE | {"clouds"}, {"numpy", "numba", "scipy", "cv2", "open3d", "rosbags"}),
    "sources": (BASE | {"clouds", "sim"}, {"numpy", "numba", "cv2", "yaml", "rosbags", "apsw"}),
    "evaluation": (MOST, {"numpy", "numba", "scipy", "cv2", "kiss_icp", "kiss_matcher"}),
    "viz": (MOST, {"numpy", "cv2", "matplotlib", "rerun"}),
    "training": (MOST, {"numpy", "numba", "scipy", "cv2", "torch", "onnx", "onnxruntime"}),
    "cli": (MOST, {"numpy", "tqdm"}),
    "ros": (
        MOST - {"training", "evaluation"},
        {"numpy", "rclpy", "rcl_interfaces", "builtin_interfaces", "sensor_msgs", "nav_msgs", "geometry_msgs", "std_msgs",
         "std_srvs", "visualization_msgs", "diagnostic_msgs", "lifecycle_msgs", "rosgraph_msgs", "tf2_ros", "tf2_msgs"},
    ),
}  # fmt: skip
for _system_file in ("localizer", "back_end", "searching", "tracking", "history", "stages", "growing_map", "standing_map", "joining"):
    MAY_IMPORT[_system_file] = (SYSTEM, {"numpy"})

HEAVY = ("faiss", "gtsam", "small_gicp")  # each behind one file
MAX_LINES = 300
FORBIDDEN = ("/work" + "/", ".." + "/shared", "/farm" + "/")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[bool, str]]:
    """(inside the package?, room or third-party package) of every import statement, wherever it stands."""
    found = []
    here = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(here[: len(here) - node.level + 1]) if node.level else []
            whole = base + (node.module.split(".") if node.module else [])
            found += [whole + [alias.name] for alias in node.names] if whole == ["bev_loc"] else [whole]
    return [(parts[0] == "bev_loc", parts[1] if parts[0] == "bev_loc" and len(parts) > 1 else parts[0]) for parts in found]


@pytest.mark.parametrize("path", modules(), ids=named)
def test_imports_go_one_way(path):
    room = room_of(path)
    assert room in MAY_IMPORT, f"{room} is not in the table"
    rooms, packages = MAY_IMPORT[room]
    for inside, name in imports(path):
        if inside:
            assert name in rooms | {room, "__version__", "bev_loc"}, f"{named(path)} imports from {name}"
        elif name not in sys.stdlib_module_names:
            assert name in packages, f"{named(path)} imports {name}"


@pytest.mark.parametrize("package", HEAVY)
def test_a_heavy_package_is_named_in_one_file(package):
    users = [named(path) for path in modules() if (False, package) in imports(path)]
    assert len(users) == 1, users


@pytest.mark.parametrize("path", modules(), ids=named)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", modules(), ids=named)
def test_every_public_function_and_class_says_what_it_is(path):
    bare = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
            inner = getattr(node, "_inside", False)
            if not inner and ast.get_docstring(node) is None and not _says_nothing(node):
                bare.append(f"{node.name} (line {node.lineno})")
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.ClassDef) and node.name.startswith("_")):
            for inside in ast.walk(node):  # what is local to a function or a private class is nobody else's
                inside._inside = True
    assert not bare, f"without a docstring: {', '.join(bare)}"


def _says_nothing(node: ast.AST) -> bool:
    """A protocol's method: `...` on one line, explained by its class."""
    return len(node.body) == 1 and ast.unparse(node.body[0]) == "..."


@pytest.mark.parametrize("path", [path for path in modules() if path.name != "__init__.py"], ids=named)
def test_every_file_says_what_it_is(path):
    assert ast.get_docstring(parsed(path))


@pytest.mark.parametrize("path", modules(), ids=named)
def test_every_public_function_is_typed(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not _compiled(node):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
            assert not bare and node.returns is not None, f"{node.name} (line {node.lineno})"


@pytest.mark.parametrize("path", modules(), ids=named)
def test_nothing_is_left_for_later_and_no_error_is_swallowed(path):
    assert not re.findall("TO" + "DO|FIX" + "ME|NotImplementedError", path.read_text())
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in ("everything", "Exception", "BaseException"), f"line {node.lineno} catches {caught}"


def _compiled(node: ast.FunctionDef) -> bool:
    return any("njit" in ast.unparse(decorator) for decorator in node.decorator_list)


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("a source archive, not a git checkout: which files belong to the package is not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_nothing_points_at_one_machine():
    hits = []
    for path in tracked():
        if path.relative_to(ROOT).parts[0] in ("test", ".ci") or path.stat().st_size > 1_000_000:
            continue
        text = path.read_bytes().decode(errors="ignore")
        hits += [f"{path.relative_to(ROOT)}: {word}" for word in FORBIDDEN if word in text]
    assert not hits


def test_no_big_file_is_tracked():
    assert [path for path in tracked() if path.stat().st_size > 3_000_000] == []


def test_every_place_names_the_same_version():
    manifest = ElementTree.parse(ROOT / "package.xml").getroot()
    assert manifest.findtext("version") == bev_loc.__version__
    assert '__version__ = "(.+)"' in (ROOT / "setup.py").read_text(), "setup.py reads it from the package"


def test_the_build_file_leaves_the_package_to_setup_py():
    assert "project" not in tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_node_that_is_packaged_exists():
    text = (ROOT / "setup.py").read_text()
    nodes = ast.literal_eval(re.search(r"^nodes = (\(.*\))$", text, re.MULTILINE).group(1))
    for node in nodes:
        assert (PACKAGE / "ros" / f"{node}.py").is_file()
        assert (ROOT / "scripts" / node).stat().st_mode & 0o111, "must be executable"
    assert {path.name for path in (ROOT / "scripts").iterdir()} == set(nodes)


def readme_commands() -> list[list[str]]:
    """The `bev_loc` command lines in README's shell blocks, as words."""
    blocks = re.findall(r"```(?:sh|bash|shell)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line.split() for line in lines if re.match(r"(\S*/)?bev_loc\s", line)]


def test_readmes_commands_are_understood():
    from bev_loc.cli.main import build_parser

    commands = readme_commands()
    assert commands
    for words in commands:
        build_parser().parse_args(words[1:])  # exits with 2 when it is not understood


def test_readmes_make_targets_exist():
    targets = set(re.findall(r"\bmake (\w+)", " ".join(re.findall(r"```.*?```", (ROOT / "README.md").read_text(), re.DOTALL))))
    makefile = (ROOT / "Makefile").read_text()
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_readme_names_every_verb():
    from bev_loc.cli.main import build_parser

    readme = (ROOT / "README.md").read_text()
    verbs = next(action for action in build_parser()._actions if action.dest == "verb").choices
    assert [verb for verb in verbs if f"`{verb}" not in readme] == []


def verbs_with_json(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[str]:
    """The verbs, with their subject, that can print an object for scripts."""
    if "--json" in parser.format_usage():
        yield " ".join(words)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from verbs_with_json(below, (*words, name))


def test_readme_tells_the_keys_of_every_object_for_scripts():
    from bev_loc.cli.main import build_parser

    readme = (ROOT / "README.md").read_text()
    rows = {verb for row in re.findall(r"^\| (`[^|]*`) \|", readme, re.MULTILINE) for verb in re.findall(r"`([^`]+)`", row)}
    verbs = set(verbs_with_json(build_parser()))
    assert "run" in verbs and verbs - rows == set()

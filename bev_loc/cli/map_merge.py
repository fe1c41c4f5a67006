"""Maps from several folders joined into one, in whatever order they meet."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..config import Config
from ..errors import EstimateError, OutputError
from ..joining import join
from ..maps.bundle import load_map, save_map
from ..maps.contents import MapBundle


def merge_maps(paths: list[Path], out: Path, config: Config, *, force: bool) -> dict[str, Any]:
    """Joins the maps in folders `paths` in the frame of the first, writes them to folder `out`; what came of it.

    MapError for a map that cannot be read or compared, EstimateError when one meets none of the others.
    """
    if (out / "map.json").exists() and not force:
        raise OutputError(f"{out}: is a map already; name another folder, or replace it with --force")
    if out.resolve() in [path.resolve() for path in paths]:
        raise OutputError(f"{out}: is one of the maps to be joined; name another folder")
    joined, *others = [(path, load_map(path)) for path in paths]
    bundle, between, counts = joined[1], 0, Counter[str]()
    while others:
        reasons: dict[Path, EstimateError] = {}
        for path, other in others:
            try:
                found = _join(bundle, other, config, path)
            except EstimateError as error:  # it may meet one of those that are joined later
                reasons[path] = error
                continue
            bundle, between = found.bundle, between + len(found.closures)
            counts.update(found.counts)
        if len(reasons) == len(others):
            names = ", ".join(str(path) for path in reasons)
            raise EstimateError(f"{names}: {next(iter(reasons.values()))}")
        others = [(path, other) for path, other in others if path in reasons]
    save_map(out, bundle)
    return {
        "keyframes": len(bundle.entries),
        "sessions": len({entry.session for entry in bundle.entries}),
        "closures": len(bundle.closures),
        "closures_between": between,
        "candidates_by_reason": dict(sorted(counts.items())),
        "out": out,
    }


def _join(bundle: MapBundle, other: MapBundle, config: Config, path: Path):
    with tqdm(
        total=len(other.entries), unit="keyframe", desc=str(path), file=sys.stderr, mininterval=0.1 if sys.stderr.isatty() else 10.0
    ) as bar:
        return join(bundle, other, config, advance=bar.update)

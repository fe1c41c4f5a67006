"""`bev_loc map`: look at a saved map, verify it, take it elsewhere."""

import argparse
from pathlib import Path
from typing import Any

from .options import add_json_option, print_result


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("map", help="look at, verify and export saved maps")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    info = actions.add_parser("info", help="what a map holds")
    info.add_argument("map", type=Path, metavar="MAP")
    add_json_option(info)
    info.set_defaults(handler=_info)

    check = actions.add_parser("check", help="read every file and compare checksums")
    check.add_argument("map", type=Path, metavar="MAP")
    check.add_argument("--repair", type=Path, metavar="OUT", help="write what can still be read as a new map")
    check.set_defaults(handler=_check)

    export = actions.add_parser("export", help="write the cloud (.ply, .pcd) or the keyframes' poses (.tum)")
    export.add_argument("map", type=Path, metavar="MAP")
    export.add_argument("file", type=Path, metavar="FILE", help="the ending chooses the format: .ply, .pcd or .tum")
    export.add_argument("--voxel", type=float, default=0.2, metavar="M", help="thin the cloud to this; default: %(default)s")
    export.set_defaults(handler=_export)


def _info(arguments: argparse.Namespace) -> int:
    from ..maps.bundle import load_map

    bundle = load_map(arguments.map, verify=False)
    sessions: dict[int, int] = {}
    for entry in bundle.entries:
        sessions[entry.session] = sessions.get(entry.session, 0) + 1
    lengths_m = [max(e.path_m for e in bundle.entries if e.session == session) for session in sessions]
    size_mb = sum(file.stat().st_size for file in arguments.map.rglob("*") if file.is_file()) / 1e6
    result: dict[str, Any] = {
        "keyframes": len(bundle.entries),
        "sessions": len(sessions),
        "closures": len(bundle.closures),
        "path_length_m": sum(lengths_m),
        "bev_range_m": bundle.bev.range_m,
        "bev_cell_m": bundle.bev.cell_m,
        "describer": bundle.describer,
        "size_mb": size_mb,
    }
    text = (
        f"{len(bundle.entries)} keyframes of {len(sessions)} drives over {sum(lengths_m):.1f} m, "
        f"{len(bundle.closures)} closures, {size_mb:.1f} MB\n"
        f"images +-{bundle.bev.range_m:g} m at {bundle.bev.cell_m:g} m, described by {bundle.describer}"
    )
    print_result(result, arguments.json, text)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from ..maps.bundle import load_map, save_map
    from ..maps.salvage import salvage

    if arguments.repair is not None:
        saved = salvage(arguments.map)
        save_map(arguments.repair, saved.bundle)
        for sentence in saved.lost:
            print(f"lost: {sentence}")
        print(f"{arguments.repair}: {len(saved.bundle.entries)} keyframes saved, {len(saved.lost)} lost")
        return 0
    bundle = load_map(arguments.map, verify=True)
    print(f"{arguments.map}: whole, {len(bundle.entries)} keyframes read and compared with their checksums")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from ..maps.bundle import load_map
    from .map_export import export_map

    count = export_map(load_map(arguments.map), arguments.file, voxel_m=arguments.voxel)
    print(f"{arguments.file}: {count} {'poses' if arguments.file.suffix == '.tum' else 'points'}")
    return 0

"""`bev_loc map`: look at a saved map, verify it, join it with others, take it elsewhere."""

import argparse
from pathlib import Path
from typing import Any

from .options import add_config_options, add_json_option, config_from, print_result


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser("map", help="look at, verify, join and export saved maps")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    info = actions.add_parser("info", help="what a map holds")
    info.add_argument("map", type=Path, metavar="MAP")
    add_json_option(info)
    info.set_defaults(handler=_info)

    check = actions.add_parser("check", help="read every file and compare checksums")
    check.add_argument("map", type=Path, metavar="MAP")
    check.add_argument("--repair", type=Path, metavar="OUT", help="write what can still be read as a new map")
    check.set_defaults(handler=_check)

    merge = actions.add_parser(
        "merge",
        help="join maps that share a piece of road",
        description="Joins maps of several drives: each one's keyframes are searched in the others, verified, and all are "
        "optimised together. OUT is in the first map's frame. Maps that do not meet, or that were made with other images "
        "or weights, are refused.",
    )
    merge.add_argument("maps", type=Path, nargs="+", metavar="MAP", help="two or more, the one that gives the frame first")
    merge.add_argument("out", type=Path, metavar="OUT", help="folder for the joined map")
    merge.add_argument("--force", action="store_true", help="replace a map that is in OUT")
    add_config_options(merge)
    add_json_option(merge)
    merge.set_defaults(handler=_merge, usage_error=merge.error)

    export = actions.add_parser("export", help="write the cloud (.ply, .pcd), the keyframes' poses (.tum) or a picture (.png)")
    export.add_argument("map", type=Path, metavar="MAP")
    export.add_argument("file", type=Path, metavar="FILE", help="the ending chooses the format: .ply, .pcd, .tum or .png")
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


def _merge(arguments: argparse.Namespace) -> int:
    if len(arguments.maps) < 2:
        arguments.usage_error("expected two maps or more, and after them the folder for the joined one")
    from .map_merge import merge_maps

    result = merge_maps(arguments.maps, arguments.out, config_from(arguments), force=arguments.force)
    text = (
        f"{arguments.out}: {result['keyframes']} keyframes of {result['sessions']} drives, {result['closures']} closures, "
        f"{result['closures_between']} of them between the maps"
    )
    print_result(result, arguments.json, text)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from ..maps.bundle import load_map
    from .map_export import export_map

    count = export_map(load_map(arguments.map), arguments.file, voxel_m=arguments.voxel)
    counted = {".tum": "poses", ".png": "keyframes seen from above"}.get(arguments.file.suffix, "points")
    print(f"{arguments.file}: {count} {counted}")
    return 0

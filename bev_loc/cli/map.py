"""`bev_loc map`: look at a saved map, verify it, join it with others, take it elsewhere."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .options import above_zero, add_config_options, add_json_option, config_from, print_result

if TYPE_CHECKING:
    from ..maps.contents import MapBundle


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
    add_json_option(check)
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
    export.add_argument("--voxel", type=above_zero, default=0.2, metavar="M", help="thin the cloud to this; default: %(default)s")
    export.set_defaults(handler=_export)


def _info(arguments: argparse.Namespace) -> int:
    import numpy as np

    from ..maps.bundle import load_map

    bundle = load_map(arguments.map, verify=False)
    drives = [_drive(bundle, session) for session in sorted({entry.session for entry in bundle.entries})]
    length_m = sum(drive["path_length_m"] for drive in drives)
    size_bytes = sum(file.stat().st_size for file in arguments.map.rglob("*") if file.is_file())
    places_m = np.array([entry.T_map_kf[:3, 3] for entry in bundle.entries]).reshape(-1, 3)
    extent_m = np.ptp(places_m, axis=0) if len(places_m) else np.zeros(3)
    count = len(bundle.entries)
    result: dict[str, Any] = {
        "keyframes": count,
        "sessions": len(drives),
        "closures": len(bundle.closures),
        "path_length_m": length_m,
        "bev_range_m": bundle.bev.range_m,
        "bev_cell_m": bundle.bev.cell_m,
        "describer": bundle.describer,
        "size_mb": size_bytes / 1e6,
        "kb_per_keyframe": size_bytes / 1e3 / count if count else None,
        "extent_m": extent_m,
        "drives": drives,
    }
    each_kb = f", {result['kb_per_keyframe']:.1f} kB each" if count else ""
    lines = [
        f"{count} keyframes of {len(drives)} drives over {length_m:.1f} m, {len(bundle.closures)} closures, "
        f"{size_bytes / 1e6:.1f} MB{each_kb}",
        f"images +-{bundle.bev.range_m:g} m at {bundle.bev.cell_m:g} m, described by {bundle.describer}",
        f"{extent_m[0]:.0f} x {extent_m[1]:.0f} m, {extent_m[2]:.0f} m of height",
    ]
    lines += [
        f"drive {drive['session']}: {drive['keyframes']} keyframes over {drive['path_length_m']:.1f} m in {drive['seconds']:.0f} s"
        for drive in drives
    ]
    print_result(result, arguments.json, "\n".join(lines))
    return 0


def _drive(bundle: "MapBundle", session: int) -> dict[str, Any]:
    entries = [entry for entry in bundle.entries if entry.session == session]
    stamps_ns = [entry.stamp_ns for entry in entries]
    return {
        "session": session,
        "keyframes": len(entries),
        "path_length_m": max(entry.path_m for entry in entries) - min(entry.path_m for entry in entries),
        "seconds": (max(stamps_ns) - min(stamps_ns)) / 1e9,
    }


def _check(arguments: argparse.Namespace) -> int:
    from ..maps.bundle import save_map
    from ..maps.salvage import salvage

    saved = salvage(arguments.map)  # MapError: nothing can be saved
    count = len(saved.bundle.entries)
    if arguments.repair is not None:
        save_map(arguments.repair, saved.bundle)
    result = {
        "whole": not saved.lost, "keyframes": count, "lost": saved.lost, "notes": saved.notes, "out": arguments.repair
    }  # fmt: skip
    lines = [f"damaged: {sentence}" for sentence in saved.lost] + list(saved.notes)
    if arguments.repair is not None:
        lines.append(f"{arguments.repair}: {count} keyframes saved")
    elif saved.lost:
        lines.append(f"{arguments.map}: {count} keyframes can be saved with --repair OUT")
    else:
        lines.append(f"{arguments.map}: whole, {count} keyframes read and compared with their checksums")
    print_result(result, arguments.json, "\n".join(lines))
    return 1 if saved.lost and arguments.repair is None else 0


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

"""`bev_loc lines`: line segments of pictures, drawn and written."""

import argparse
import sys
from pathlib import Path

from ..errors import OutputError, SourceError
from .options import add_config_options, add_json_option, config_from, print_result


def register(verbs: argparse._SubParsersAction) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "lines",
        help="detect line segments in pictures, draw and write them",
        description="For each picture NAME.EXT, writes NAME.lines.csv (x1,y1,x2,y2,score; pixels, centres are whole numbers) "
        "and NAME.lines.png (the picture with its segments). A folder stands for its pictures. Pictures that cannot be read "
        "are said and left out. --set lines.detector=opencv needs no weights; --set lines.model=FILE runs upstream's network.",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    add_config_options(parser)
    add_json_option(parser)
    parser.set_defaults(handler=_lines)


def _lines(arguments: argparse.Namespace) -> int:
    from ..evaluation.line_pictures import picture_paths, timed
    from ..lines.detector import make_detector
    from ..lines.drawing import drawn, write_picture
    from ..lines.pictures import DamagedImage, read_picture
    from .outputs import make_writable

    config = config_from(arguments)
    paths = [path for given in arguments.images for path in (picture_paths(given) if given.is_dir() else [given])]
    detector = make_detector(config.lines)
    make_writable(arguments.out)
    done, taken = [], set()
    for path in paths:
        try:
            image = read_picture(path)
        except DamagedImage as error:
            print(f"left out: {error.reason}", file=sys.stderr)
            continue
        segments, milliseconds = timed(detector, image)
        name = _free_name(path.stem, taken)
        text = "x1,y1,x2,y2,score\n" + "".join(
            f"{x1:.2f},{y1:.2f},{x2:.2f},{y2:.2f},{score:.4f}\n" for (x1, y1, x2, y2), score in zip(segments.xyxy, segments.score)
        )
        picture = arguments.out / f"{name}.lines.png"
        try:
            (arguments.out / f"{name}.lines.csv").write_text(text)
        except OSError as error:
            raise OutputError(f"{arguments.out}: cannot be written ({error.strerror})") from None
        if not write_picture(str(picture), drawn(image, segments)):
            raise OutputError(f"{picture}: cannot be written; choose another --out")
        done.append({"image": path, "picture": picture, "segments": len(segments.score), "cpu_ms": milliseconds})
    if not done:
        raise SourceError(f"none of the {len(paths)} pictures could be read")
    text = "\n".join(f"{d['image']}: {d['segments']} segments, {d['cpu_ms']:.1f} ms -> {d['picture']}" for d in done)
    print_result({"detector": detector.name, "images": done, "left_out": len(paths) - len(done)}, arguments.json, text)
    return 0


def _free_name(stem: str, taken: set[str]) -> str:
    """The stem, with a number if another picture in this call has the same."""
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    taken.add(name)
    return name

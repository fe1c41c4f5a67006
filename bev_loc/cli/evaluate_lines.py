"""`bev_loc evaluate lines`: a line detector against annotations, beside OpenCV's LSD in the same run."""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .options import add_config_options, add_json_option, config_from, natural, print_result


def register(subjects: argparse._SubParsersAction) -> None:
    """Adds the subject."""
    parser = subjects.add_parser(
        "lines",
        help="F^H, sAP, repeatability and time of line segments",
        description="F^H (pixels of both sides matched one to one within 0.01 of the diagonal, best score threshold) and "
        "sAP5/10/15 against NAME.jpg.json annotations; repeatability under random homographies needs none. OpenCV's LSD is "
        "measured beside, with 95 % bootstrap intervals over the pictures. The time is processor time of this process, the "
        "median over pictures of the fastest of three passes. For F^H and sAP all segments count (lines.min_score is taken as 0), "
        "for repeatability those that would be reported.",
    )
    parser.add_argument("--images", type=Path, required=True, metavar="DIR")
    parser.add_argument("--markup", type=Path, metavar="DIR", help="annotations; without them only repeatability and time")
    parser.add_argument("--views", type=natural, default=None, metavar="N",
                        help="homographies per picture for repeatability; default 0 with annotations, 3 without")  # fmt: skip
    parser.add_argument("--seed", type=natural, default=0, help="of the homographies and the bootstrap")
    parser.add_argument("--alone", action="store_true", help="leave OpenCV's LSD out")
    add_config_options(parser)
    add_json_option(parser)
    parser.set_defaults(handler=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    import numpy as np

    from ..evaluation.line_pictures import measure, read_annotated
    from ..evaluation.lines import paired_intervals, summarise

    config = config_from(arguments).lines
    annotated = read_annotated(arguments.images, arguments.markup, _warn) if arguments.markup else None
    pictures = [picture.image for picture in annotated] if annotated else _readable(arguments.images)
    views = arguments.views if arguments.views is not None else (0 if annotated else 3)
    detectors = _detectors(config, arguments.alone)
    measured = [measure(detector, annotated) for detector in detectors] if annotated else []
    results: list[dict[str, Any]] = [{"detector": detector.name, "images": len(pictures)} for detector in detectors]
    for result, of_detector in zip(results, measured):
        own = paired_intervals(of_detector.pictures, None, np.random.default_rng(arguments.seed))
        result |= asdict(summarise(of_detector.pictures)) | {"cpu_ms_per_image": of_detector.cpu_ms}
        result |= {f"{name}_interval": interval for name, interval in own.items()}
    for detector in detectors:
        detector.config = replace(detector.config, min_score=config.min_score)
    _add_views(results, detectors, pictures, views, arguments.seed, timing=not annotated)
    result = results[0]
    if len(results) > 1:
        result["opencv"] = results[1]
        if measured:
            ahead = paired_intervals(measured[0].pictures, measured[1].pictures, np.random.default_rng(arguments.seed))
            result["ahead_of_opencv"] = {f"{name}_interval": interval for name, interval in ahead.items()}
    print_result(result, arguments.json, _text(results, result.get("ahead_of_opencv")))
    return 0


def _detectors(config, alone: bool) -> list:
    """The configured one, and OpenCV's unless that is the configured one or not wanted; all segments, one thread."""
    from ..lines.detector import make_detector, use_one_thread

    use_one_thread()
    config = replace(config, min_score=0.0)
    detectors = [make_detector(config)]
    if not alone and config.detector != "opencv":
        detectors.append(make_detector(replace(config, detector="opencv")))
    return detectors


def _add_views(results: list[dict], detectors: list, pictures: list, views: int, seed: int, timing: bool) -> None:
    import numpy as np

    from ..evaluation.line_pictures import timed
    from ..evaluation.line_repeatability import repeatability

    for result, detector in zip(results, detectors):
        if timing:
            detector.detect(pictures[0])
            result["cpu_ms_per_image"] = float(np.median([timed(detector, picture)[1] for picture in pictures]))
        if views > 0:
            found = repeatability(detector, pictures, np.random.default_rng(seed), views)
            result |= {"repeatability": found.repeated, "repeated_length": found.covered, "segments_per_view": found.segments}


def _readable(folder: Path) -> list:
    from ..errors import SourceError
    from ..evaluation.line_pictures import picture_paths
    from ..lines.pictures import DamagedImage, read_picture

    found = []
    for path in picture_paths(folder):
        try:
            found.append(read_picture(path))
        except DamagedImage as error:
            _warn(f"left out: {error.reason}")
    if not found:
        raise SourceError(f"{folder}: none of its pictures could be read")
    return found


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


def _text(results: list[dict], ahead: dict | None) -> str:
    lines = []
    for r in results:
        lines.append(f"{r['detector']} on {r['images']} pictures, {r['cpu_ms_per_image']:.1f} ms of processor time per picture")
        if "f_h" in r:
            lines.append(f"  F^H   {_percent(r['f_h'])} {_between(r['f_h_interval'])}, precision {_percent(r['precision'])}, "
                         f"recall {_percent(r['recall'])}")  # fmt: skip
            lines.append(f"  sAP10 {_percent(r['sap10'])} {_between(r['sap10_interval'])}, sAP5 {_percent(r['sap5'])}, "
                         f"sAP15 {_percent(r['sap15'])}")  # fmt: skip
        if "repeatability" in r:
            lines.append(f"  repeated: {_percent(r['repeatability'])} % of {r['segments_per_view']:.0f} segments a view, "
                         f"{_percent(r['repeated_length'])} % of their length")  # fmt: skip
    if ahead:
        f_h, sap10 = _between(ahead["f_h_interval"]), _between(ahead["sap10_interval"])
        lines.append(f"ahead of opencv, same pictures: F^H by {f_h}, sAP10 by {sap10}")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _between(interval: tuple[float, float]) -> str:
    return f"[{_percent(interval[0])}, {_percent(interval[1])}]"

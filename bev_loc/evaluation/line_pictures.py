"""Annotated pictures, and detectors measured on them: what `evaluate lines` does."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..lines.detector import LineDetector, LineSegments
from ..lines.pictures import DamagedImage, read_picture
from .lines import PictureEvidence, evidence, thresholds_for

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
_REPEATS = 3  # the fastest counts: other processes only ever make it slower


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotatedPicture:
    """A picture with the lines that a person drew into it."""

    name: str
    image: np.ndarray  # (H, W, 3) uint8 RGB
    segments: np.ndarray  # (N, 4) pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """A detector's evidence on a list of pictures."""

    pictures: list[PictureEvidence]
    cpu_ms: float  # median over the pictures, of this process


def picture_paths(folder: Path) -> list[Path]:
    """The pictures of a folder in order of their names; SourceError if there are none."""
    if not folder.is_dir():
        raise SourceError(f"{folder}: expected a folder of pictures")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise SourceError(f"{folder}: expected pictures ({', '.join(_SUFFIXES)}), found none")
    return paths


def read_annotated(images: Path, markup: Path, warn: Callable[[str], None]) -> list[AnnotatedPicture]:
    """Every picture that has a `NAME.json`; the others, and unreadable ones, are said to `warn` and left out."""
    if not markup.is_dir():
        raise SourceError(f"{markup}: expected a folder with one NAME.jpg.json per picture")
    found = []
    for path in picture_paths(images):
        file = markup / f"{path.name}.json"
        if not file.is_file():
            warn(f"{path.name}: left out, there is no {file.name}")
            continue
        try:
            image = read_picture(path)
        except DamagedImage as error:
            warn(f"left out: {error.reason}")
            continue
        found.append(AnnotatedPicture(name=path.name, image=image, segments=read_markup(file)))
    if not found:
        raise SourceError(f"{images} and {markup}: no picture has annotations")
    return found


def read_markup(file: Path) -> np.ndarray:
    """(N, 4) from `objects[].data = [[x1, y1], [x2, y2]]`; SourceError if the file says something else."""
    try:
        objects = json.loads(file.read_text())["objects"]
        return np.array([[*item["data"][0], *item["data"][1]] for item in objects], np.float64).reshape(-1, 4)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise SourceError(f'{file}: expected {{"objects": [{{"data": [[x1, y1], [x2, y2]]}}, ...]}}') from None


def measure(detector: LineDetector, pictures: list[AnnotatedPicture]) -> Measured:
    """The detector on every picture; score thresholds are quantiles of all its scores."""
    results, times_ms = [], []
    for picture in pictures:
        segments, milliseconds = timed(detector, picture.image)
        results.append(segments)
        times_ms.append(milliseconds)
    thresholds = thresholds_for(np.concatenate([result.score for result in results]).astype(np.float64))
    found = [
        evidence(result.xyxy.astype(np.float64), result.score.astype(np.float64), picture.segments, picture.image.shape[:2], thresholds)
        for result, picture in zip(results, pictures)
    ]
    return Measured(pictures=found, cpu_ms=float(np.median(times_ms)))


def timed(detector: LineDetector, image: np.ndarray) -> tuple[LineSegments, float]:
    """Segments and the processor time of the fastest of three passes, ms."""
    best = float("inf")
    for _ in range(_REPEATS):
        begin = time.process_time()
        segments = detector.detect(image)
        best = min(best, 1e3 * (time.process_time() - begin))
    return segments, best

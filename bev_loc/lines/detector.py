"""Line segments of a picture, by LSDNet or by OpenCV's LSD: one interface, chosen by the configuration."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from ..config import LinesConfig
from .inference import LineModel
from .pictures import as_rgb
from .segments import GrowOptions, segments_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineSegments:
    """Segments of one picture, in its pixels (centres are whole numbers), best first."""

    xyxy: np.ndarray  # (N, 4) float32
    score: np.ndarray  # (N,) float32, 0..1; comparable only within one detector


class LineDetector(Protocol):
    """Anything that finds segments. Deterministic; `config` may be replaced between pictures."""

    name: str
    config: LinesConfig

    def detect(self, image: np.ndarray) -> LineSegments: ...


def make_detector(config: LinesConfig) -> LineDetector:
    """The detector that `config` names; DependencyError or SourceError if it cannot be had."""
    return OpenCvLsd(config) if config.detector == "opencv" else LsdNet(config)


def use_one_thread() -> None:
    """OpenCV's part on one thread too, for measurements."""
    cv2.setNumThreads(1)


class LsdNet:
    """The learned detector: network, then region growing on its maps."""

    def __init__(self, config: LinesConfig) -> None:
        self.config = config
        self._model = LineModel(config.model, config.threads)
        self.name = self._model.name

    def detect(self, image: np.ndarray) -> LineSegments:
        """`image` is anything that `as_rgb` takes; a picture that it refuses raises DamagedImage."""
        rgb = as_rgb(image)
        maps = self._model.maps(rgb, self.config.working_pixels)
        cell_px = float(min(maps.scale_xy))
        shared = {"min_length": self.config.min_length_px / cell_px, "end_fall": maps.end_fall}
        if maps.ends is not None:
            options = GrowOptions(min_heat=self.config.min_heat, **shared)
        else:  # upstream's maps are broader and have their own thresholds
            options = GrowOptions(min_heat=0.4, ridge=0.7, max_turn=0.1, max_heat_step=0.3, min_cells=8, **shared)
        found = segments_of(maps.heat, maps.tangent, maps.ends, options)
        xyxy = found[:, :4] * np.tile(maps.scale_xy, 2) + np.tile(maps.offset_xy, 2)
        return _kept(xyxy, found[:, 4], rgb.shape, self.config)


class OpenCvLsd:
    """The classical detector, without weights. Long segments score high: it has nothing better to say."""

    name = "opencv"

    def __init__(self, config: LinesConfig) -> None:
        self.config = config
        self._detector = cv2.createLineSegmentDetector()

    def detect(self, image: np.ndarray) -> LineSegments:
        """As `LsdNet.detect`."""
        rgb = as_rgb(image)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        found = self._detector.detect(grey)[0] if min(grey.shape) >= 8 else None
        xyxy = np.zeros((0, 4)) if found is None else found.reshape(-1, 4).astype(np.float64)
        length = np.hypot(xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1])
        score = 1.0 - np.exp(-length / (0.05 * np.hypot(*grey.shape)))
        order = np.argsort(-score, kind="stable")
        return _kept(xyxy[order], score[order], rgb.shape, self.config)


def _kept(xyxy: np.ndarray, score: np.ndarray, shape: tuple[int, ...], config: LinesConfig) -> LineSegments:
    """Inside the picture, long and sure enough."""
    most = np.array([shape[1] - 1.0, shape[0] - 1.0] * 2)
    xyxy = np.clip(xyxy, 0.0, most)
    length = np.hypot(xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1])
    kept = (length >= config.min_length_px) & (score >= config.min_score)
    return LineSegments(xyxy=xyxy[kept].astype(np.float32), score=score[kept].astype(np.float32))

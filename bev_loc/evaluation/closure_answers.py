"""Which earlier place a BEV image shows: nearest descriptors, then the best of them by comparison of the images."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..config import PlaceConfig, VerifyConfig
from ..place.describe import make_describer
from ..verify.planar import PlanarMatch
from .bev_folder import GRID, to_image
from .closure_drive import ClosureDrive
from .image_match import ImageFeatures, ImageMatcher

CANDIDATES = 8
APART = 2  # scans between two candidates: neighbours show the same
FEATURES_KEPT = 500  # of a few kB to a MB each: neighbouring queries meet the same candidates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """The best candidate of one query."""

    query: int
    match: int
    planar: PlanarMatch
    distance: float  # between the descriptors

    @property
    def offset_m(self) -> float:
        """How far apart the images say that the two scans were taken."""
        return float(np.hypot(self.planar.x_m, self.planar.y_m))


def answer_all(
    drive: ClosureDrive, place: PlaceConfig, verify: VerifyConfig, advance: Callable[[], object] = lambda: None
) -> list[Answer]:
    """One answer a query; no gate around the odometry's pose."""
    describer, matcher = make_describer(place, GRID), ImageMatcher(GRID, verify)
    rows = np.stack([describer.describe(to_image(picture)) for picture in drive.pictures])
    kept: OrderedDict[int, ImageFeatures] = OrderedDict()

    def features(scan: int) -> ImageFeatures:
        if scan not in kept:
            kept[scan] = matcher.features(to_image(drive.pictures[scan]))
            if len(kept) > FEATURES_KEPT:
                kept.popitem(last=False)
        kept.move_to_end(scan)
        return kept[scan]

    answers = []
    for query, end in zip(drive.queries.tolist(), drive.reach.tolist()):
        likeness = rows[:end] @ rows[query]
        tried = [
            Answer(
                query=query,
                match=match,
                planar=matcher.match(features(match), features(query), np.random.default_rng((query, match))),
                distance=float(np.sqrt(max(2.0 - 2.0 * likeness[match], 0.0))),
            )
            for match in _candidates(likeness)
        ]
        answers.append(max(tried, key=lambda answer: answer.planar.score))
        advance()
    return answers


def _candidates(likeness: np.ndarray) -> list[int]:
    """The scans that look most alike, not two neighbours."""
    chosen: list[int] = []
    for match in np.argsort(-likeness, kind="stable").tolist():
        if all(abs(match - other) > APART for other in chosen):
            chosen.append(match)
        if len(chosen) == CANDIDATES:
            break
    return chosen

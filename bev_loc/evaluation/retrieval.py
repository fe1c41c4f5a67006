"""Recall of place recognition: nearest descriptors, and the best of them by comparison of the images."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import EstimateError
from ..place.describe import Describer
from ..verify.planar import PlanarMatch
from .image_match import ImageFeatures, ImageMatcher
from .place_set import POSITIVE_M, PlaceSet

DISTANCE_PENALTY = 0.05  # of the score for an answer FAR_M away by the estimated pose, growing with the square
FAR_M = 4.0
KNOWN_FEATURES = 2000  # database images whose features are kept: neighbouring queries share candidates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Retrieval:
    """Figures of one protocol, and who answered whom."""

    queries: int
    recall_at_1: float  # the final answer
    recall_at_1_descriptor: float
    recall_at_5: float  # of the descriptor, like the next
    recall_at_1_percent: float
    recall_at_candidates: float  # share with a right one among those that are re-ranked
    ms_per_image: float  # description, search and re-rank of one query
    asked: np.ndarray  # (Q,) frames
    answered: np.ndarray  # (Q,) frames
    away_m: np.ndarray  # (Q,) between the two


def evaluate(
    places: PlaceSet,
    describer: Describer,
    matcher: ImageMatcher | None,
    *,
    candidates: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Retrieval:
    """Runs the protocol; without `matcher` the nearest descriptor is the final answer."""
    if not len(places.queries):
        raise EstimateError("no query has a database frame within 5 m: check --split and that poses belong to the images")
    rows = np.stack([describer.describe(places.database_image(frame)) for frame in places.database])
    images = [places.query_image(frame) for frame in places.queries]
    start_s = clock()
    likeness = np.stack([describer.describe(image) for image in images]) @ rows.T
    order = np.argsort(-likeness, axis=1, kind="stable")
    answers, spent_s = order[:, 0].copy(), clock() - start_s
    if matcher is not None:
        matcher.warm_up(images[0])
        known: dict[int, ImageFeatures] = {}
        for n, image in enumerate(images):
            nearest = order[n, :candidates]
            for match in nearest:
                if int(match) not in known:
                    if len(known) >= KNOWN_FEATURES:
                        known.clear()
                    known[int(match)] = matcher.features(places.database_image(places.database[match]))
            start_s = clock()
            query = matcher.features(image)
            fits = [
                fitness(matcher.match(known[int(match)], query, np.random.default_rng((int(places.queries[n]), int(match)))))
                for match in nearest
            ]
            answers[n] = nearest[int(np.argmax(fits))]
            spent_s += clock() - start_s
    right = np.take_along_axis(places.away_m, order, 1) < POSITIVE_M
    away_m = places.away_m[np.arange(len(answers)), answers]
    percent = max(1, round(len(rows) / 100))
    return Retrieval(
        queries=len(images),
        recall_at_1=float((away_m < POSITIVE_M).mean()),
        recall_at_1_descriptor=float(right[:, 0].mean()),
        recall_at_5=float(right[:, :5].any(1).mean()),
        recall_at_1_percent=float(right[:, :percent].any(1).mean()),
        recall_at_candidates=float(right[:, :candidates].any(1).mean()),
        ms_per_image=1e3 * spent_s / len(images),
        asked=places.queries,
        answered=places.database[answers],
        away_m=away_m,
    )


def fitness(planar: PlanarMatch) -> float:
    """The score, a little less for places farther away: neighbours that fit alike are told apart by their distance."""
    away = min(np.hypot(planar.x_m, planar.y_m) / FAR_M, 2.0)
    return planar.score - DISTANCE_PENALTY * away**2

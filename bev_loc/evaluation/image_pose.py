"""Success and error of the planar pose between two BEV images (success: nearer than 2 m and 5 degrees, BEVPlace++)."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import EstimateError
from .image_match import ImageMatcher
from .place_set import PlaceSet

SUCCESS_M, SUCCESS_DEG = 2.0, 5.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImagePoses:
    """Figures over pairs; means and medians are over the successes."""

    pairs: int
    success_rate: float
    median_translation_m: float
    median_rotation_deg: float
    mean_translation_m: float
    mean_rotation_deg: float
    ms_per_pair: float
    asked: np.ndarray  # (P,) query frames
    answered: np.ndarray  # (P,) database frames
    errors: np.ndarray  # (P, 2) metres and degrees


def evaluate(
    places: PlaceSet, matcher: ImageMatcher, answered: np.ndarray | None, clock: Callable[[], float] = time.perf_counter
) -> ImagePoses:
    """Poses of all queries in their geometrically nearest database frame, or in the (Q,) frames that are given."""
    if not len(places.queries):
        raise EstimateError("no query has a database frame within 5 m: check --split and that poses belong to the images")
    if answered is None:
        answered = places.database[places.away_m.argmin(1)]
    matcher.warm_up(places.query_image(places.queries[0]))
    errors, spent_s = [], 0.0
    for query, match in zip(places.queries, answered):
        images = places.query_image(query), places.database_image(match)
        start_s = clock()
        features = [matcher.features(image) for image in images]
        planar = matcher.match(features[1], features[0], np.random.default_rng((int(query), int(match))))
        planar = matcher.refined(features[1], features[0], planar)
        spent_s += clock() - start_s
        off = np.array([planar.x_m, planar.y_m, planar.yaw_rad]) - places.true_x_y_yaw(query, match)
        off_rad = abs((off[2] + np.pi) % (2 * np.pi) - np.pi)
        errors.append((np.hypot(off[0], off[1]), np.degrees(off_rad)))
    table = np.array(errors)
    success = (table[:, 0] < SUCCESS_M) & (table[:, 1] < SUCCESS_DEG)
    good = table[success] if success.any() else np.full((1, 2), np.nan)
    median_m, median_deg = np.median(good, axis=0)
    mean_m, mean_deg = good.mean(axis=0)
    return ImagePoses(
        pairs=len(table),
        success_rate=float(success.mean()),
        median_translation_m=float(median_m),
        median_rotation_deg=float(median_deg),
        mean_translation_m=float(mean_m),
        mean_rotation_deg=float(mean_deg),
        ms_per_pair=1e3 * spent_s / len(table),
        asked=places.queries,
        answered=np.asarray(answered),
        errors=table,
    )

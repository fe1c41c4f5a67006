"""How good line segments are: F^H, structural AP, repeatability under homographies; each with its evidence per image.

F^H (Wireframe protocol): both sides drawn as 1-px edge maps, pixels matched one to one within 0.01 of the diagonal;
best F over the score threshold, counts summed over the pictures. sAP (L-CNN): ends scaled to 128 x 128, a detection
is right when the sum of its squared end distances to a free annotation is below 5, 10 or 15.
"""

from dataclasses import dataclass

import numpy as np

from .pixel_matching import count_matches

MATCH_DIAGONAL = 0.01
SAP_LIMITS = (5.0, 10.0, 15.0)
THRESHOLDS = 16  # score thresholds that F^H is the best of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureEvidence:
    """What one picture contributes."""

    pixel_counts: np.ndarray  # (T, 4) int64 per threshold: detected, detected and matched, annotated, annotated and matched
    scores: np.ndarray  # (N,) of all detections
    hits: np.ndarray  # (3, N) bool, for each of SAP_LIMITS
    annotated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineScores:
    """Fractions in 0..1; precision and recall belong to the best threshold of F^H."""

    images: int
    f_h: float
    precision: float
    recall: float
    sap5: float
    sap10: float
    sap15: float


def thresholds_for(scores: np.ndarray) -> np.ndarray:
    """(T,) quantiles of all scores of a detector; the first keeps everything."""
    if len(scores) == 0:
        return np.zeros(THRESHOLDS)
    return np.quantile(scores, np.linspace(0.0, 0.94, THRESHOLDS))


def evidence(
    found: np.ndarray, scores: np.ndarray, annotated: np.ndarray, shape: tuple[int, int], thresholds: np.ndarray
) -> PictureEvidence:
    """Detections (N, 4) with scores (N,) against annotations (M, 4) in a picture of `shape` (H, W)."""
    limit = MATCH_DIAGONAL * float(np.hypot(*shape))
    truth = np.argwhere(edge_map(annotated, shape))
    counts = np.zeros((len(thresholds), 4), np.int64)
    for i, threshold in enumerate(thresholds):
        drawn = np.argwhere(edge_map(found[scores >= threshold], shape))
        matched = count_matches(drawn, truth, limit)
        counts[i] = len(drawn), matched, len(truth), matched
    return PictureEvidence(
        pixel_counts=counts, scores=scores, hits=structural_hits(found, scores, annotated, shape), annotated=len(annotated)
    )


def edge_map(segments: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool with each segment drawn one pixel wide."""
    image = np.zeros(shape, bool)
    for x1, y1, x2, y2 in np.asarray(segments, float).tolist():
        steps = int(max(abs(x2 - x1), abs(y2 - y1))) + 2
        columns = np.rint(np.linspace(x1, x2, steps)).astype(int)
        rows = np.rint(np.linspace(y1, y2, steps)).astype(int)
        image[np.clip(rows, 0, shape[0] - 1), np.clip(columns, 0, shape[1] - 1)] = True
    return image


def structural_hits(found: np.ndarray, scores: np.ndarray, annotated: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(3, N) whether each detection takes a free annotation, best score first (L-CNN's rule)."""
    hits = np.zeros((len(SAP_LIMITS), len(found)), bool)
    if len(found) == 0 or len(annotated) == 0:
        return hits
    scale = 128.0 / np.array([shape[1], shape[0]] * 2)
    a, b = (found * scale)[:, None], (annotated * scale)[None]
    swapped = b[..., [2, 3, 0, 1]]
    distance = np.minimum(((a - b) ** 2).sum(-1), ((a - swapped) ** 2).sum(-1))
    nearest = distance.argmin(axis=1)
    for k, limit in enumerate(SAP_LIMITS):
        taken = np.zeros(len(annotated), bool)
        for i in np.argsort(-scores, kind="stable"):
            if distance[i, nearest[i]] < limit and not taken[nearest[i]]:
                taken[nearest[i]] = hits[k, i] = True
    return hits


def summarise(pictures: list[PictureEvidence]) -> LineScores:
    """The figures over all pictures."""
    detected, right, annotated, reached = np.sum([p.pixel_counts for p in pictures], axis=0).T
    precision = right / np.maximum(detected, 1)
    recall = reached / np.maximum(annotated, 1)
    f = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(f.argmax())
    sap = [average_precision(pictures, k) for k in range(len(SAP_LIMITS))]
    return LineScores(
        images=len(pictures), f_h=float(f[best]), precision=float(precision[best]), recall=float(recall[best]),
        sap5=sap[0], sap10=sap[1], sap15=sap[2],
    )  # fmt: skip


def average_precision(pictures: list[PictureEvidence], limit: int) -> float:
    """Area under the precision envelope, all detections of all pictures in order of score."""
    scores = np.concatenate([p.scores for p in pictures])
    hits = np.concatenate([p.hits[limit] for p in pictures])[np.argsort(-scores, kind="stable")]
    total = sum(p.annotated for p in pictures)
    if total == 0 or len(hits) == 0:
        return 0.0
    right = np.cumsum(hits)
    recall = np.concatenate([[0.0], right / total])
    envelope = np.maximum.accumulate((right / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))


def paired_intervals(
    ours: list[PictureEvidence], theirs: list[PictureEvidence] | None, rng: np.random.Generator, rounds: int = 1000
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals of f_h and sap10 over pictures; of the difference when there are two detectors.

    Both detectors are resampled with the same pictures: their difference is not blurred by hard pictures.
    """
    samples: dict[str, list[float]] = {"f_h": [], "sap10": []}
    for _ in range(rounds):
        chosen = rng.integers(len(ours), size=len(ours))
        a = summarise([ours[i] for i in chosen])
        b = summarise([theirs[i] for i in chosen]) if theirs is not None else None
        for name, values in samples.items():
            values.append(getattr(a, name) - (getattr(b, name) if b is not None else 0.0))
    return {name: (float(np.quantile(v, 0.025)), float(np.quantile(v, 0.975))) for name, v in samples.items()}

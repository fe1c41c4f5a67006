"""Does a detector find the same lines again when the picture is seen through a homography?"""

from dataclasses import dataclass

import numpy as np

from ..lines.detector import LineDetector
from ..lines.warp import clipped, random_homography, warped, warped_picture

LIMIT_PX = 5.0
_MIN_LENGTH_PX = 15.0  # of what the border has left of a segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatability:
    """Over all pictures and views."""

    repeated: float  # share of segments with a partner whose ends lie within LIMIT_PX on average, 0..1
    covered: float  # share of segment length that lies along a segment of the other view, within LIMIT_PX and 10 degrees
    segments: float  # mean number per view


def repeatability(detector: LineDetector, pictures: list[np.ndarray], rng: np.random.Generator, views: int = 3) -> Repeatability:
    """Both directions counted; each picture (H, W, 3) is seen through `views` random homographies."""
    repeated, covered, numbers = [], [], []
    for image in pictures:
        height, width = image.shape[:2]
        plain = detector.detect(image).xyxy
        for _ in range(views):
            H_b_a = random_homography(rng, height, width)
            there = detector.detect(warped_picture(image, H_b_a)).xyxy
            H_a_b = np.linalg.inv(H_b_a)
            expected = _long(clipped(warped(plain, H_b_a), width, height))
            seen = _long(clipped(warped(_inside(there, H_a_b, width, height), H_b_a), width, height))
            for a, b in ((expected, seen), (seen, expected)):
                repeated += _has_partner(a, b).tolist()
                covered.append(_covered_length(a, b))
            numbers.append((len(expected) + len(seen)) / 2)
    lengths = np.sum(covered, axis=0) if covered else np.zeros(2)
    return Repeatability(
        repeated=float(np.mean(repeated)) if repeated else 0.0,
        covered=float(lengths[0] / max(lengths[1], 1e-9)),
        segments=float(np.mean(numbers)) if numbers else 0.0,
    )


def _inside(segments_b: np.ndarray, H_a_b: np.ndarray, width: int, height: int) -> np.ndarray:
    """What of segments in b shows a's picture, in a: the mirrored margin is no part of it."""
    return clipped(warped(segments_b, H_a_b), width, height)


def _long(segments: np.ndarray) -> np.ndarray:
    return segments[np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1]) >= _MIN_LENGTH_PX]


def _has_partner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) bool for each of a."""
    if len(a) == 0 or len(b) == 0:
        return np.zeros(len(a), bool)
    ends_a, ends_b = a.reshape(-1, 1, 2, 2), b.reshape(1, -1, 2, 2)
    straight = np.linalg.norm(ends_a - ends_b, axis=-1).mean(-1)
    crossed = np.linalg.norm(ends_a - ends_b[:, :, ::-1], axis=-1).mean(-1)
    return (np.minimum(straight, crossed) <= LIMIT_PX).any(axis=1)


def _covered_length(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Length of a's segments along b's, and their whole length, by points two pixels apart."""
    along, whole = 0.0, 0.0
    direction = b[:, 2:] - b[:, :2]
    length = np.maximum(np.linalg.norm(direction, axis=1), 1e-9)
    direction = direction / length[:, None]
    for segment in a:
        own = segment[2:] - segment[:2]
        size = float(np.linalg.norm(own))
        whole += size
        parallel = np.abs(direction @ (own / max(size, 1e-9))) > np.cos(np.deg2rad(10.0))
        if not parallel.any():
            continue
        points = segment[:2] + np.linspace(0.0, 1.0, int(size / 2) + 2)[:, None] * own
        offset = points[:, None] - b[None, parallel, :2]
        forward = (offset * direction[parallel]).sum(-1)
        across = np.abs(offset[..., 0] * direction[parallel, 1] - offset[..., 1] * direction[parallel, 0])
        near = (across <= LIMIT_PX) & (forward >= -LIMIT_PX) & (forward <= length[parallel] + LIMIT_PX)
        along += size * float(near.any(axis=1).mean())
    return along, whole

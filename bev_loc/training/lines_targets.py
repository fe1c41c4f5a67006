"""From segments to the maps that the network learns, and crops of pictures with every disturbance of a camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from ..lines.warp import clipped, warped

_SIGMA = 0.75  # of the heat across a line, cells of two pixels
_END_SIGMA = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """A crop and what is to be said about it."""

    image: np.ndarray  # (S, S, 3) uint8
    maps: np.ndarray  # (6, S/2, S/2) float32: heat, cos 2t, sin 2t, ends, weight of the tangent, weight of the heat


def maps_of(segments: np.ndarray, side: int) -> np.ndarray:
    """(6, S/2, S/2) for (N, 4) segments in pixels of a square crop."""
    maps = np.zeros((6, side // 2, side // 2), np.float32)
    maps[5] = 1.0
    _draw(np.ascontiguousarray(segments, np.float64), maps, float(side))
    return maps


@njit(cache=True)
def _draw(segments, maps, side):
    h, w = maps.shape[1:]
    best = np.full((h, w), 9.0)
    for i in range(len(segments)):
        # cell c is centred on pixel 2 c + 0.5
        x0, y0 = (segments[i, 0] - 0.5) / 2, (segments[i, 1] - 0.5) / 2
        x1, y1 = (segments[i, 2] - 0.5) / 2, (segments[i, 3] - 0.5) / 2
        length = np.hypot(x1 - x0, y1 - y0)
        if length < 1e-6:
            continue
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        cosine, sine = dx * dx - dy * dy, 2 * dx * dy
        for row in range(max(0, int(min(y0, y1)) - 3), min(h, int(max(y0, y1)) + 5)):
            for column in range(max(0, int(min(x0, x1)) - 3), min(w, int(max(x0, x1)) + 5)):
                along = min(max((column - x0) * dx + (row - y0) * dy, 0.0), length)
                distance = np.hypot(column - x0 - along * dx, row - y0 - along * dy)
                if distance > 3.0:
                    continue
                heat = np.exp(-0.5 * (distance / _SIGMA) ** 2)
                maps[0, row, column] = max(maps[0, row, column], heat)
                if distance < best[row, column]:
                    best[row, column] = distance
                    maps[1, row, column], maps[2, row, column] = cosine, sine
                    maps[4, row, column] = 1.0 if distance < 1.6 else 0.0
        for x, y, px, py in ((x0, y0, segments[i, 0], segments[i, 1]), (x1, y1, segments[i, 2], segments[i, 3])):
            if not (1.5 < px < side - 2.5 and 1.5 < py < side - 2.5):
                continue  # cut by the border: no end of the line
            for row in range(max(0, int(y) - 3), min(h, int(y) + 5)):
                for column in range(max(0, int(x) - 3), min(w, int(x) + 5)):
                    heat = np.exp(-0.5 * ((column - x) ** 2 + (row - y) ** 2) / _END_SIGMA**2)
                    maps[3, row, column] = max(maps[3, row, column], heat)


def crop(
    rng: np.random.Generator, image: np.ndarray, segments: np.ndarray, side: int, known: np.ndarray | None = None
) -> Sample:
    """A random piece of a labelled picture: scaled, turned a little, tilted, perhaps mirrored, and disturbed.

    `known` (H, W) uint8 is 0 where the labels do not say whether there is a line; None: they always do.
    """
    H = _homography(rng, image.shape[:2], side)
    piece = cv2.warpPerspective(image, H, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
    inside = clipped(warped(segments[~np.isnan(segments[:, 0])], H), side, side)
    lengths = np.hypot(inside[:, 2] - inside[:, 0], inside[:, 3] - inside[:, 1])
    maps = maps_of(inside[lengths > 5.0], side)
    if known is not None:
        told = cv2.warpPerspective(known, H, (side, side), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
        maps[5] = np.maximum(told[::2, ::2] > 0, maps[0] > 0.3)
    return Sample(image=disturbed(rng, piece), maps=maps)


def _homography(rng: np.random.Generator, shape: tuple[int, int], side: int) -> np.ndarray:
    """(3, 3) from the picture's pixels to the crop's; the crop stays inside the picture as far as it fits."""
    h, w = shape
    scale = np.exp(rng.uniform(np.log(0.68), np.log(1.35)))
    turn = rng.normal(0, 0.05) if rng.random() < 0.8 else rng.uniform(-0.6, 0.6)
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    half = side / 2 / scale
    cx = rng.uniform(half, w - half) if w > 2 * half else w / 2
    cy = rng.uniform(half, h - half) if h > 2 * half else h / 2
    mirror = rng.choice([-1.0, 1.0])
    tilt = rng.normal(0, 0.12 / side, 2)
    centre = np.array([[1, 0, -cx], [0, 1, -cy], [0, 0, 1.0]])
    turned = np.array([[mirror * c, -mirror * s, 0], [s, c, 0], [0, 0, 1.0]])
    tilted = np.array([[1, 0, 0], [0, 1, 0], [tilt[0], tilt[1], 1.0]])
    back = np.array([[1, 0, side / 2], [0, 1, side / 2], [0, 0, 1.0]])
    return back @ tilted @ turned @ centre


def disturbed(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The picture (S, S, 3 uint8) as other cameras, lights and files would have it."""
    if rng.random() < 0.15:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    elif rng.random() < 0.3:
        image = np.ascontiguousarray(image[..., rng.permutation(3)])
    image = cv2.LUT(image, _tone_curves(rng))
    if rng.random() < 0.5:  # uneven light
        field = 1 + rng.normal(0, rng.uniform(0.05, 0.22), (5, 5, 1)).astype(np.float32)
        field = cv2.resize(np.repeat(field, 3, axis=2), image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        image = cv2.multiply(image, field, dtype=cv2.CV_8U)
    if rng.random() < 0.2:  # bright things glow
        glow = cv2.GaussianBlur(cv2.subtract(image, (200, 200, 200, 0)), (0, 0), rng.uniform(2, 6))
        image = cv2.addWeighted(image, 1.0, glow, 1.6, 0.0)
    if rng.random() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.4))
    elif rng.random() < 0.4:  # sharpened, as photographs on the web are
        strength = rng.uniform(0.3, 1.2)
        image = cv2.addWeighted(image, 1 + strength, cv2.GaussianBlur(image, (0, 0), 1.0), -strength, 0.0)
    if rng.random() < 0.7:
        noise = rng.standard_normal((image.shape[0] // 2, image.shape[1], 3), dtype=np.float32) * (255 * rng.exponential(0.015))
        noise = np.concatenate([noise, noise[:, ::-1]])[: image.shape[0]]
        noise = cv2.GaussianBlur(noise, (0, 0), 0.7) * 1.8 if rng.random() < 0.4 else noise
        image = cv2.add(image, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.6:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image


def _tone_curves(rng: np.random.Generator) -> np.ndarray:
    """(1, 256, 3) uint8: gamma, exposure, contrast and white balance."""
    values = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.6, 1.5) * rng.uniform(0.75, 1.3)
    values = (values - 0.5) * rng.uniform(0.5, 1.25) + 0.5 + rng.normal(0, 0.05)
    return np.round(np.clip(values * rng.normal(1, 0.06, 3), 0, 1) * 255).astype(np.uint8)[None]

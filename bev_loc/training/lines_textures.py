"""Textures as distractors: their inner edges are no structure. Procedural, and patches of photographs if there are any."""

import cv2
import numpy as np

SIDE = 256


def texture_bank(rng: np.random.Generator, photos: list[np.ndarray], count: int = 48) -> np.ndarray:
    """(count, 256, 256, 3) float32 with mean 1; the photographs (H, W, 3 uint8) fill up to a third of it."""
    makers = (_clouds, _grain, _planks, _bricks, _speckle, _leaves, _weave, _tiles, _curves)
    bank = np.empty((count, SIDE, SIDE, 3), np.float32)
    for i in range(count):
        if photos and i % 3 == 2:
            texture = _patch(rng, photos)
        else:
            texture = makers[int(rng.integers(len(makers)))](rng)
        texture = texture - texture.mean(axis=(0, 1))
        bank[i] = 1.0 + np.clip(texture * 0.3 / max(float(texture.std()), 1e-3), -0.95, 1.5)
    return bank


def _grey(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3), slightly coloured."""
    return values[..., None] * rng.uniform(0.8, 1.2, 3)


def _noise(rng: np.random.Generator, sigma_x: float, sigma_y: float) -> np.ndarray:
    """Smooth noise of unit deviation that tiles."""
    white = np.fft.fft2(rng.normal(size=(SIDE, SIDE)))
    fy, fx = np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None, :]
    smooth = np.fft.ifft2(white * np.exp(-2 * np.pi**2 * ((fx * sigma_x) ** 2 + (fy * sigma_y) ** 2))).real
    return (smooth / max(smooth.std(), 1e-9)).astype(np.float32)


def _clouds(rng: np.random.Generator) -> np.ndarray:
    total = sum(s**0.8 * _noise(rng, s, s) for s in (32, 16, 8, 4, 2, 1))
    return _grey(total, rng)


def _grain(rng: np.random.Generator) -> np.ndarray:
    return _grey(_noise(rng, rng.uniform(20, 60), rng.uniform(0.7, 3)) + 0.5 * _noise(rng, 30, 12), rng)


def _planks(rng: np.random.Generator) -> np.ndarray:
    n = int(rng.choice([4, 8, 16]))
    height = SIDE // n
    image = 0.4 * _noise(rng, 30, 1.2)
    for k in range(n):
        rows = slice(k * height, (k + 1) * height)
        cut = int(rng.integers(SIDE))
        image[rows, :cut] += rng.normal(0, 0.7)
        image[rows, cut:] += rng.normal(0, 0.7)
        image[rows, cut : cut + 2] -= 1.2
        image[k * height : k * height + max(1, height // 24)] -= 1.2
    return _grey(image, rng)


def _bricks(rng: np.random.Generator) -> np.ndarray:
    rows = int(rng.choice([8, 16, 32]))
    height, width = SIDE // rows, int(SIDE // rows * rng.choice([1, 2, 4]))
    joint = max(1, height // 8)
    image = 0.4 * _noise(rng, 2, 2)
    for r in range(rows):
        shift = (width // 2) * (r % 2)
        for c in range(SIDE // width + 1):
            image[r * height : (r + 1) * height, max(c * width - shift, 0) : max((c + 1) * width - shift, 0)] += rng.normal(0, 0.5)
            image[r * height : (r + 1) * height, max(c * width - shift, 0) : max(c * width - shift + joint, 0)] = 1.5
        image[r * height : r * height + joint] = 1.5
    return _grey(image * rng.choice([-1, 1]), rng)


def _tiles(rng: np.random.Generator) -> np.ndarray:
    n = int(rng.choice([8, 16, 32]))
    side = SIDE // n
    image = np.kron(rng.normal(0, rng.uniform(0, 1), (n, n)), np.ones((side, side))).astype(np.float32)
    image[::side] = -1.5
    image[:, ::side] = -1.5
    return _grey(image + 0.2 * _noise(rng, 3, 3), rng)


def _speckle(rng: np.random.Generator) -> np.ndarray:
    sigma = rng.uniform(0.5, 2)
    return np.stack([_noise(rng, sigma, sigma) for _ in range(3)], axis=-1) + _noise(rng, sigma, sigma)[..., None]


def _weave(rng: np.random.Generator) -> np.ndarray:
    steps = np.arange(SIDE) * 2 * np.pi / SIDE
    kx, ky = rng.integers(4, 60, 2)
    image = np.sin(kx * steps)[None, :] * (rng.random() < 0.6) + np.sin(ky * steps)[:, None]
    return _grey((np.sign(image) if rng.random() < 0.4 else image) + 0.3 * _noise(rng, 1, 1), rng)


def _leaves(rng: np.random.Generator) -> np.ndarray:
    image = np.zeros((SIDE, SIDE, 3), np.float32)
    for _ in range(700):
        centre, size = rng.uniform(0, SIDE, 2), rng.uniform(2, 14, 2)
        box = (tuple(map(float, centre)), tuple(map(float, size)), float(rng.uniform(0, 180)))
        cv2.ellipse(image, box, tuple(map(float, rng.uniform(-1, 1) + 0.2 * rng.normal(size=3))), -1)
    return image


def _curves(rng: np.random.Generator) -> np.ndarray:
    image = np.full((SIDE, SIDE, 3), 0.0, np.float32)
    for _ in range(int(rng.integers(10, 60))):
        centre = tuple(map(int, rng.uniform(0, SIDE, 2)))
        axes = tuple(map(int, rng.uniform(4, 70, 2)))
        tone = tuple(map(float, rng.uniform(-1, 1, 3)))
        thick = -1 if rng.random() < 0.4 else int(rng.integers(1, 5))
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 360)), 0.0, float(rng.uniform(90, 360)), tone, thick)
    return image


def _patch(rng: np.random.Generator, photos: list[np.ndarray]) -> np.ndarray:
    photo = photos[int(rng.integers(len(photos)))]
    side = int(rng.integers(min(96, *photo.shape[:2]), min(photo.shape[:2]) + 1))
    top, left = int(rng.integers(photo.shape[0] - side + 1)), int(rng.integers(photo.shape[1] - side + 1))
    return cv2.resize(photo[top : top + side, left : left + side], (SIDE, SIDE)).astype(np.float32) / 128.0

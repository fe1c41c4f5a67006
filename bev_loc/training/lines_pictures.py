"""Rendered training pictures, made once and kept as one array file per shard."""

from pathlib import Path

import cv2
import numpy as np

from ..errors import SourceError
from .lines_outdoors import flat, heap, street
from .lines_render import Rendering, render
from .lines_rooms import room
from .lines_scene import Builder
from .lines_textures import texture_bank

HEIGHT, WIDTH = 384, 512
MOST_SEGMENTS = 400
_WORLDS = ((room, 0.5), (street, 0.27), (heap, 0.13), (flat, 0.1))
_FEWEST_SEGMENTS = 10  # an empty wall teaches little


def picture(rng: np.random.Generator, bank: np.ndarray) -> Rendering:
    """One random scene, rendered; scenes that show next to nothing are made again."""
    makers, weights = zip(*_WORLDS)
    make = makers[int(rng.choice(len(makers), p=weights))]
    while True:
        rendering = render(make(Builder(rng, bank)), HEIGHT, WIDTH)
        if len(rendering.segments) >= _FEWEST_SEGMENTS:
            return rendering


def read_photos(folder: Path | None) -> list[np.ndarray]:
    """The photographs (H, W, 3 uint8, RGB) of a folder, in order of their names; SourceError if it is none."""
    if folder is not None and not folder.is_dir():
        raise SourceError(f"{folder}: expected a folder of photographs")
    paths = [] if folder is None else sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    images = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths]
    return [cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in images if image is not None]


def write_shard(path: Path, seed: int, count: int, photos: list[np.ndarray]) -> None:
    """`count` pictures and their segments (NaN where there are fewer) into two array files."""
    rng = np.random.default_rng(seed)
    bank = texture_bank(rng, photos)
    images = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    segments = np.full((count, MOST_SEGMENTS, 4), np.nan, np.float32)
    for i in range(count):
        rendering = picture(rng, bank)
        images[i] = rendering.image
        kept = rendering.segments[:MOST_SEGMENTS]
        segments[i, : len(kept)] = kept
    np.save(path.with_suffix(".segments.npy"), segments)
    temporary = path.with_suffix(".part.npy")
    np.save(temporary, images)
    temporary.rename(path.with_suffix(".images.npy"))  # whoever sees it finds it whole

"""Views of places to learn from: any heading, a small shift, and what sensors and traffic do to an image."""

import numpy as np

from ..evaluation import corruptions
from ..evaluation.bev_folder import CELL_M

MOST_SHIFT_M = 4.0
AS_DRAWN = 0.5  # share of the views of pictures from turned clouds; the others are turned and shifted as pictures, too


def as_drawn(drawn: bool, rng: np.random.Generator) -> bool:
    """Whether a view keeps heading and offset of its picture, which was `drawn` from a turned cloud."""
    return drawn and rng.random() < AS_DRAWN


def light(picture: np.ndarray, keep: bool, rng: np.random.Generator) -> np.ndarray:
    """As a map would hold it: turned, a little shifted, now and then thinned; `keep` leaves out the first two."""
    picture = picture if keep else _turned_and_moved(picture, 1.5, rng)
    return corruptions.drop(picture, rng.uniform(0.0, 0.3), rng) if rng.random() < 0.3 else picture


def heavy(picture: np.ndarray, keep: bool, rng: np.random.Generator) -> np.ndarray:
    """As a query might come: also hidden in part, thinned, cut short, flattened or noisy."""
    picture = picture if keep else _turned_and_moved(picture, MOST_SHIFT_M, rng)
    if rng.random() < 0.40:
        picture = corruptions.occlude(picture, rng.uniform(60.0, 180.0), rng)
    if rng.random() < 0.30:
        picture = corruptions.cut(picture, rng.uniform(10.0, 22.0) / CELL_M)
    if rng.random() < 0.40:
        picture = corruptions.drop(picture, rng.uniform(0.2, 0.6), rng)
    if rng.random() < 0.25:
        picture = corruptions.binarise(picture)
    if rng.random() < 0.15:
        picture = corruptions.sprinkle(picture, rng.uniform(0.0, 0.03), rng)
    return picture


def _turned_and_moved(picture: np.ndarray, most_m: float, rng: np.random.Generator) -> np.ndarray:
    turned = corruptions.turn(picture, rng.uniform(0.0, 360.0))
    down_px, right_px = rng.uniform(-most_m, most_m, 2) / CELL_M
    return corruptions.move(turned, down_px, right_px)

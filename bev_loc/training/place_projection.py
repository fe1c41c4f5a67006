"""Projections that keep what tells places apart and give up what heading, occlusion and thinning change.

Linear discriminant analysis with shrinkage: the differences between damaged views and the clean one are
made alike in all directions, then the directions in which places differ most are kept.
"""

from collections.abc import Callable

import numpy as np

from ..evaluation.bev_folder import to_image
from . import place_views

VIEWS = 2  # damaged ones of every picture
SHRINKAGE = 1.0  # of the within-place covariance, in units of its mean eigenvalue


def learn(
    pictures: np.ndarray, parts_of: Callable[[np.ndarray], np.ndarray], lengths: list[int], seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean (L,) and basis (L, length) of every part; `parts_of` makes (P, L) parts, zero when unseen, of counts."""
    clean, changes = [], []
    for n, picture in enumerate(pictures):
        rng = np.random.default_rng([seed, n])
        here = parts_of(to_image(picture).counts)
        clean.append(here)
        light = parts_of(to_image(place_views.light(picture, rng)).counts)
        for _ in range(VIEWS):
            heavy = parts_of(to_image(place_views.heavy(picture, rng)).counts)
            both = heavy.any(1, keepdims=True) & light.any(1, keepdims=True)
            changes.append((heavy - light) * both)
    clean_rows, change_rows = np.stack(clean), np.stack(changes)
    return [_discriminant(clean_rows[:, n], change_rows[:, n], length) for n, length in enumerate(lengths)]


def _discriminant(clean: np.ndarray, changes: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    clean, changes = clean[clean.any(1)], changes[changes.any(1)].astype(float)
    mean = clean.mean(0)
    values, vectors = np.linalg.eigh(changes.T @ changes / len(changes))
    whiten = (vectors * (values + SHRINKAGE * values.mean()) ** -0.5) @ vectors.T
    spread = (clean - mean).astype(float) @ whiten
    _, directions = np.linalg.eigh(spread.T @ spread)
    return mean, whiten @ directions[:, ::-1][:, :length]

"""Projections that keep what tells places apart and give up what heading, occlusion, thinning and another LiDAR change.

Linear discriminant analysis with shrinkage: the differences between damaged views and the clean one are
made alike in all directions, then the directions in which places differ most are kept. Turns weigh more than
the damage, which is far larger: a descriptor has to stay where it is when the heading alone changes. A turn is another
drawing of the same cloud where there is one, and the turned picture elsewhere. Those of the real drive weigh most:
they are small beside those of clouds, which fall into other cells, and would hardly count among them.
"""

from collections.abc import Callable

import numpy as np

from ..evaluation import corruptions
from ..evaluation.bev_folder import to_image
from . import place_views
from .place_data import PlaceData

VIEWS = 2  # damaged ones of every picture
SHRINKAGE = 0.2  # of the within-place covariance, in units of its mean eigenvalue
REAL_TURNS_WEIGH = 20.0  # those of the real drive's pictures, as often as one damaged view
DRAWN_TURNS_WEIGH = 2.0  # those of simulated clouds
SAME_PLACE_M = 2.0  # from here the damaged view may come, by whichever LiDAR; it is shifted as a picture on top of that
AS_DRAWN_M = 4.0  # from here one that is not


def learn(
    data: PlaceData, every: int, parts_of: Callable[[np.ndarray], np.ndarray], lengths: list[int], seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean (L,) and basis (L, length) of every part; `parts_of` makes (P, L) parts, zero when unseen, of counts.

    Learned from the first drawing of one cloud, or one picture, of `every`.
    """
    clean, changes, turns = [], [], []
    taught = _first_drawings(data)[::every]
    for n in taught:
        rng = np.random.default_rng([seed, n])
        picture = data.pictures[n]
        here = parts_of(to_image(picture).counts)
        turned = parts_of(to_image(_turned(data, n, rng)).counts)
        keep = place_views.as_drawn(data.drawn[n], rng)
        light = parts_of(to_image(place_views.light(picture, keep, rng)).counts)
        clean.append(here)
        turns.append(_change(here, turned))
        away_m = np.linalg.norm(data.positions_m - data.positions_m[n], axis=1)
        for _ in range(VIEWS):
            keep = place_views.as_drawn(data.drawn[n], rng)
            other = int(rng.choice(np.flatnonzero(away_m < (AS_DRAWN_M if keep else SAME_PLACE_M))))
            changes.append(_change(light, parts_of(to_image(place_views.heavy(data.pictures[other], keep, rng)).counts)))
    rows, change_rows, turn_rows, real = np.stack(clean), np.stack(changes), np.stack(turns), ~data.drawn[taught]
    bases = []
    for n, length in enumerate(lengths):
        within = _covariance(change_rows[:, n])
        within += REAL_TURNS_WEIGH * _covariance(turn_rows[real, n]) + DRAWN_TURNS_WEIGH * _covariance(turn_rows[~real, n])
        bases.append(_discriminant(rows[:, n], within, length))
    return bases


def _first_drawings(data: PlaceData) -> np.ndarray:
    """(M,) pictures, without the further drawings of a cloud."""
    again = (data.clouds[1:] == data.clouds[:-1]) & data.drawn[1:]
    return np.flatnonzero(~np.concatenate([[False], again]))


def _turned(data: PlaceData, n: int, rng: np.random.Generator) -> np.ndarray:
    """Picture n under another heading."""
    if data.drawn[n] and n + 1 < len(data.clouds) and data.clouds[n + 1] == data.clouds[n]:
        return data.pictures[n + 1]
    return corruptions.turn(data.pictures[n], rng.uniform(0.0, 360.0))


def _change(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(P, L) what differs in the parts that both have."""
    return (b - a) * (a.any(1, keepdims=True) & b.any(1, keepdims=True))


def _discriminant(clean: np.ndarray, within: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    clean = clean[clean.any(1)]
    mean = clean.mean(0)
    values, vectors = np.linalg.eigh(within)
    whiten = (vectors * (values + SHRINKAGE * values.mean()) ** -0.5) @ vectors.T
    spread = (clean - mean).astype(float) @ whiten
    _, directions = np.linalg.eigh(spread.T @ spread)
    return mean, whiten @ directions[:, ::-1][:, :length]


def _covariance(rows: np.ndarray) -> np.ndarray:
    rows = rows[rows.any(1)].astype(float)
    return rows.T @ rows / max(len(rows), 1)

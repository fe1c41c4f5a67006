"""Queries beside the places that answered them, failures first."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from . import picture

SHOWN = 4  # of each kind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnsweredQuery:
    """One query and its answer."""

    query: np.ndarray  # (S, S) uint8
    answer: np.ndarray  # (S, S) uint8
    right: bool
    caption: str


def chosen(right: np.ndarray) -> np.ndarray:
    """Indices of a few failures and a few successes, spread over all."""
    groups = [np.flatnonzero(~right), np.flatnonzero(right)]
    return np.concatenate([group[np.linspace(0, len(group) - 1, min(SHOWN, len(group))).astype(int)] for group in groups])


def draw(answers: list[AnsweredQuery], title: str) -> bytes:
    """PNG with failures in the upper rows and successes below, each query left of its answer."""
    with picture.look():
        rows = [[a for a in answers if not a.right], [a for a in answers if a.right]]
        rows = [row for row in rows if row]
        columns = 2 * max(len(row) for row in rows)
        figure = Figure(figsize=(1.75 * columns, 2.15 * len(rows) + 0.4), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", color=picture.INK)
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for axes in grid.ravel():
            axes.set_axis_off()
        for line, row in zip(grid, rows):
            for n, answer in enumerate(row):
                colour = picture.TRUTH if answer.right else picture.CLOSURE
                for axes, image, name in zip(line[2 * n : 2 * n + 2], (answer.query, answer.answer), ("query", answer.caption)):
                    axes.imshow(255 - image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
                    axes.set_title(name, fontsize=7, color=colour)
        return picture.png(figure)

"""Matplotlib without a screen: figures in one look, as PNG bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib

matplotlib.use("Agg")

import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

INK, MUTED, GRID = "#1c2733", "#6b7785", "#dde3e9"
OPTIMISED, ODOMETRY, CLOSURE, TRUTH, REFUSED = "#0b63c5", "#e8590c", "#d6336c", "#2b8a3e", "#adb5bd"

_STYLE = {
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": GRID,
    "legend.fontsize": 8,
    "figure.facecolor": "white",
}


@contextmanager
def look() -> Iterator[None]:
    """The report's style for figures made inside."""
    with matplotlib.rc_context(_STYLE):
        yield


def png(figure: Figure, dpi: int = 130) -> bytes:
    """The figure as a PNG file, and nothing left in memory."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.08)
    figure.clear()
    return buffer.getvalue()


def equal_axes_size(spread_m: np.ndarray, width_in: float = 10.0) -> tuple[float, float]:
    """Figure width and height in inches for (2,) extents that are drawn with equal axes."""
    ratio = float(spread_m[1] / max(spread_m[0], 1e-9))
    return width_in, float(np.clip(width_in * ratio, 3.0, 11.0))

"""What loop closure did: paths before and after beside the truth, and precision over recall."""

from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from . import picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClosedDrive:
    """Positions (N, 2) in the truth's frame, and the rows of the scans that closures join."""

    truth_m: np.ndarray
    before_m: np.ndarray
    after_m: np.ndarray
    closures: np.ndarray  # (K, 2) rows of query and match
    right: np.ndarray  # (K,) bool
    curve: np.ndarray  # (M, 2) recall and precision


def draw_closures(drive: ClosedDrive, ate_before_m: float, ate_after_m: float) -> bytes:
    """PNG: before, after, and the curve."""
    with picture.look():
        figure = Figure(figsize=(13.0, 4.6), layout="constrained")
        before, after, curve = figure.subplots(1, 3)
        for axes, path, colour, title in (
            (before, drive.before_m, picture.ODOMETRY, f"Odometry: {ate_before_m:.2f} m RMS"),
            (after, drive.after_m, picture.OPTIMISED, f"With closures: {ate_after_m:.2f} m RMS"),
        ):
            axes.plot(*drive.truth_m.T, color=picture.TRUTH, lw=1.0, ls=":", label="truth")
            axes.plot(*path.T, color=colour, lw=1.3)
            axes.set(title=title, xlabel="x, m", ylabel="y, m", aspect="equal")
            for good, shade, name in ((True, picture.CLOSURE, "right"), (False, picture.INK, "wrong")):
                ends = path[drive.closures[drive.right == good]]
                if len(ends):
                    axes.add_collection(LineCollection(list(ends), colors=shade, lw=0.9, label=f"closures, {name} ({len(ends)})"))
            axes.legend(loc="best")
        curve.plot(*drive.curve.T, color=picture.OPTIMISED, lw=1.6)
        curve.set(title="Precision over recall", xlabel="recall of revisits", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        return picture.png(figure)

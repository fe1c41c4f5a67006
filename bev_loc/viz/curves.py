"""Curves of a run: time per scan and per stage, height and correction along the path."""

import numpy as np
from matplotlib.figure import Figure

from . import picture

_STATE_COLOURS = {"searching": "#ffd43b", "tracking": "#69c383", "lost": "#f08c8c"}


def draw_timing(step_s: list[float], stage_s: dict[str, list[float]]) -> bytes:
    """PNG of the time of every scan's step, and of each stage's distribution."""
    with picture.look():
        figure = Figure(figsize=(10.0, 2.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        ms = np.array(step_s) * 1e3
        left.plot(ms, lw=0.7, color=picture.OPTIMISED)
        left.axhline(np.median(ms), color=picture.INK, lw=0.8, ls="--", label=f"median {np.median(ms):.1f} ms")
        left.set(title="Time per scan", xlabel="scan", ylabel="ms", ylim=(0, max(np.percentile(ms, 95) * 2, 1e-3)))
        left.legend(loc="upper right")
        names = list(stage_s)
        if names:
            boxes = right.boxplot(
                [np.array(stage_s[name]) * 1e3 for name in names], orientation="horizontal", whis=(1, 99),
                showfliers=False, widths=0.55, patch_artist=True, medianprops={"color": picture.INK},
            )  # fmt: skip
            for box in boxes["boxes"]:
                box.set(facecolor="#cfe2f7", edgecolor=picture.OPTIMISED)
            right.set_yticks(range(1, len(names) + 1), names)
            right.invert_yaxis()
        right.set(title="Stages (1, 25, 50, 75, 99 %)", xlabel="ms")
        return picture.png(figure)


def draw_states(elapsed_s: list[float], states: list[str], end_s: float) -> bytes:
    """PNG of a strip that shows when the place was known; each state holds from its time to the next one's."""
    with picture.look():
        figure = Figure(figsize=(10.0, 0.95), layout="constrained")
        axes = figure.subplots()
        seen = set()
        for start, stop, state in zip(elapsed_s, [*elapsed_s[1:], end_s], states):
            label = None if state in seen else state
            axes.barh(0, stop - start, left=start, height=1.0, color=_STATE_COLOURS[state], label=label)
            seen.add(state)
        axes.set(xlim=(elapsed_s[0], max(end_s, elapsed_s[0] + 1e-3)), ylim=(-0.5, 0.5), yticks=[], xlabel="s")
        axes.grid(False)
        figure.legend(loc="outside right center", frameon=False)
        return picture.png(figure)


def draw_height(path_m: np.ndarray, odometry_z: np.ndarray, optimised_z: np.ndarray, moved_m: np.ndarray) -> bytes:
    """PNG of height along the path, and of how far the closures moved each pose; all (N,)."""
    with picture.look():
        figure = Figure(figsize=(10.0, 2.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(path_m, odometry_z, color=picture.ODOMETRY, ls=(0, (4, 2)), lw=1.2, label="odometry alone")
        left.plot(path_m, optimised_z, color=picture.OPTIMISED, lw=1.4, label="optimised")
        left.set(title="Height", xlabel="path, m", ylabel="z, m")
        left.legend(loc="best")
        right.plot(path_m, moved_m, color=picture.CLOSURE, lw=1.4)
        right.set(title="Correction of the odometry", xlabel="path, m", ylabel="m", ylim=(0, max(np.nanmax(moved_m) * 1.1, 0.01)))
        return picture.png(figure)

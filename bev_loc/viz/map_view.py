"""A map seen from above: clouds by height, paths, closures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ..geometry import se3
from ..maps.contents import MapBundle
from ..records import Closure, Keyframe
from . import picture

_PIXELS = 1400  # of the longer side
_PIXEL_M = 0.2  # not finer: single points would vanish
_POINTS = 6_000_000  # more would not be seen, and takes long
_HEIGHT_PERCENT = (2, 97)  # the colours span this share of the heights
_DRIVES = (picture.INK, picture.OPTIMISED, picture.ODOMETRY, "#7048e8", "#0c8599", "#a61e4d")  # where nothing else is drawn


def draw_map(
    bundle: MapBundle,
    *,
    trajectory: np.ndarray,
    odometry: np.ndarray,
    truth: np.ndarray | None,
    closures: list[Closure],
    own_session: int | None,
    places: Mapping[int, np.ndarray],
) -> bytes:
    """PNG of the clouds with the paths over them.

    `trajectory` (N, 4, 4) is in the map frame, NaN where the place was not known; `odometry` and `truth`
    are (N, 4, 4) already laid over it. Closures are drawn as lines between the `places` (4, 4) by id of the keyframes that they join.
    """
    earlier = {entry.session for entry in bundle.entries} - {own_session}
    shown = [trajectory[:, :2, 3], _places(bundle)]
    if not earlier:  # drift may leave a given map far behind
        shown.append(odometry[:, :2, 3])
    low, high = _extent(shown, margin_m=25.0)
    with picture.look():
        figure = Figure(figsize=picture.equal_axes_size(high - low), layout="constrained")
        axes = figure.subplots()
        _draw_clouds(axes, bundle, low, high)
        _draw_earlier_sessions(axes, bundle, earlier, _DRIVES if own_session is None else (picture.INK,))
        if len(odometry):
            axes.plot(*odometry[:, :2, 3].T, color=picture.ODOMETRY, lw=1.3, ls=(0, (4, 2)), label="odometry alone")
        if truth is not None:
            axes.plot(*truth[:, :2, 3].T, color=picture.TRUTH, lw=1.2, ls=":", label="truth")
        known = trajectory[np.isfinite(trajectory[:, 0, 3])]
        if len(known):
            axes.plot(*trajectory[:, :2, 3].T, color=picture.OPTIMISED, lw=1.8, label="optimised")
            axes.plot(*known[0, :2, 3], "o", ms=8, mfc="white", mec=picture.OPTIMISED, mew=2, label="start", zorder=6)
            axes.plot(*known[-1, :2, 3], "s", ms=7, mfc=picture.OPTIMISED, mec="white", label="end", zorder=6)
        _draw_closures(axes, places, closures)
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="x, m", ylabel="y, m", aspect="equal")
        axes.grid(False)
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside lower center", ncols=8, frameon=False)
        return picture.png(figure)


def height_image(
    keyframes: Mapping[int, Keyframe],
    T_map_kf: Mapping[int, np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """(rows, columns) greatest height over the keyframe's base per pixel, NaN where there is none; rows go up in y."""
    pixel_m = max(float(np.max(high - low)) / _PIXELS, _PIXEL_M)
    columns, rows = np.ceil((high - low) / pixel_m).astype(int) + 1
    heights = np.full(rows * columns, -np.inf, np.float32)
    per_keyframe = _POINTS // max(len(T_map_kf), 1)
    for id, T in T_map_kf.items():
        points = keyframes[id].points_kf
        points = points[:: max(1, len(points) // max(per_keyframe, 1))]
        places = se3.apply(T, points)
        column, row = ((places[:, :2] - low) / pixel_m).astype(int).T
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        np.maximum.at(heights, (row * columns + column)[inside], (places[:, 2] - T[2, 3])[inside].astype(np.float32))
    heights[np.isinf(heights)] = np.nan
    return heights.reshape(rows, columns)


def _draw_clouds(axes: Axes, bundle: MapBundle, low: np.ndarray, high: np.ndarray) -> None:
    if not bundle.entries:
        return
    heights = height_image(bundle.keyframes, bundle.T_map_kf, low, high)
    lowest, highest = np.nanpercentile(heights, _HEIGHT_PERCENT) if np.isfinite(heights).any() else (0.0, 1.0)
    shown = axes.imshow(
        heights, origin="lower", extent=(low[0], high[0], low[1], high[1]), cmap="viridis", alpha=0.8,
        vmin=lowest, vmax=highest, interpolation="nearest",
    )  # fmt: skip
    bar = axes.figure.colorbar(shown, ax=axes, shrink=0.6, pad=0.01, aspect=30)
    bar.set_label("height over the vehicle, m")
    bar.outline.set_visible(False)


def _draw_earlier_sessions(axes: Axes, bundle: MapBundle, earlier: set[int], colours: Sequence[str]) -> None:
    for number, session in enumerate(sorted(earlier)):
        path = np.array([entry.T_map_kf[:2, 3] for entry in bundle.entries if entry.session == session])
        axes.plot(*path.T, color=colours[number % len(colours)], lw=1.0, alpha=0.7, label=f"the map's drive {session}")


def _draw_closures(axes: Axes, T_map_kf: Mapping[int, np.ndarray], closures: list[Closure]) -> None:
    ends = [
        (T_map_kf[closure.query_id][:2, 3], T_map_kf[closure.match_id][:2, 3])
        for closure in closures
        if closure.query_id in T_map_kf and closure.match_id in T_map_kf
    ]
    if not ends:
        return
    axes.add_collection(LineCollection(ends, colors=picture.CLOSURE, lw=1.2, label=f"closures ({len(ends)})", zorder=4))
    queries = np.array([end[0] for end in ends])
    axes.plot(*queries.T, "o", ms=3.5, color=picture.CLOSURE, zorder=5)


def _places(bundle: MapBundle) -> np.ndarray:
    return np.array([entry.T_map_kf[:2, 3] for entry in bundle.entries]).reshape(-1, 2)


def _extent(paths: list[np.ndarray], margin_m: float) -> tuple[np.ndarray, np.ndarray]:
    points = np.concatenate([path.reshape(-1, 2) for path in paths])
    points = points[np.isfinite(points[:, 0])]
    if not len(points):
        points = np.zeros((1, 2))
    return points.min(0) - margin_m, points.max(0) + margin_m

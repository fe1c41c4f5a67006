"""report.html: what a run did, saw, believed and refused."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..config import Config
from ..config_io import changes
from ..geometry import se3
from ..geometry.trajectory import path_length_m
from ..maps.contents import MapBundle
from ..records import Closure
from ..sources.base import Source
from ..thread_environment import thread_environment
from .page import Page
from .run_record import RunRecord
from .trajectory import Trajectory

_PACKAGES = ("numpy", "scipy", "numba", "opencv-python-headless", "faiss-cpu", "gtsam", "small_gicp", "rosbags", "open3d")
_SAMPLES = 12
_CLOSURES_DRAWN = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """Everything that the page shows."""

    title: str
    source: Source
    record: RunRecord
    bundle: MapBundle
    trajectory: Trajectory  # stamps_ns, T_map_base
    truth: np.ndarray | None  # (N, 4, 4) in the map frame
    config: Config
    result: dict[str, Any]
    wall_s: float

    def write(self, path: Path) -> None:
        """Draws everything and writes one file."""
        page = Page(title=self.title, subtitle=f"bev_loc {__version__} · {self.source.name}")
        page.cards(self._cards())
        self._map(page)
        self._closures(page)
        self._images(page)
        self._timing(page)
        self._dropped(page)
        self._about(page)
        path.write_text(page.html())

    def _cards(self) -> list[tuple[str, str, str]]:
        result, record = self.result, self.record
        cards = [
            (f"{result['poses']:,} / {result['scans']:,}", "poses / scans", ""),
            (f"{result['path_length_m']:,.1f} m", "path", ""),
            (f"{result['keyframes']:,}", "keyframes", ""),
            (f"{result['closures']:,}", f"closures of {len(record.closures):,} candidates", ""),
            (f"{result['dropped']:,}", "inputs dropped", "bad" if result["dropped"] else ""),
            (result["state"], "state at the end", "good" if result["state"] == "tracking" else "bad"),
        ]
        if record.median_ms_per_scan is not None:
            cards.append((f"{record.median_ms_per_scan:.1f} ms", "median per scan, all stages", ""))
        for name, caption in (("odometry", "odometry, RMS error to truth"), ("trajectory", "optimised, RMS error to truth")):
            if f"{name}_ate_rmse_m" in result:
                cards.append((f"{result[f'{name}_ate_rmse_m']:.3f} m", caption, ""))
        if result["interrupted"]:
            cards.append(("interrupted", "this is what was done by then", "bad"))
        return cards

    def _map(self, page: Page) -> None:
        from ..viz.curves import draw_height
        from ..viz.map_view import draw_map

        page.section("Map from above", "Keyframe clouds coloured by height, with the paths over them and the closures between.")
        poses, odometry = self._whole_trajectory(), self._odometry_in_map()
        page.picture(
            draw_map(
                self.bundle,
                trajectory=poses,
                odometry=odometry,
                truth=self.truth,
                closures=self.record.accepted,
                own_session=self.record.session,
                places=self._places(),
            ),
            "Map from above with odometry, optimised trajectory and closures",
        )
        self._states(page)
        if len(poses) > 1 and np.isfinite(poses).any():
            moved_m = np.linalg.norm(poses[:, :3, 3] - odometry[:, :3, 3], axis=1)
            page.picture(
                draw_height(path_length_m(odometry), odometry[:, 2, 3], poses[:, 2, 3], moved_m),
                "Height along the path and correction of the odometry",
            )

    def _states(self, page: Page) -> None:
        from ..viz.curves import draw_states

        states = self.record.states
        if len(states) < 2:
            return
        page.text("When the place in the map was known:")
        start_ns, end_ns = states[0][0], max(self.record.stamps_ns, default=states[-1][0])
        elapsed_s = [(stamp - start_ns) / 1e9 for stamp, _ in states]
        page.picture(
            draw_states(elapsed_s, [state.value for _, state in states], (end_ns - start_ns) / 1e9), "State over time"
        )

    def _whole_trajectory(self) -> np.ndarray:
        """(N, 4, 4) T_map_base of every pose of the record, NaN where the place was not known."""
        stamps, poses = self.trajectory
        at = {int(stamp): pose for stamp, pose in zip(stamps, poses)}
        unknown = np.full((4, 4), np.nan)
        return np.array([at.get(stamp, unknown) for stamp in self.record.stamps_ns]).reshape(-1, 4, 4)

    def _places(self) -> dict[int, np.ndarray]:
        """(4, 4) T_map_kf by id: the map's, and those of this drive that are in no map."""
        stamps, poses = self.trajectory
        at = {int(stamp): pose for stamp, pose in zip(stamps, poses)}
        own = {id: at[stamp] for id, stamp in self.record.keyframe_stamps_ns.items() if stamp in at}
        return own | self.bundle.T_map_kf

    def _odometry_in_map(self) -> np.ndarray:
        """(N, 4, 4) odometry laid on the trajectory's first pose, so that its drift shows."""
        stamps, poses = self.trajectory
        odometry = self.record.odometry[1]
        if not len(poses) or stamps[0] not in self.record.stamps_ns:
            return odometry
        first = self.record.stamps_ns.index(stamps[0])
        return (poses[0] @ se3.inverse(odometry[first])) @ odometry

    def _closures(self, page: Page) -> None:
        from ..viz.bev_view import draw_closures

        record = self.record
        page.section("Closures", "" if record.closures else "No place was proposed as seen before.")
        accepted = record.accepted
        drawable = [pair for pair in record.evidence.items if pair[0].match_id in self.bundle.keyframes]
        if drawable:
            page.text("Query images (pink) laid by the found pose on their matches (blue); dark where both agree.")
            page.picture(draw_closures(_spread(drawable, _CLOSURES_DRAWN), self.bundle.keyframes, self.bundle.bev), "Closures")
        if record.closures:
            page.text("How the candidates ended:")
            page.counts(["reason", "candidates"], record.closures_by_reason)
        if accepted:
            page.table(_EVIDENCE, [_evidence(c) for c in accepted[:500]], f"Evidence of {len(accepted)} accepted closures")
        refused = [closure for _, closure in record.closures if not closure.accepted]
        if refused:
            nearest = sorted(refused, key=lambda closure: closure.descriptor_distance)[:100]
            rows = [[*_evidence(c), c.reason] for c in nearest]
            page.table([*_EVIDENCE, "refused for"], rows, f"The {len(nearest)} likeliest of {len(refused)} refused candidates")

    def _images(self, page: Page) -> None:
        from ..viz.bev_view import draw_samples

        chosen = _spread(self.record.samples.items, _SAMPLES)
        if not chosen:
            return
        size = 2 * self.bundle.bev.range_m
        page.section(
            "What places look like",
            f"Bird's-eye-view images of {size:g} x {size:g} m at {self.bundle.bev.cell_m:g} m a pixel: the darker, the more "
            "of a column is filled. Forward is up.",
        )
        page.picture(draw_samples(chosen, self.bundle.bev), "BEV samples")

    def _timing(self, page: Page) -> None:
        from ..viz.curves import draw_timing

        record = self.record
        page.section("Time", f"{self.wall_s:.1f} s in all, reading the source included.")
        if not record.step_s:
            return
        page.picture(draw_timing(record.step_s, record.stage_s), "Time per scan and per stage")
        rows = [_milliseconds("whole step", record.step_s)]
        rows += [_milliseconds(name, durations) for name, durations in record.stage_s.items()]
        page.table(["stage", "calls", "median ms", "90 % ms", "99 % ms", "total s"], rows)

    def _dropped(self, page: Page) -> None:
        record = self.record
        if not record.dropped and not record.warnings:
            return
        page.section("Dropped and doubtful inputs")
        if record.dropped:
            page.counts(["dropped for", "inputs"], record.dropped_by_reason)
            rows = [[dropped.where, dropped.reason] for dropped in record.dropped[:50]]
            page.table(["where", "what"], rows, f"The first {len(rows)}")
        if record.warnings:
            page.text("Poses that carry a warning:")
            page.counts(["warning", "poses"], dict(record.warnings.most_common()))

    def _about(self, page: Page) -> None:
        page.section("About this run")
        if self.source.notes:
            page.table(["detected or assumed"], [[note] for note in self.source.notes])
        differing = changes(self.config)
        if differing:
            page.text("Configuration that differs from the defaults (all of it: config.yaml):")
            page.table(["key", "value", "default"], [[leaf.key, str(leaf.value), str(before)] for leaf, before in differing])
        else:
            page.text("The configuration is the default one.")
        versions = [["Python", platform.python_version()], ["machine", f"{platform.machine()}, {platform.system()}"]]
        versions += [[name, found] for name in _PACKAGES if (found := _version(name))]
        versions += [[name, value] for name, value in thread_environment().items()]
        page.table(["what", "version"], versions, "Versions and thread pools")


_EVIDENCE = ["query", "match", "method", "descriptor distance", "inliers", "correlation", "overlap", "RMSE, m"]


def _evidence(closure: Closure) -> list[object]:
    return [closure.query_id, closure.match_id, closure.method, float(closure.descriptor_distance), closure.inliers,
            float(closure.score), float(closure.overlap), float(closure.rmse_m)]  # fmt: skip


def _milliseconds(name: str, durations_s: list[float]) -> list[object]:
    median, p90, p99 = np.percentile(np.array(durations_s) * 1e3, [50, 90, 99])
    return [name, len(durations_s), float(median), float(p90), float(p99), float(sum(durations_s))]


def _spread(items: list[Any], count: int) -> list[Any]:
    """At most `count` items, evenly from first to last."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int))] if items else []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

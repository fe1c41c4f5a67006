"""Simulated cross-sensor place recognition: the map from an HDL-64, queries from other LiDARs, lanes, directions and seasons.

Per kind of query: recall@1 by the descriptor alone (an answer within 5 m) and pose success after re-rank (within 2 m
and 5 degrees) of Fourier-Mellin, the default, and others. Every image is turned by its own random whole degrees. A
scanner that looks one way (Livox-like) shows what it saw on the last metres of the way, as its keyframes do. The
paper's REIN (bevplace, with --published) has the shipped weights unless --checkpoint names others. Worlds and seeds are
not those of training.
"""

import argparse
import json
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()

import numpy as np  # noqa: E402

from bev_loc.config import BevConfig, PlaceConfig, VerifyConfig  # noqa: E402
from bev_loc.evaluation import corruptions  # noqa: E402
from bev_loc.evaluation.bev_folder import to_image, to_picture  # noqa: E402
from bev_loc.evaluation.image_match import ImageFeatures, ImageMatcher  # noqa: E402
from bev_loc.evaluation.retrieval import fitness  # noqa: E402
from bev_loc.evaluation.simulated_images import drive_along  # noqa: E402
from bev_loc.place.describe import Describer, make_describer  # noqa: E402
from bev_loc.verify.planar import PlanarMatch  # noqa: E402

WORLDS = ("town,seed=21", "campus,seed=22", "town,seed=23", "campus,seed=24")
MAP = "pass=map,lidar=hdl64"
QUERIES = {
    "HDL-64, another run": "pass=map,run=1,lidar=hdl64",
    "VLP-16": "pass=map,run=1,lidar=vlp16",
    "OS1-64": "pass=map,run=1,lidar=os1-64",
    "Livox-like": "pass=map,run=1,lidar=livox",
    "other lane and direction": "pass=other,cars=0,lidar=hdl64",
    "other cars, bare trees": "pass=map,run=1,season=1,lidar=hdl64",
    "all of it, VLP-16": "pass=other,season=1,lidar=vlp16",
    "all of it, OS1-64": "pass=other,season=1,lidar=os1-64",
}
MAP_SPACING_M, QUERY_SPACING_M = 2.0, 5.0
SECONDS = 60
WIDE = BevConfig(range_m=30.0)  # what turns in from outside the compared part
GRID = BevConfig(range_m=25.6)
POSITIVE_M, SUCCESS_M, SUCCESS_DEG = 5.0, 2.0, 5.0
CANDIDATES = 16


class Images:
    """Turned pictures of one drive and where they were taken."""

    def __init__(self, description: str, spacing_m: float, cache: Path | None, seed: int) -> None:
        pictures, self.T_world = _pictures(description, spacing_m, cache)
        self.turn_deg = np.random.default_rng(seed).integers(0, 360, len(pictures)).astype(float)
        self.images = [to_image(corruptions.turn(picture, degrees)) for picture, degrees in zip(pictures, self.turn_deg)]

    def x_y_yaw(self, n: int) -> np.ndarray:
        """(3,) of the turned image in the world."""
        R = self.T_world[n, :2, :2]
        return np.array([*self.T_world[n, :2, 3], np.arctan2(R[1, 0], R[0, 0]) - np.radians(self.turn_deg[n])])


def _pictures(description: str, spacing_m: float, cache: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """(N, S, S) uint8 and (N, 4, 4), cast once."""
    file = cache / f"{description.replace(',', '_')}_{spacing_m:g}m.npz" if cache else None
    if file is not None and file.exists():
        with np.load(file) as stored:
            return stored["pictures"], stored["T_world"]
    seen = drive_along(description, spacing_m, WIDE)
    pictures = np.stack([to_picture(place.image.counts) for place in seen])
    T_world = np.stack([place.T_world_level for place in seen])
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, pictures=pictures, T_world=T_world)
    return pictures, T_world


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--descriptors", nargs="+", default=["fourier_mellin", PlaceConfig().descriptor])
    parser.add_argument("--published", action="store_true", help="also the paper's REIN; needs torch, a quarter second an image")
    parser.add_argument("--checkpoint", default="", help="of BEVPlace++, instead of the shipped weights")
    parser.add_argument("--worlds", type=int, default=len(WORLDS), help="how many of the worlds")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="every K-th query")
    parser.add_argument("--cache", type=Path, help="folder for the images, cast once")
    parser.add_argument("--no-pose", action="store_true", help="descriptors alone")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    describers: dict[str, Describer] = {name: make_describer(PlaceConfig(descriptor=name), GRID) for name in arguments.descriptors}
    if arguments.published:
        describers["bevplace"] = make_describer(PlaceConfig(descriptor="bevplace", checkpoint=arguments.checkpoint), GRID)
    matcher = None if arguments.no_pose else ImageMatcher(GRID, VerifyConfig())
    hits: dict[str, dict[str, list[tuple[bool, bool, bool]]]] = {}
    for world in WORLDS[: arguments.worlds]:
        mapped = Images(f"{world},{MAP},seconds={SECONDS},imu=0", MAP_SPACING_M, arguments.cache, 1)
        rows = {name: np.stack([describer.describe(image) for image in mapped.images]) for name, describer in describers.items()}
        features: dict[int, ImageFeatures] = {}
        for kind, how in QUERIES.items():
            asked = Images(f"{world},{how},seconds={SECONDS},imu=0", QUERY_SPACING_M, arguments.cache, 2)
            known: dict[tuple[int, int], PlanarMatch] = {}
            for name, describer in describers.items():
                answers = hits.setdefault(kind, {}).setdefault(name, [])
                answers += _ask(mapped, asked, describer, rows[name], matcher, features, known, arguments.every)
    table = {
        kind: {name: [round(100 * float(share), 1) for share in np.mean(answers, 0)] + [len(answers)] for name, answers in by_name.items()}
        for kind, by_name in hits.items()
    }
    table["mean"] = {name: [round(float(np.mean([row[name][k] for row in table.values()])), 1) for k in range(3)] for name in describers}
    if arguments.json:
        print(json.dumps({"columns": ["recall_at_1_descriptor", "recall_at_1", "pose_success", "queries"], "table": table}))
        return 0
    shown = 1 if arguments.no_pose else 3
    print(" / ".join(("recall@1 by descriptor", "after re-rank", "pose success")[:shown]) + " in %, simulated")
    print(f"{'queries':28s}" + "".join(f"{name:>26s}" for name in describers))
    for kind, row in table.items():
        print(f"{kind:28s}" + "".join(f"{' / '.join(f'{value:.1f}' for value in row[name][:shown]):>26s}" for name in describers))
    return 0


def _ask(
    mapped: Images, asked: Images, describer: Describer, rows: np.ndarray, matcher: ImageMatcher | None,
    features: dict[int, ImageFeatures], known: dict[tuple[int, int], PlanarMatch], every: int,
) -> list[tuple[bool, bool, bool]]:  # fmt: skip
    """For every query with a map image within 5 m: nearest descriptor right, final answer right, its pose right.

    `features` keeps those of the map's images from call to call, `known` what query and map image were found to share.
    """
    found = []
    for n, image in list(enumerate(asked.images))[::every]:
        away_m = np.linalg.norm(mapped.T_world[:, :2, 3] - asked.T_world[n, :2, 3], axis=1)
        if away_m.min() >= POSITIVE_M:
            continue
        order = np.argsort(-(rows @ describer.describe(image)), kind="stable")[:CANDIDATES]
        first = bool(away_m[order[0]] < POSITIVE_M)
        if matcher is None:
            found.append((first, first, False))
            continue
        query = matcher.features(image)
        for m in map(int, order):
            if m not in features:
                features[m] = matcher.features(mapped.images[m])
            if (n, m) not in known:
                known[n, m] = matcher.match(features[m], query, np.random.default_rng((n, m)))
        matches = [known[n, int(m)] for m in order]
        best = int(np.argmax([fitness(match) for match in matches]))
        planar, answer = matches[best], int(order[best])
        x, y, yaw = asked.x_y_yaw(n)
        x_m, y_m, yaw_m = mapped.x_y_yaw(answer)
        turn = np.array([[np.cos(yaw_m), -np.sin(yaw_m)], [np.sin(yaw_m), np.cos(yaw_m)]])
        off_m = np.linalg.norm(turn @ [planar.x_m, planar.y_m] + [x_m, y_m] - [x, y])
        off_rad = (yaw_m + planar.yaw_rad - yaw + np.pi) % (2 * np.pi) - np.pi
        right = bool(off_m < SUCCESS_M and abs(np.degrees(off_rad)) < SUCCESS_DEG)
        found.append((first, bool(away_m[answer] < POSITIVE_M), right))
    return found


if __name__ == "__main__":
    raise SystemExit(main())

"""How real simulated scans look: statistics of the same 64 x 870 range image, against real HDL-64 sets.

    python benchmarks/sim_realism.py [--data DIR] [--out DIR] [--sim town,moving=8] [--scans 50]

Every set is first brought to one range image (64 elevations, 870 azimuths, nearest return up to 80 m).
For each statistic the Wasserstein distance of single real scans to the pooled town is compared with that
of single real scans to other pooled real scans. Writes one picture and one JSON.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from scipy.stats import wasserstein_distance

from bev_loc.bev.raster import rasterise
from bev_loc.config import BevConfig
from bev_loc.sim.options import parse
from bev_loc.sim.simulation import simulate

ROWS, COLUMNS, MAX_RANGE_M = 64, 870, 80.0
TOWN = "town (simulated)"
BEV = BevConfig()
RANGE_BINS, RING_BINS = np.linspace(0, 80, 81), np.arange(65)
FAR_BINS, COUNT_BINS = np.linspace(0, 56, 57), np.arange(0.5, 11)
# name -> (bin edges, unit); each scan gives a histogram of counts, compared as shares
DISTRIBUTIONS = {
    "range": (RANGE_BINS, "m"),
    "points per ring": (RING_BINS, "rings"),
    "BEV occupied pixels over distance": (FAR_BINS, "m"),
    "BEV count per pixel": (COUNT_BINS, "voxels"),
}
SCALARS = ("share of rays that return", "occupied BEV pixels in 10000")


def elevations_deg(data: Path) -> np.ndarray:
    """(64,) from the top row down."""
    words = (data / "hdl64_city/velodyne_config.txt").read_text().strip().splitlines()[-1].split()
    return -np.array([float(word) for word in words[5:]])


def to_image(points: np.ndarray, elevations: np.ndarray) -> np.ndarray:
    """(64, 870) metres, 0 where nothing returned, of (N, 3) points; each goes to the nearest elevation."""
    elevation = np.degrees(np.arcsin(points[:, 2] / np.maximum(np.linalg.norm(points, axis=1), 1e-9)))
    return _nearest(points, np.searchsorted(-0.5 * (elevations[1:] + elevations[:-1]), -elevation))


def _nearest(points: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(64, 870) the nearest return of each cell."""
    r = np.linalg.norm(points, axis=1)
    keep = (r > 0.5) & (r < MAX_RANGE_M)
    points, row, r = points[keep], row[keep], r[keep]
    azimuth = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    col = np.clip(((180 - azimuth) * COLUMNS / 360).astype(int), 0, COLUMNS - 1)
    image = np.full((ROWS, COLUMNS), np.inf)
    np.minimum.at(image, (row, col), r)
    return np.where(np.isfinite(image), image, 0.0)


def to_cloud(image: np.ndarray, elevations: np.ndarray) -> np.ndarray:
    """(N, 3) float32 of a range image."""
    azimuth, elevation = np.radians(180 - (np.arange(COLUMNS) + 0.5) * 360 / COLUMNS), np.radians(elevations)[:, None]
    xyz = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation) + 0 * azimuth], -1)
    return (image[..., None] * xyz)[image > 0].astype(np.float32)


def real_sets(data: Path, elevations: np.ndarray, scans: int) -> dict[str, list[np.ndarray]]:
    """Range images by set: the moving part of the city drive in two halves, a raw drive, odometry scans."""
    def city(number: int) -> np.ndarray:
        image = cv2.imread(str(data / f"hdl64_city/data/{number:010d}.png"), cv2.IMREAD_UNCHANGED) / 500.0
        return np.where(image < MAX_RANGE_M, image, 0.0)

    def kitti(paths: list[Path]) -> list[np.ndarray]:
        return [to_image(np.fromfile(path, np.float32).reshape(-1, 4)[:, :3].astype(float), elevations) for path in paths]

    raw = sorted((data / "kitti_raw/velodyne_points/data").glob("*.bin"))
    half = max(2, int(0.3 * scans))
    return {
        "city 200-350": [city(k) for k in np.linspace(200, 350, half).astype(int)],
        "city 350-500": [city(k) for k in np.linspace(351, 500, half).astype(int)],
        "kitti raw": kitti([raw[k] for k in np.linspace(0, len(raw) - 1, max(2, int(0.32 * scans))).astype(int)]),
        "kitti 00": kitti(sorted((data / "kitti_scans/00/velodyne").glob("*.bin"))),
    }


def simulated_set(text: str, scans: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Range images spread evenly over a simulated drive, a row per beam, and the beams' own elevations."""
    simulation = simulate(parse(text))
    scanner, lidar = simulation.scanner(), simulation.lidar
    images = []
    for k in np.linspace(20, simulation.scan_count - 20, scans).astype(int):
        sweep = scanner.sweep(int(k))
        images.append(_nearest(sweep.points_lidar.astype(float), ROWS - 1 - sweep.rings.astype(int)))
    beams = np.degrees(np.arcsin([lidar.directions[lidar.rings == ROWS - 1 - row][0, 2] for row in range(ROWS)]))
    return images, beams


def statistics(image: np.ndarray, elevations: np.ndarray) -> dict[str, np.ndarray]:
    """Histograms and scalars of one range image."""
    cloud = to_cloud(image, elevations)
    counts = rasterise(cloud, BEV).counts
    middle = len(counts) // 2
    far = np.hypot(*np.meshgrid(np.arange(-middle, middle + 1), np.arange(-middle, middle + 1))) * BEV.cell_m
    return {
        "range": np.histogram(image[image > 0], RANGE_BINS)[0],
        "points per ring": (image > 0).sum(1).astype(float),
        "BEV occupied pixels over distance": np.histogram(far[counts > 0], FAR_BINS)[0],
        "BEV count per pixel": np.histogram(counts[counts > 0], COUNT_BINS)[0],
        "share of rays that return": np.array([(image > 0).mean()]),
        "occupied BEV pixels in 10000": np.array([1e4 * (counts > 0).mean()]),
    }


def distance(name: str, one: np.ndarray, pool: np.ndarray) -> float:
    """Between the histogram (or scalar) of one scan and the mean of a pool of them."""
    if name in SCALARS:
        return float(abs(one[0] - pool[0]))
    middles = 0.5 * (DISTRIBUTIONS[name][0][1:] + DISTRIBUTIONS[name][0][:-1])
    return float(wasserstein_distance(middles, middles, one, pool))


def compare(sets: dict[str, list[dict[str, np.ndarray]]], town: list[dict[str, np.ndarray]]) -> dict[str, dict[str, float]]:
    """Per statistic: town to real, the allowed distance, and where that comes from."""
    groups = {"city": ["city 200-350", "city 350-500"], "kitti raw": ["kitti raw"], "kitti 00": ["kitti 00"]}
    members = {name: [scan for part in parts for scan in sets[part]] for name, parts in groups.items()}
    pairs = [(sets["city 200-350"], sets["city 350-500"])]
    pairs += [(members[a], members[b]) for a in members for b in members if a < b]
    real = [scan for scans in sets.values() for scan in scans]
    out = {}
    for name in (*DISTRIBUTIONS, *SCALARS):
        def between(scans: list[dict[str, np.ndarray]], pool: list[dict[str, np.ndarray]], name: str = name) -> float:
            mean = np.mean([scan[name] for scan in pool], axis=0)
            return float(np.median([distance(name, scan[name], mean) for scan in scans]))

        references = [max(between(a, b), between(b, a)) for a, b in pairs]
        town_to_real = between(real, town)
        out[name] = {
            "town_to_real": town_to_real, "city_halves": references[0], "real_sets": max(references[1:]),
            "ratio": town_to_real / max(references), "real_scans": len(real), "town_scans": len(town),
        }  # fmt: skip
    return out


def picture(path: Path, images: dict[str, np.ndarray], stats: dict[str, list[dict[str, np.ndarray]]], result: dict[str, dict[str, float]],
            tables: dict[str, np.ndarray]) -> None:  # fmt: skip
    """Range and BEV images of one scan a set over the histograms of all."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(19, 16), layout="constrained")
    grid = figure.add_gridspec(6, len(images), height_ratios=[1, 1, 1, 1, 1, 1])
    for k, (name, image) in enumerate(images.items()):
        axes = figure.add_subplot(grid[0, k])
        axes.imshow(np.where(image > 0, image, np.nan), aspect="auto", vmax=60, cmap="turbo")
        axes.set_title(f"{name}: range, m"); axes.set_xticks([]); axes.set_yticks([])  # noqa: E702
        axes = figure.add_subplot(grid[1:3, k])
        axes.imshow(rasterise(to_cloud(image, tables[name]), BEV).counts, cmap="magma", vmax=10)
        axes.set_title("BEV counts, 80 m"); axes.set_xticks([]); axes.set_yticks([])  # noqa: E702
    for k, (name, (bins, unit)) in enumerate(DISTRIBUTIONS.items()):
        axes = figure.add_subplot(grid[3:6, k])
        middles = 0.5 * (bins[1:] + bins[:-1])
        for label, scans in stats.items():
            total = np.mean([scan[name] for scan in scans], axis=0)
            axes.plot(middles, total / total.sum(), label=label, lw=3 if label == TOWN else 1.2)
        r = result[name]
        axes.set_title(f"{name}\ntown to real {r['town_to_real']:.2f} {unit}\nratio {r['ratio']:.2f} (allowed 1.5)", fontsize=10)
        axes.set_xlabel(unit); axes.legend(fontsize=8)  # noqa: E702
    figure.savefig(path, dpi=70)


def main() -> int:
    """Measures, writes, prints; 0 when every ratio is at most 1.5."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")))
    parser.add_argument("--out", type=Path, default=Path("out/sim_realism"))
    parser.add_argument("--sim", default="town,moving=8")
    parser.add_argument("--scans", type=int, default=50)
    args = parser.parse_args()
    if not (args.data / "hdl64_city").is_dir():
        print(f"no real scans in '{args.data}': give --data or set BEV_LOC_DATA", file=sys.stderr)
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    elevations = elevations_deg(args.data)
    images = real_sets(args.data, elevations, args.scans)
    images[TOWN], own = simulated_set(args.sim, args.scans)
    tables = {name: own if name == TOWN else elevations for name in images}
    stats = {name: [statistics(image, tables[name]) for image in scans] for name, scans in images.items()}
    real = {name: scans for name, scans in stats.items() if name != TOWN}
    result = compare(real, stats[TOWN])
    for name, row in result.items():
        print(
            f"{name:36s} town-real {row['town_to_real']:9.3f}  halves "
            f"{row['city_halves']:8.3f}  sets {row['real_sets']:8.3f}  ratio {row['ratio']:.2f}"
        )
    worst = max(result, key=lambda name: result[name]["ratio"])
    print(f"worst: {worst}, ratio {result[worst]['ratio']:.2f} (allowed 1.5)")
    (args.out / "realism.json").write_text(json.dumps({"sim": args.sim, "worst": worst, "statistics": result}, indent=1) + "\n")
    shown = {name: scans[len(scans) // 2] for name, scans in images.items()}
    picture(args.out / "realism.png", shown, stats, result, tables)
    return 0 if result[worst]["ratio"] <= 1.5 else 1


if __name__ == "__main__":
    raise SystemExit(main())

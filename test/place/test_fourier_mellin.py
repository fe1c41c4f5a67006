"""The training-free describer: what it ignores, what it tells apart, and its recall on real images."""


import cv2
import numpy as np
import pytest
from real_data import RealData

from bev_loc.bev.raster import rasterise
from bev_loc.config import BevConfig, PlaceConfig
from bev_loc.place.describe import make_describer
from bev_loc.records import BevImage

BEV = BevConfig()
FOURIER_MELLIN = PlaceConfig(descriptor="fourier_mellin")


def _place(seed: int) -> np.ndarray:
    """(N, 3) points of twenty-four walls and as many poles."""
    rng = np.random.default_rng(seed)
    ends = rng.uniform(-30, 30, (24, 2))
    ways = rng.normal(0, 8, (24, 2))
    along = np.linspace(0, 1, 60)
    walls = (ends[:, None] + along[:, None] * ways[:, None]).reshape(-1, 2)
    xy = np.vstack([walls, np.repeat(rng.uniform(-30, 30, (24, 2)), 10, 0)])
    xy = np.repeat(xy, 8, 0)
    return np.column_stack([xy, np.tile(np.arange(8) * 0.45, len(xy) // 8)]).astype(np.float32)


def _turned(points: np.ndarray, degrees: float, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    a = np.radians(degrees)
    R = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    return (points @ R.T + [*shift, 0]).astype(np.float32)


def _describe(points: np.ndarray) -> np.ndarray:
    return make_describer(FOURIER_MELLIN, BEV).describe(rasterise(points, BEV))


def test_a_descriptor_has_unit_length_and_the_promised_dimension():
    describer = make_describer(FOURIER_MELLIN, BEV)
    descriptor = describer.describe(rasterise(_place(0), BEV))
    assert descriptor.shape == (describer.dimension,) and descriptor.dtype == np.float32
    assert np.linalg.norm(descriptor) == pytest.approx(1.0, abs=1e-6)


def test_a_quarter_turn_does_not_show():
    np.testing.assert_allclose(_describe(_turned(_place(0), 90)), _describe(_place(0)), atol=2e-3)


def test_a_turned_and_shifted_place_stays_nearer_than_any_other():
    here = np.stack([_describe(_place(seed)) for seed in range(12)])
    for seed in range(12):
        again = _describe(_turned(_place(seed), 37.0 + 25.0 * seed, (1.5, -1.0)))
        assert np.argmin(np.linalg.norm(here - again, axis=1)) == seed


def test_an_empty_image_has_a_finite_descriptor():
    assert np.isfinite(_describe(np.zeros((0, 3), np.float32))).all()


@pytest.mark.parametrize("cell_m", [0.2, 0.4, 1.0])
def test_other_grids_work_too(cell_m):
    bev = BevConfig(range_m=30.0, cell_m=cell_m)
    descriptor = make_describer(FOURIER_MELLIN, bev).describe(rasterise(_place(0), bev))
    assert np.linalg.norm(descriptor) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("yawed", "flattened", "floor"), [(False, False, 0.985), (True, False, 0.980), (True, True, 0.93)]
)
def test_recall_on_kitti_05_is_that_of_the_published_baseline(data: RealData, yawed: bool, flattened: bool, floor: float):
    """Database: frames 0-999; every second query from 1200 on that has a database frame within 5 m."""
    folder = data / "kitti_bev/05"
    positions = np.loadtxt(folder / "pose.txt").reshape(-1, 3, 4)[:, :, 3]
    queries = np.arange(1200, len(positions), 2)
    distances_m = np.linalg.norm(positions[queries, None] - positions[None, :1000], axis=2)
    queries, distances_m = queries[distances_m.min(1) < 5], distances_m[distances_m.min(1) < 5]
    degrees = np.random.default_rng(0).integers(0, 360, len(positions)) * yawed
    describer = make_describer(FOURIER_MELLIN, BevConfig(range_m=25.6))

    def describe(frame: int, flattened: bool = False) -> np.ndarray:
        grey = cv2.imread(str(folder / "imgs" / f"{frame:06d}.png"), cv2.IMREAD_GRAYSCALE)
        turn = cv2.getRotationMatrix2D((75, 75), float(degrees[frame]), 1.0)
        counts = np.rint(cv2.warpAffine(grey, turn, grey.shape)[11:140, 11:140] / 25.5).astype(np.uint8)
        counts = np.where(counts > 0, 5, 0).astype(np.uint8) if flattened else counts
        return describer.describe(BevImage(counts=counts, mean_height_m=np.zeros_like(counts, np.float32)))

    database = np.stack([describe(n) for n in range(1000)])
    nearest = np.array([np.argmax(database @ describe(n, flattened)) for n in queries])
    recall = (distances_m[np.arange(len(queries)), nearest] < 5).mean()
    print(f"recall@1 {recall:.4f} of {len(queries)} queries, yawed: {yawed}")
    assert recall >= floor

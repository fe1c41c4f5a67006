"""The likeness of two structures against its definition, which makes the turned picture."""

import cv2
import numpy as np
import pytest

from bev_loc.verify.likeness import blurred, likeness

CELL_M = 0.4


def _picture(seed: int, size: int) -> np.ndarray:
    structure = np.maximum(np.random.default_rng(seed).integers(0, 16, (size, size)) - 12, 0).astype(np.float32)
    return blurred(structure, CELL_M)


def _plain(match: np.ndarray, query: np.ndarray, x_m: float, y_m: float, yaw_rad: float) -> float:
    middle, cosine, sine = len(match) // 2, np.cos(yaw_rad), np.sin(yaw_rad)
    shift = np.array([middle - y_m / CELL_M, middle - x_m / CELL_M])
    turn = np.array([[cosine, sine], [-sine, cosine]])  # of (col, row)
    affine = np.column_stack([turn, shift - turn @ [middle, middle]])
    turned, shown = (cv2.warpAffine(picture, affine, match.shape) for picture in (query, np.ones_like(query)))
    norm = np.linalg.norm(turned) * np.linalg.norm(shown * match)
    return float((turned * shown * match).sum() / norm) if norm else 0.0


@pytest.mark.parametrize("size", [101, 201])
@pytest.mark.parametrize("yaw_rad", [0.0, np.pi / 2, np.pi, -np.pi / 2, 0.3, -2.9, 1e-10, -1e-7, 3e-6])
@pytest.mark.parametrize("x_y_m", [(0.0, 0.0), (0.4, -2.0), (-7.13, 11.9), (19.9, 0.2), (100.0, 0.0)])
def test_the_likeness_is_that_of_the_turned_picture(size: int, yaw_rad: float, x_y_m: tuple[float, float]) -> None:
    match, query = _picture(0, size), _picture(1, size)
    assert likeness(match, query, CELL_M, *x_y_m, yaw_rad) == pytest.approx(_plain(match, query, *x_y_m, yaw_rad), abs=2e-3)


def test_a_picture_laid_back_on_itself_is_alike_and_an_empty_one_is_not() -> None:
    picture = _picture(2, 201)
    assert likeness(picture, picture, CELL_M, 0.0, 0.0, 0.0) == pytest.approx(1.0, abs=1e-6)
    assert likeness(picture, np.rot90(picture).copy(), CELL_M, 0.0, 0.0, -np.pi / 2) == pytest.approx(1.0, abs=1e-6)
    empty = np.zeros_like(picture)
    assert likeness(picture, empty, CELL_M, 0.0, 0.0, 0.5) == likeness(empty, picture, CELL_M, 0.0, 0.0, 0.5) == 0.0

"""Folders of BEV pictures with poses: numbered PNGs at 0.4 m, the sensor on the middle pixel."""

from pathlib import Path

import cv2
import numpy as np

from ..config import BevConfig
from ..errors import OutputError, SourceError
from ..records import BevImage

CELL_M = 0.4
SIDE_PX = 129  # what is kept of a picture: sides must be 1 modulo 8 for exact quarter turns in the networks
GRID = BevConfig(range_m=25.6, cell_m=CELL_M)
GREY_PER_COUNT = 255.0 / GRID.max_count


def read_pictures(folder: Path) -> np.ndarray:
    """(N, S, S) uint8 of all PNGs by name; SourceError when there is none, or one that does not fit."""
    paths = sorted(folder.glob("*.png"))
    if not paths:
        raise SourceError(f"{folder}: expected a folder of PNG images, found none; name the folder that holds them")
    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    for path, picture in zip(paths, pictures):
        if picture is None:
            raise SourceError(f"{path}: cannot be read as an image; remove or replace it")
        if picture.shape != pictures[0].shape or picture.shape[0] != picture.shape[1] or picture.shape[0] < SIDE_PX:
            raise SourceError(
                f"{path}: expected a square of at least {SIDE_PX} pixels like the others, got {picture.shape}"
            )
        if picture.shape[0] % 2 == 0:
            raise SourceError(f"{path}: expected an odd side with the sensor on the middle pixel, got {picture.shape}")
    return np.stack(pictures)


def read_poses(file: Path, count: int) -> np.ndarray:
    """(count, 3, 4) poses of row-major rows; SourceError when their number is another."""
    try:
        poses = np.loadtxt(file, ndmin=2)
    except (OSError, ValueError) as error:
        raise SourceError(f"{file}: cannot be read as rows of 12 numbers ({error}); name a pose file") from None
    if poses.shape != (count, 12):
        raise SourceError(f"{file}: expected {count} rows of 12 numbers, one per image, got {poses.shape}; check both folders")
    return poses.reshape(-1, 3, 4)


def to_image(picture: np.ndarray) -> BevImage:
    """The middle of a grey picture as counts; heights are unknown."""
    margin = (picture.shape[0] - SIDE_PX) // 2
    middle = picture[margin : margin + SIDE_PX, margin : margin + SIDE_PX]
    counts = np.rint(middle / GREY_PER_COUNT).astype(np.uint8)
    return BevImage(counts=counts, mean_height_m=np.full(counts.shape, np.nan, np.float32))


def to_picture(counts: np.ndarray) -> np.ndarray:
    """(S, S) uint8 grey of counts, as `to_image` reads them."""
    return np.rint(counts * GREY_PER_COUNT).astype(np.uint8)


def write_bytes(path: Path, content: bytes) -> None:
    """A file, in a folder that is made if need be; OutputError when that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"{path}: expected a file that can be written ({error.strerror}); name another") from None

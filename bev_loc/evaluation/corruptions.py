"""What can befall a BEV image: turned, shifted, hidden in part, thinned, cut short. Pictures are (S, S) uint8, sensor in the middle."""

import cv2
import numpy as np

KINDS = ("occlude90", "occlude150", "drop50", "binary", "range15", "noise", "shift4")


def corrupt(picture: np.ndarray, kind: str, cell_m: float, rng: np.random.Generator) -> np.ndarray:
    """The picture after one of KINDS."""
    match kind:
        case "occlude90":
            return occlude(picture, 90.0, rng)
        case "occlude150":
            return occlude(picture, 150.0, rng)
        case "drop50":
            return drop(picture, 0.5, rng)
        case "binary":
            return binarise(picture)
        case "range15":
            return cut(picture, 15.0 / cell_m)
        case "noise":
            return sprinkle(picture, 0.02, rng)
        case "shift4":
            return move(picture, 0.0, 4.0 / cell_m)
    raise ValueError(f"expected one of {', '.join(KINDS)}, got {kind!r}")


def turn(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Counter-clockwise about the sensor, bilinear, what comes in from outside is 0."""
    middle = picture.shape[0] // 2
    affine = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    return cv2.warpAffine(picture, affine, picture.shape[::-1], flags=cv2.INTER_LINEAR)


def move(picture: np.ndarray, down_px: float, right_px: float) -> np.ndarray:
    """Shifted, bilinear; what leaves is lost."""
    affine = np.array([[1.0, 0.0, right_px], [0.0, 1.0, down_px]])
    return cv2.warpAffine(picture, affine, picture.shape[::-1], flags=cv2.INTER_LINEAR)


def occlude(picture: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    """Without a sector at the sensor, in a random direction."""
    rows, cols = _offsets(picture)
    around = (np.degrees(np.arctan2(rows, cols)) - rng.uniform(0.0, 360.0)) % 360.0
    return np.where(around < degrees, 0, picture).astype(np.uint8)


def drop(picture: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    """Each pixel set to 0 with this probability."""
    return np.where(rng.random(picture.shape) < probability, 0, picture).astype(np.uint8)


def binarise(picture: np.ndarray) -> np.ndarray:
    """Whatever is there is equally high."""
    return np.where(picture > 0, 128, 0).astype(np.uint8)


def cut(picture: np.ndarray, radius_px: float) -> np.ndarray:
    """Nothing beyond the radius."""
    return np.where(np.hypot(*_offsets(picture)) > radius_px, 0, picture).astype(np.uint8)


def sprinkle(picture: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """This share of all pixels set to a uniform 30 to 255."""
    hit = rng.random(picture.shape) < share
    return np.where(hit, rng.integers(30, 256, picture.shape), picture).astype(np.uint8)


def _offsets(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = picture.shape[0] // 2
    rows, cols = np.mgrid[: picture.shape[0], : picture.shape[1]] - middle
    return rows, cols

"""Homography adaptation: photographs without labels get those on which the network agrees with itself.

After SuperPoint (DeTone et al. 2018): the picture is seen through random homographies, the maps are brought back
and averaged. What stays hot becomes a segment, what stays cold is no line, and nothing is said about the rest.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..lines.inference import padded
from ..lines.network import MULTIPLE, STRIDE, Exported, LineNet
from ..lines.segments import GrowOptions, segments_of
from ..lines.warp import random_homography, warped_picture

_VIEWS = 9  # the picture itself, and eight homographies of it
_COLD = 0.15
_SURE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PseudoLabels:
    """What is known of one photograph."""

    segments: np.ndarray  # (N, 4) pixels
    known: np.ndarray  # (H, W) uint8, 0 where nothing is said


def pseudo_labels(network: LineNet, photo: np.ndarray, rng: np.random.Generator) -> PseudoLabels:
    """Labels for (H, W, 3) uint8 on which most views agree."""
    maps = averaged_maps(network, photo, rng)
    found = segments_of(maps[0], maps[1:3], maps[3], GrowOptions(min_heat=0.3))
    segments = found[found[:, 4] >= _SURE, :4] * STRIDE + 0.5
    cold = cv2.resize((maps[0] < _COLD).astype(np.uint8), photo.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return PseudoLabels(segments=segments, known=cold)


def averaged_maps(network: LineNet, photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(4, h, w) heat, cos 2t, sin 2t, ends, averaged over views."""
    height, width = photo.shape[:2]
    h, w = -(-height // STRIDE), -(-width // STRIDE)
    total, seen = np.zeros((4, h, w), np.float32), np.zeros((h, w), np.float32)
    cells = np.array([[1 / STRIDE, 0, -0.25], [0, 1 / STRIDE, -0.25], [0, 0, 1]])  # pixel -> cell, centres on whole numbers
    for view in range(_VIEWS):
        H = np.eye(3) if view == 0 else random_homography(rng, height, width)
        image = warped_picture(photo, H)
        maps = _maps(network, image)[:, :h, :w]
        H_cells = cells @ H @ np.linalg.inv(cells)
        inside = np.pad(np.ones((h - 8, w - 8), np.float32), 4) if view else np.ones((h, w), np.float32)
        back = [
            cv2.warpPerspective(np.ascontiguousarray(m), H_cells, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            for m in (*maps, inside)
        ]
        valid = (back[4] > 0.99).astype(np.float32)
        cosine, sine = _turned_back(back[1], back[2], H_cells)
        total += valid * np.stack([back[0], back[0] * cosine, back[0] * sine, back[3]])
        seen += valid
    total /= np.maximum(seen, 1.0)
    length = np.maximum(np.hypot(total[1], total[2]), 1e-6)
    total[1:3] /= length
    return total


def _maps(network: LineNet, image: np.ndarray) -> np.ndarray:
    device = next(network.parameters()).device
    with torch.no_grad():
        return Exported(network)(torch.from_numpy(padded(image, MULTIPLE)[None]).to(device))[0].cpu().numpy()


def _turned_back(cosine: np.ndarray, sine: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Doubled tangents seen behind H at H(p), as they are at p: through the inverse of H's derivative there."""
    h, w = cosine.shape
    angle = 0.5 * np.arctan2(sine, cosine)
    columns, rows = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    x, y, z = (H[i, 0] * columns + H[i, 1] * rows + H[i, 2] for i in range(3))
    a, b = H[0, 0] - H[2, 0] * x / z, H[0, 1] - H[2, 1] * x / z
    c, d = H[1, 0] - H[2, 0] * y / z, H[1, 1] - H[2, 1] * y / z
    u, v = d * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) - c * np.cos(angle)
    doubled = 2.0 * np.arctan2(v, u)
    return np.cos(doubled), np.sin(doubled)

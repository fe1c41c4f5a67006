"""The protocol of KITTI place recognition on a folder of BEV images: who asks, who answers, and what befalls them."""

from dataclasses import dataclass

import numpy as np

from ..records import BevImage
from . import corruptions
from .bev_folder import CELL_M, to_image

GAP_FRAMES = 200  # between the database and the first query
POSITIVE_M = 5.0
SHIFT_M = 4.0  # of corruption shift4


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceProtocol:
    """The first `split` frames are the database; queries start GAP_FRAMES later."""

    split: int
    stride: int = 1  # every so many queries
    database_stride: int = 1
    yaw_seed: int | None = None  # None: images as they are; else each is turned by its own whole degrees
    corruption: str | None = None  # befalls queries only, after the turn

    @property
    def seed(self) -> int:
        """Of the corruptions."""
        return self.yaw_seed or 0


class PlaceSet:
    """Pictures and poses under a protocol. Only queries with a database frame within 5 m count."""

    def __init__(self, pictures: np.ndarray, poses: np.ndarray, protocol: PlaceProtocol) -> None:
        """(N, S, S) uint8 and (N, 3, 4), both by frame."""
        self._pictures, self._poses, self._protocol = pictures, poses, protocol
        self._turn_deg = np.zeros(len(poses))
        if protocol.yaw_seed is not None:
            self._turn_deg = np.random.default_rng(protocol.yaw_seed).integers(0, 360, len(poses)).astype(float)
        self.database = np.arange(0, min(protocol.split, len(poses)), protocol.database_stride)
        positions_m = poses[:, :, 3]
        asked = np.arange(protocol.split + GAP_FRAMES, len(poses))
        away_m = np.linalg.norm(positions_m[asked, None] - positions_m[None, self.database], axis=2)
        kept = np.flatnonzero(away_m.min(1) < POSITIVE_M)[:: protocol.stride] if len(asked) else np.zeros(0, int)
        self.queries, self.away_m = asked[kept], away_m[kept]  # (Q,) frames and (Q, D) distances

    def query_picture(self, frame: int) -> np.ndarray:
        """(S, S) uint8 as the protocol shows it."""
        picture, kind = self.database_picture(frame), self._protocol.corruption
        if kind is None:
            return picture
        return corruptions.corrupt(picture, kind, CELL_M, np.random.default_rng([self._protocol.seed, frame]))

    def database_picture(self, frame: int) -> np.ndarray:
        """(S, S) uint8 as the protocol shows it."""
        degrees = self._turn_deg[frame]
        return corruptions.turn(self._pictures[frame], degrees) if degrees else self._pictures[frame]

    def query_image(self, frame: int) -> BevImage:
        """The counts of a query."""
        return to_image(self.query_picture(frame))

    def database_image(self, frame: int) -> BevImage:
        """The counts of a database frame."""
        return to_image(self.database_picture(frame))

    def true_x_y_yaw(self, query: int, match: int) -> np.ndarray:
        """(3,) of p_match = R(yaw) p_query + (x, y) between the two images as shown, metres and radians."""
        R_match, R_query = self._poses[match, :, :3], self._poses[query, :, :3]
        t_match_query = R_match.T @ (self._poses[query, :, 3] - self._poses[match, :, 3])
        R_match_query = R_match.T @ R_query
        turn_match, turn_query = np.radians(self._turn_deg[[match, query]])
        yaw_rad = np.arctan2(R_match_query[1, 0], R_match_query[0, 0]) + turn_match - turn_query
        xy = _turned(t_match_query[:2], turn_match)
        if self._protocol.corruption == "shift4":  # the picture moved to the right: towards negative y
            xy = xy + _turned(np.array([0.0, SHIFT_M]), yaw_rad)
        return np.array([*xy, (yaw_rad + np.pi) % (2 * np.pi) - np.pi])


def _turned(xy: np.ndarray, angle_rad: float) -> np.ndarray:
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([cosine * xy[0] - sine * xy[1], sine * xy[0] + cosine * xy[1]])

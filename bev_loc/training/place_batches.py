"""Batches of places: zones that look alike, neighbouring spots in each, two views of every spot.

The second view may be of another drive: another LiDAR, lane, direction or season.
"""

from dataclasses import dataclass

import numpy as np

from ..config import PlaceConfig
from ..evaluation.bev_folder import GRID, SIDE_PX, to_image
from ..place.describe import make_describer
from . import place_views
from .place_data import PlaceData

ZONES, SPOTS, VIEWS = 6, 4, 2
SPOT_GAP_M = 12.0  # between neighbouring spots of a zone, along the path
VIEW_RADIUS_M = 4.0  # the second view may come from another frame this near
DRIVE_GAP_M = 1000.0
LOOKALIKES = 20  # nearest in the training-free descriptor, farther away than LOOKALIKE_GAP_M
LOOKALIKE_GAP_M = 30.0
_ROWS = 1000  # of the table of likenesses at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Pictures of places and where they were taken."""

    pictures: np.ndarray  # (N, 129, 129) uint8
    positions_m: np.ndarray  # (N, 2)


class PlaceBatches:
    """Draws batches from the frames of all drives alike."""

    def __init__(self, data: PlaceData) -> None:
        self._pictures, self._positions_m, self._drawn = data.pictures, data.positions_m, data.drawn
        steps_m = np.linalg.norm(np.diff(self._positions_m, axis=0), axis=1)
        steps_m[np.diff(data.drives) != 0] = DRIVE_GAP_M  # a zone ends where its drive does
        self._path_m = np.concatenate([[0.0], np.cumsum(steps_m)])
        self._lookalikes = self._mine()

    def draw(self, rng: np.random.Generator) -> Batch:
        """A function of the generator's state alone."""
        pictures, positions_m = [], []
        zone = int(rng.integers(len(self._pictures)))
        for n in range(ZONES):
            if n:
                new = n % 3 == 0 or rng.random() < 0.2
                zone = int(rng.integers(len(self._pictures))) if new else int(rng.choice(self._lookalikes[zone]))
            for spot in self._spots(zone, rng):
                for view, frame in enumerate((spot, self._near(spot, rng))):
                    keep = place_views.as_drawn(self._drawn[frame], rng)
                    picture = (place_views.heavy if view else place_views.light)(self._pictures[frame], keep, rng)
                    pictures.append(_middle(picture))
                    positions_m.append(self._positions_m[frame])
        return Batch(pictures=np.stack(pictures), positions_m=np.array(positions_m))

    def _spots(self, zone: int, rng: np.random.Generator) -> list[int]:
        starts = self._path_m[zone] + (np.arange(SPOTS) + rng.uniform(-0.3, 0.3, SPOTS)) * SPOT_GAP_M
        return [int(frame) for frame in np.searchsorted(self._path_m, starts).clip(0, len(self._path_m) - 1)]

    def _near(self, frame: int, rng: np.random.Generator) -> int:
        away_m = np.linalg.norm(self._positions_m - self._positions_m[frame], axis=1)
        return int(rng.choice(np.flatnonzero(away_m < VIEW_RADIUS_M)))

    def _mine(self) -> np.ndarray:
        """(F, LOOKALIKES) frames elsewhere whose training-free descriptors are nearest."""
        describer = make_describer(PlaceConfig(descriptor="fourier_mellin"), GRID)
        rows = np.stack([describer.describe(to_image(picture)) for picture in self._pictures])
        count = min(LOOKALIKES, len(rows) - 1)
        nearest = []
        for first in range(0, len(rows), _ROWS):
            likeness = rows[first : first + _ROWS] @ rows.T
            for n, row in enumerate(likeness, first):
                row[np.linalg.norm(self._positions_m - self._positions_m[n], axis=1) < LOOKALIKE_GAP_M] = -np.inf
            nearest.append(np.argpartition(-likeness, count, axis=1)[:, :count])
        return np.concatenate(nearest)


def _middle(picture: np.ndarray) -> np.ndarray:
    margin = (picture.shape[0] - SIDE_PX) // 2
    return picture[margin : margin + SIDE_PX, margin : margin + SIDE_PX]

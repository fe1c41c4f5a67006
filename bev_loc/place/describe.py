"""What a describer of places is, and the choice of one."""

from typing import Protocol

import numpy as np

from ..config import BevConfig, PlaceConfig
from ..records import BevImage
from .fourier_mellin import FourierMellin


class Describer(Protocol):
    """Turns images into vectors that are close when the places are the same, whatever the heading."""

    name: str  # stored in maps; with the weights' hash when there are weights
    dimension: int

    def describe(self, image: BevImage) -> np.ndarray:
        """(dimension,) float32 of unit length; zeros for an empty image."""
        ...


def make_describer(place: PlaceConfig, bev: BevConfig) -> Describer:
    """The describer that the configuration names, for images of its grid."""
    return FourierMellin(bev)

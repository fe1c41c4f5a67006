"""What a describer of places is, and the choice of one."""

from pathlib import Path
from typing import Protocol

import numpy as np

from ..config import BevConfig, PlaceConfig
from ..errors import DependencyError
from ..records import BevImage
from .fourier_mellin import FourierMellin
from .learned import Learned
from .projection import PUBLISHED


class Describer(Protocol):
    """Turns images into vectors that are close when the places are the same, whatever the heading."""

    name: str  # stored in maps; with the weights' hash when there are weights
    dimension: int

    def describe(self, image: BevImage) -> np.ndarray:
        """(dimension,) float32 of unit length; zeros for an empty image."""
        ...


def make_describer(place: PlaceConfig, bev: BevConfig) -> Describer:
    """The describer that the configuration names, for images of its grid."""
    match place.descriptor:
        case "fourier_mellin":
            return FourierMellin(bev)
        case "bevplace":
            return _upstream(Path(place.checkpoint) if place.checkpoint else PUBLISHED)
    return Learned(place.descriptor, bev)


def _upstream(checkpoint: Path) -> Describer:
    try:
        from .rein import UpstreamRein
    except ImportError:
        raise DependencyError("place.descriptor=bevplace needs torch: pip install 'torch>=2.4'") from None
    return UpstreamRein(checkpoint)

"""Describers with learned weights: parts of a descriptor, each projected, and left out where the image cannot support it."""

from pathlib import Path

import numpy as np

from ..bev.grid import middle_px
from ..config import BevConfig
from ..errors import ConfigError
from ..records import BevImage
from . import projection, spectral
from .ring_network import open_network, rings

SPECTRAL_PARTS = ("whole", "inner", "presence")  # of spectral.PARTS
BESIDE_EACH_OTHER = 85  # numbers of each part in "fused": 510 in all, like three parts alone


class Learned:
    """Spectral parts, rings of the equivariant REIN, or both ("fused")."""

    def __init__(self, kind: str, bev: BevConfig, network: Path = projection.NETWORK) -> None:
        """`kind`: spectral, rein or fused; `network` makes the rings. ConfigError for a grid that the weights do not fit."""
        if bev.cell_m != spectral.CELL_M:
            raise ConfigError(
                f"place.descriptor={kind} was trained on cells of {spectral.CELL_M} m, the grid has cells of {bev.cell_m} m; "
                "set place.descriptor=fourier_mellin for other grids"
            )
        self._beyond_px = middle_px(bev) - spectral.MIDDLE_PX
        weights = projection.shipped()
        ring_parts = [name for name in weights if name not in SPECTRAL_PARTS]
        self._spectral = [weights[name] for name in SPECTRAL_PARTS] if kind != "rein" else []
        self._rings = [weights[name] for name in ring_parts] if kind != "spectral" else []
        if kind == "fused":
            self._spectral, self._rings = (
                [part.first(BESIDE_EACH_OTHER) for part in parts] for parts in (self._spectral, self._rings)
            )
        files = (network,) if self._rings else ()
        self.name = f"{kind}-{projection.weights_hash((*self._spectral, *self._rings), *files)}"
        self.dimension = sum(part.basis.shape[1] for part in (*self._spectral, *self._rings))
        self._network = open_network(network) if self._rings else None

    def describe(self, image: BevImage) -> np.ndarray:
        """(dimension,) float32 of unit length; zeros for an empty image."""
        counts = self._middle(image.counts)
        pieces: list[np.ndarray] = []
        if self._spectral:
            pieces += [_weighted(vector, learned) for vector, learned in zip(spectral.describe(counts), self._spectral)]
        if self._network is not None:
            pieces += [_weighted(vector, learned) for vector, learned in zip(rings(self._network, counts), self._rings)]
        descriptor = np.concatenate(pieces).astype(np.float32)
        length = np.linalg.norm(descriptor)
        return descriptor / length if length > 0 else descriptor

    def _middle(self, counts: np.ndarray) -> np.ndarray:
        """The (129, 129) counts around the sensor, with nothing where a smaller image ends."""
        beyond = self._beyond_px
        if beyond < 0:
            return np.pad(counts, -beyond)
        return counts[beyond : beyond + 2 * spectral.MIDDLE_PX + 1, beyond : beyond + 2 * spectral.MIDDLE_PX + 1]


def _weighted(vector: np.ndarray, learned: projection.Projection) -> np.ndarray:
    """The projected part, so that products of two are its weight times their likeness; zeros stay zeros."""
    if not vector.any():
        return np.zeros(learned.basis.shape[1], np.float32)
    return learned(vector) * np.float32(np.sqrt(learned.weight))

"""Learned projections of descriptor parts to few numbers, as the training wrote them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..errors import ConfigError

WEIGHTS = Path(__file__).parent / "weights"
PROJECTION, NETWORK = WEIGHTS / "projection.npz", WEIGHTS / "rein_cyclic.onnx"
PUBLISHED = WEIGHTS / "rein.pth"  # the paper's network, trained here, with upstream's names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """Of one part: unit vectors in, shorter unit vectors out."""

    mean: np.ndarray  # (L,) float32
    basis: np.ndarray  # (L, D) float32
    weight: float  # of the part's likeness in the sum over parts

    def __call__(self, descriptor: np.ndarray) -> np.ndarray:
        """(D,) float32 of unit length of (L,)."""
        short = (descriptor - self.mean) @ self.basis
        length = np.linalg.norm(short)
        return short / length if length > 0 else short

    def first(self, count: int) -> "Projection":
        """Only the directions in which places differ most: they come first."""
        return Projection(mean=self.mean, basis=self.basis[:, :count], weight=self.weight)


@cache
def shipped() -> dict[str, Projection]:
    """The parts' projections by name."""
    if not PROJECTION.is_file():
        raise ConfigError(f"{PROJECTION}: expected the shipped weights; reinstall, or set place.descriptor=fourier_mellin")
    with np.load(PROJECTION) as file:
        names = [key.removeprefix("basis_") for key in file.files if key.startswith("basis_")]
        return {
            name: Projection(
                mean=file[f"mean_{name}"].astype(np.float32),
                basis=file[f"basis_{name}"].astype(np.float32),
                weight=float(file[f"weight_{name}"]),
            )
            for name in names
        }


def weights_hash(parts: Iterable[Projection], *files: Path) -> str:
    """The first eight hexadecimal digits of SHA-256 over what a describer uses; part of its name, which maps store."""
    digest = hashlib.sha256()
    for part in parts:
        for array in (part.mean, part.basis, np.float64(part.weight)):
            digest.update(np.ascontiguousarray(array).tobytes())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]

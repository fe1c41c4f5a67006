"""Where a network is trained."""

import torch

from ..errors import DependencyError


def require(device: str) -> None:
    """DependencyError unless there is such a device: `cpu` or `cuda`."""
    if device == "cuda" and not torch.cuda.is_available():
        raise DependencyError("--device cuda: torch finds no GPU here; install a torch that was built for it, or train with --device cpu")

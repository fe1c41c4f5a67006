"""The training loop of the equivariant REIN: a contrastive loss over places, seeded, resumable, the same on CPU and GPU."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..evaluation.bev_folder import GRID
from ..place.rein_cyclic import CyclicRein
from .place_batches import Batch, PlaceBatches

TEMPERATURE = 0.05
POSITIVE_M, NEGATIVE_M = 5.0, 8.0  # what lies between is neither
WARM_UP = 0.08  # share of the steps during which the rate rises


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTraining:
    """What a run depends on, beside the data."""

    steps: int = 600
    peak_rate: float = 4e-3
    seed: int = 0
    device: str = "cpu"
    save_every: int = 20


def contrast(rings: Tensor, positions_m: Tensor) -> Tensor:
    """InfoNCE with several positives (Oord 2018; Khosla 2020) on (N, R, D) ring descriptors, taken at (N, 2).

    Likeness is the mean over the rings that both images saw.
    """
    seen = (rings.square().sum(2) > 0.5).float()
    likeness = torch.einsum("ird,jrd->ij", rings, rings) / (seen @ seen.T).clamp(min=1.0) / TEMPERATURE
    away_m = torch.cdist(positions_m, positions_m)
    itself = torch.eye(len(rings), dtype=torch.bool, device=rings.device)
    positive = (away_m < POSITIVE_M) & ~itself
    others = torch.logsumexp(likeness.masked_fill(away_m < NEGATIVE_M, -torch.inf), 1, keepdim=True)
    each = functional.softplus(others - likeness) * positive  # -log of p / (p + negatives)
    return (each.sum(1) / positive.sum(1).clamp(min=1)).mean()


def train(
    network: CyclicRein, batches: PlaceBatches, training: PlaceTraining, checkpoint: Path, say: Callable[[str], None]
) -> None:
    """Trains in place; takes up where `checkpoint` ended. Every step's batch depends on seed and step alone."""
    device = training.device
    network.to(device).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.peak_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.peak_rate, total_steps=training.steps, pct_start=WARM_UP, final_div_factor=100.0
    )
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        first = saved["step"]
    running = float("nan")
    for step in range(first, training.steps):
        batch = batches.draw(np.random.default_rng([training.seed, step]))
        with torch.autocast(device, torch.bfloat16):
            features = network.features(_images(batch, device))
        rings = network.pooling(features.float(), _images(batch, device))
        loss = contrast(rings, torch.from_numpy(batch.positions_m).float().to(device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        running = loss.item() if np.isnan(running) else 0.95 * running + 0.05 * loss.item()
        if (step + 1) % training.save_every == 0 or step + 1 == training.steps:
            state = {"step": step + 1, "network": network.state_dict(), "optimiser": optimiser.state_dict(),
                     "schedule": schedule.state_dict()}  # fmt: skip
            part = checkpoint.with_suffix(".part")
            torch.save(state, part)
            part.replace(checkpoint)
            say(f"step {step + 1} of {training.steps}: loss {running:.4f}")
    network.eval()


def _images(batch: Batch, device: str) -> Tensor:
    """(N, 1, 129, 129) structure in 0..1, on whole counts as the rasteriser gives them."""
    counts = np.rint(batch.pictures * (GRID.max_count / 255.0)) / GRID.max_count
    return torch.from_numpy(counts.astype(np.float32))[:, None].to(device)

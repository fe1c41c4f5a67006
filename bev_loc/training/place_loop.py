"""The training loop of both REINs: a contrastive loss over places, seeded, resumable, the same on CPU and GPU."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..evaluation.bev_folder import GRID
from .crew import Crew
from .place_batches import Batch, PlaceBatches

TEMPERATURE = 0.05
POSITIVE_M, NEGATIVE_M = 5.0, 8.0  # what lies between is neither
WARM_UP = 0.08  # share of the steps during which the rate rises
DRAWING = {"cpu": 1, "cuda": 8}  # threads that make batches ahead of their step


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceTraining:
    """What a run depends on, beside the data."""

    steps: int = 600
    peak_rate: float = 4e-3
    seed: int = 0
    device: str = "cpu"
    save_every: int = 20
    most_s: float = float("inf")  # then it stops at the next checkpoint


class Network(Protocol):
    """A `torch.nn.Module` that describes places; its features may be computed in bfloat16."""

    def pictures(self, counts: Tensor) -> Tensor:
        """(N, 1, 129, 129) counts -> as the network takes them."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """Of the pictures -> (N, C, H, W) local features."""
        ...

    def parts(self, features: Tensor, images: Tensor) -> Tensor:
        """Of both -> (N, parts, D), each of unit length, or zeros where the image cannot support it."""
        ...


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
    network: Network, batches: PlaceBatches, training: PlaceTraining, checkpoint: Path, say: Callable[[str], None],
    crew: Crew = Crew(), clock: Callable[[], float] = time.monotonic,
) -> bool:  # fmt: skip
    """Trains in place; takes up where `checkpoint` ended. Every step's batch depends on seed, step and rank alone.

    False when it stopped after `most_s`, before the last step.
    """
    assert isinstance(network, nn.Module)
    device, begun_s = training.device, clock()
    network.to(device).train()
    if device == "cuda":
        _suit_tensor_cores(network)
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
    with closing(_drawn(batches, training, first, crew)) as ahead:
        for step, batch in zip(range(first, training.steps), ahead):
            images = network.pictures(counts_of(batch).to(device))
            with torch.autocast(device, torch.bfloat16):
                features = network.features(images)
            parts = network.parts(features.float(), images)
            loss = contrast(parts, torch.from_numpy(batch.positions_m).float().to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            crew.average_gradients(network)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            running = loss.item() if np.isnan(running) else 0.95 * running + 0.05 * loss.item()
            if (step + 1) % training.save_every and step + 1 < training.steps:
                continue
            crew.average_statistics(network)
            if crew.first:
                _save(checkpoint, step + 1, network, optimiser, schedule)
                say(f"step {step + 1} of {training.steps}: loss {running:.4f}")
            if step + 1 < training.steps and crew.any(clock() - begun_s > training.most_s):
                return False
    network.eval()
    return True


def _suit_tensor_cores(network: nn.Module) -> None:
    """Channels last, in place, and the quickest convolutions for these shapes."""
    torch.backends.cudnn.benchmark = True
    for value in network.parameters():
        if value.dim() == 4:
            value.data = value.data.contiguous(memory_format=torch.channels_last)


def _save(
    checkpoint: Path, step: int, network: nn.Module, optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler
) -> None:
    """Whole or not at all."""
    state = {"step": step, "network": network.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict()}
    part = checkpoint.with_suffix(".part")
    torch.save(state, part)
    part.replace(checkpoint)


def _drawn(batches: PlaceBatches, training: PlaceTraining, first: int, crew: Crew) -> Iterator[Batch]:
    """The batches of all steps from `first` on, some of them made while the network is still at earlier ones."""
    more = (crew.rank,) if crew.rank else ()
    waiting: deque = deque()
    with ThreadPoolExecutor(DRAWING[training.device]) as pool:
        for step in range(first, training.steps):
            waiting.append(pool.submit(batches.draw, np.random.default_rng([training.seed, step, *more])))
            if len(waiting) > 2 * DRAWING[training.device]:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def counts_of(batch: Batch) -> Tensor:
    """(N, 1, 129, 129) whole counts, as the rasteriser gives them."""
    return torch.from_numpy(np.rint(batch.pictures * (GRID.max_count / 255.0)).astype(np.float32))[:, None]

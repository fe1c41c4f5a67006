"""The training loop of LSDNet: seeded batches, checkpoints to resume from, the same on CPU and GPU."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..lines.network import LineNet
from .lines_targets import Sample

HEAT_WEIGHT, END_WEIGHT = 3.0, 25.0  # of cells on a line and at an end, against the many others


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stretch of training with one learning-rate cycle."""

    name: str
    steps: int
    peak_rate: float
    shards: int  # so many of the rendered ones
    photos: float = 0.0  # share of the samples that are photographs with pseudo-labels
    batch: int = 8
    side: int = 256


def loss_of(maps: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """The three parts for raw maps (N, 4, h, w) against (N, 6, h, w) of `lines_targets.Sample`."""
    heat, ends, known = wanted[:, 0], wanted[:, 3], wanted[:, 5]
    parts = {
        "heat": _cross_entropy(maps[:, 0], heat, known * (1 + HEAT_WEIGHT * heat)),
        "ends": _cross_entropy(maps[:, 3], ends, known * (1 + END_WEIGHT * ends)),
    }
    on_line = wanted[:, 4] * known
    off = functional.smooth_l1_loss(maps[:, 1:3], wanted[:, 1:3], reduction="none", beta=0.2).sum(dim=1)
    parts["tangent"] = (off * on_line).sum() / on_line.sum().clamp(min=1.0)
    return parts


def _cross_entropy(logits: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (each * weights).sum() / weights.sum().clamp(min=1.0)


def train_stage(
    network: LineNet,
    stage: Stage,
    draw: Callable[[np.random.Generator], Sample],
    *,
    seed: int,
    checkpoint: Path,
    device: str,
    say: Callable[[str], None],
) -> None:
    """Train `network` in place; picks up where `checkpoint` of the same stage ended. `draw` makes one sample."""
    network.to(device, memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=stage.peak_rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, stage.peak_rate, total_steps=stage.steps, pct_start=0.08, final_div_factor=200.0
    )
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        if saved["stage"] == stage.name:
            network.load_state_dict(saved["network"])
            optimiser.load_state_dict(saved["optimiser"])
            schedule.load_state_dict(saved["schedule"])
            first = saved["step"]
    running: dict[str, float] = {}
    for step in range(first, stage.steps):
        images, wanted = _batch(stage, draw, [seed, crc32(stage.name.encode()), step], device)
        with torch.autocast(device, torch.bfloat16):
            maps = network(images)
        parts = loss_of(maps.float(), wanted)
        optimiser.zero_grad(set_to_none=True)
        (parts["heat"] + 0.5 * parts["ends"] + 0.5 * parts["tangent"]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        for name, part in parts.items():
            running[name] = 0.98 * running.get(name, part.item()) + 0.02 * part.item()
        if (step + 1) % 250 == 0 or step + 1 == stage.steps:
            _save(checkpoint, stage, step + 1, network, optimiser, schedule)
            say(f"{stage.name}: step {step + 1} of {stage.steps}, " + ", ".join(f"{k} {v:.4f}" for k, v in running.items()))
    network.eval()


def _batch(stage: Stage, draw: Callable[[np.random.Generator], Sample], seed: list[int], device: str) -> tuple[Tensor, Tensor]:
    """Images (N, 3, S, S) in 0..1 and wanted maps (N, 6, S/2, S/2); a function of the seed alone."""
    rng = np.random.default_rng(seed)
    samples = [draw(rng) for _ in range(stage.batch)]
    images = torch.from_numpy(np.stack([sample.image for sample in samples])).to(device).permute(0, 3, 1, 2)
    wanted = torch.from_numpy(np.stack([sample.maps for sample in samples])).to(device)
    return (images.float() / 255.0).contiguous(memory_format=torch.channels_last), wanted


def _save(checkpoint: Path, stage: Stage, step: int, network, optimiser, schedule) -> None:
    state = {"stage": stage.name, "step": step, "network": network.state_dict(), "optimiser": optimiser.state_dict(),
             "schedule": schedule.state_dict()}  # fmt: skip
    temporary = checkpoint.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(checkpoint)


class Shards:
    """Rendered pictures on disk, drawn from at random."""

    def __init__(self, folder: Path, count: int) -> None:
        paths = sorted(folder.glob("*.images.npy"))[:count]
        self._images = [np.load(path, mmap_mode="r") for path in paths]
        self._segments = [np.load(str(path).replace(".images.", ".segments.")) for path in paths]

    def one(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(H, W, 3) uint8 and (N, 4), NaN where there are fewer segments."""
        shard = int(rng.integers(len(self._images)))
        index = int(rng.integers(len(self._images[shard])))
        return np.ascontiguousarray(self._images[shard][index]), self._segments[shard][index]

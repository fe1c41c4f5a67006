"""Training of LSDNet from nothing but its own renderings, and photographs without labels: resumable, seeded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from ..errors import SourceError
from ..lines.network import LineNet
from .device import require
from .lines_adapt import PseudoLabels, pseudo_labels
from .lines_export import export
from .lines_loop import Shards, Stage, train_stage
from .lines_pictures import read_photos, write_shard
from .lines_targets import Sample, crop

PICTURES_PER_SHARD = 100

# What the shipped weights were made with.
STAGES = (
    Stage(name="warm", steps=1500, peak_rate=3e-3, shards=9),
    Stage(name="rendered", steps=2500, peak_rate=2.5e-3, shards=19),
    Stage(name="adapted 1", steps=1200, peak_rate=2e-3, shards=19, photos=0.25),
    Stage(name="adapted 2", steps=1800, peak_rate=2e-3, shards=19, photos=0.25),
    Stage(name="adapted 3", steps=2600, peak_rate=2.5e-3, shards=29, photos=0.2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTraining:
    """What is trained, where and how long."""

    out: Path  # shards, checkpoints and lsdnet.onnx
    photos: Path | None  # folder of unlabelled photographs; without it the adaptation stages are left out
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    stages: tuple[Stage, ...] = STAGES
    pictures_per_shard: int = PICTURES_PER_SHARD


def train(options: LineTraining, say: Callable[[str], None]) -> Path:
    """Runs the stages that are not done yet; the path of the exported model. `say` gets one line of progress at a time."""
    require(options.device)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    photos = read_photos(options.photos)
    if options.photos is not None and not photos:
        raise SourceError(f"{options.photos}: expected photographs (.jpg, .jpeg, .png), found none")
    _render(options, photos, say)
    torch.manual_seed(options.seed)
    network = LineNet()
    for number, stage in enumerate(options.stages):
        if stage.photos > 0 and not photos:
            say(f"{stage.name}: left out, no photographs")
            continue
        done = options.out / f"{number} {stage.name}.done.pt"
        if done.exists():
            network.load_state_dict(torch.load(done, map_location="cpu", weights_only=True))
            continue
        draw = _sampler(options, stage, network, photos, number, say)
        train_stage(network, stage, draw, seed=options.seed, checkpoint=options.out / f"{number} {stage.name}.pt",
                    device=options.device, say=say)  # fmt: skip
        torch.save(network.cpu().state_dict(), done)
    model = options.out / "lsdnet.onnx"
    export(network, model)
    return model


def _render(options: LineTraining, photos: list[np.ndarray], say: Callable[[str], None]) -> None:
    folder = options.out / "shards"
    folder.mkdir(exist_ok=True)
    for shard in range(max(stage.shards for stage in options.stages)):
        path = folder / f"{shard:04d}"
        if not path.with_suffix(".images.npy").exists():
            say(f"rendering shard {shard}")
            write_shard(path, 10_000 * options.seed + shard, options.pictures_per_shard, photos)


def _sampler(
    options: LineTraining, stage: Stage, network: LineNet, photos: list[np.ndarray], number: int, say: Callable[[str], None]
) -> Callable[[np.random.Generator], Sample]:
    """How a sample of this stage is drawn; pseudo-labels come from the network as it is now."""
    shards = Shards(options.out / "shards", stage.shards)
    labelled = _labelled(options, network, photos, number, say) if stage.photos > 0 else []

    def draw(rng: np.random.Generator) -> Sample:
        if rng.random() < stage.photos:
            photo, labels = labelled[int(rng.integers(len(labelled)))]
            return crop(rng, photo, labels.segments, stage.side, labels.known)
        return crop(rng, *shards.one(rng), stage.side)

    return draw


def _labelled(
    options: LineTraining, network: LineNet, photos: list[np.ndarray], number: int, say: Callable[[str], None]
) -> list[tuple[np.ndarray, PseudoLabels]]:
    network.to(options.device).eval()
    rng = np.random.default_rng([options.seed, number])
    labelled = [(photo, pseudo_labels(network, photo, rng)) for photo in photos]
    count = sum(len(labels.segments) for _, labels in labelled)
    told = np.mean([float(labels.known.mean()) for _, labels in labelled])
    say(f"{len(photos)} photographs got {count} segments; {told:.0%} of their area is certainly no line")
    return labelled

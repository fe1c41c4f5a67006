"""Training of place descriptors: data in one file, network, export, projections. Each stage writes one file."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ..errors import OutputError
from ..evaluation.bev_folder import to_image
from ..place import spectral
from ..place.learned import SPECTRAL_PARTS
from ..place.rein import Rein
from ..place.rein_cyclic import CyclicRein
from ..place.ring_network import network_input, open_network, rings
from . import crew, place_data, place_projection
from .device import require
from .export_int8 import quantise
from .place_batches import PlaceBatches
from .place_clusters import initialise
from .place_data import PlaceData
from .place_export import export
from .place_loop import PlaceTraining, train

STEPS = {"spectral": 0, "fused": 6500, "bevplace": 4000}  # of the shipped weights: a matter for GPUs
PEAK_RATES = {"spectral": 0.0, "fused": 4e-3, "bevplace": 1e-3}
RING_PARTS = ("near", "middle", "far")
PARTS = (*SPECTRAL_PARTS, *RING_PARTS)
LENGTH = 170  # numbers kept of each part; where all six are used, fewer of each
WEIGHTS = (1.0, 0.5, 0.5, 0.4, 0.4, 0.4)  # of its likeness
PROJECTED_EVERY = 1  # of so many images one teaches the projections of the spectral parts,
RINGS_EVERY = 3  # and those of the rings, which take longer
CALIBRATED_EVERY = 60  # of so many images one tells the int8 network its ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOptions:
    """What to learn from, and where to write."""

    images: Path
    poses: Path
    out: Path
    frames: int  # the first so many
    worlds: int  # simulated ones beside them
    threads: int
    descriptor: str  # spectral, which takes a quarter of an hour; fused, with the equivariant REIN; bevplace, the paper's REIN
    training: PlaceTraining


def run(options: PlaceOptions, say: Callable[[str], None]) -> list[Path]:
    """Writes and returns the files of weights; a run that was cut short goes on where it stopped.

    None yet when it stopped because its time was over. OutputError when the folder has the stages of a run with other
    options.
    """
    require(options.training.device)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    all_of_us = crew.join(options.training.device)
    packed, projection = options.out / "training_set.npz", options.out / "projection.npz"
    model, coarse = options.out / "rein_cyclic.onnx", options.out / "rein_cyclic_int8.onnx"
    if all_of_us.first:
        _same_as_begun(options)
        if not packed.exists():
            place_data.gather(options.images, options.poses, options.frames, options.worlds, say).save(packed)
            say(f"{packed}: {packed.stat().st_size / 1e6:.1f} MB")
    all_of_us.wait()
    data = place_data.load(packed)
    if options.descriptor == "bevplace":
        return _published(data, options, all_of_us, say)
    if options.descriptor == "fused" and not model.exists():
        torch.manual_seed(options.training.seed)
        network = CyclicRein()
        if not train(network, PlaceBatches(data), options.training, options.out / "rein_cyclic.pt", say, all_of_us):
            return []
        if all_of_us.first:
            export(network, model)
            quantise(model, _calibration(data), coarse)
    if not all_of_us.first:
        return []
    say("learning the projections")
    np.savez_compressed(projection, **project(data, model if options.descriptor == "fused" else None, options.training.seed))
    return [model, coarse, projection] if options.descriptor == "fused" else [projection]


def _calibration(data: PlaceData) -> Iterator[np.ndarray]:
    """Some images, as the exported network takes them."""
    return (network_input(to_image(picture).counts) for picture in data.pictures[::CALIBRATED_EVERY])


def _published(data: PlaceData, options: PlaceOptions, all_of_us: crew.Crew, say: Callable[[str], None]) -> list[Path]:
    """The paper's REIN, as a checkpoint with upstream's names."""
    begun, weights = options.out / "rein.pt", options.out / "rein.pth"
    torch.manual_seed(options.training.seed)
    network, batches = Rein(), PlaceBatches(data)
    if not begun.exists():
        initialise(network, batches, options.training.seed, options.training.device)
    done = train(network, batches, options.training, begun, say, all_of_us)
    if not done or not all_of_us.first:
        return []
    halves = {name: value.half() if value.is_floating_point() else value for name, value in network.cpu().state_dict().items()}
    torch.save({"state_dict": {name: value.contiguous() for name, value in halves.items()}}, weights)
    return [weights]


def _same_as_begun(options: PlaceOptions) -> None:
    """Kept stages are taken up by a run that would make the same ones, and by no other."""
    training = options.training
    asked = {
        "images": str(options.images.resolve()), "poses": str(options.poses.resolve()), "frames": options.frames,
        "worlds": options.worlds, "steps": training.steps, "peak_rate": training.peak_rate, "seed": training.seed,
    }  # fmt: skip
    file = options.out / "options.json"
    if not file.exists():
        file.write_text(json.dumps(asked, indent=1) + "\n")
        return
    begun = json.loads(file.read_text())
    other = [f"{key}={begun.get(key)}, not {value}" for key, value in asked.items() if begun.get(key) != value]
    if other:
        raise OutputError(f"{options.out}: was begun with {'; '.join(other)}; name another folder, or delete this one")


def project(data: PlaceData, model: Path | None, seed: int) -> dict[str, np.ndarray]:
    """The arrays of `projection.npz`; without a network those of the spectral parts."""
    learned = place_projection.learn(data, PROJECTED_EVERY, spectral.describe, [LENGTH] * len(SPECTRAL_PARTS), seed)
    if model is not None:
        network = open_network(model, torch.get_num_threads())
        learned += place_projection.learn(data, RINGS_EVERY, partial(rings, network), [LENGTH] * len(RING_PARTS), seed)
    arrays: dict[str, np.ndarray] = {}
    for name, weight, (mean, basis) in zip(PARTS, WEIGHTS, learned):
        arrays |= {f"mean_{name}": mean.astype(np.float16), f"basis_{name}": basis.astype(np.float16),
                   f"weight_{name}": np.float64(weight)}  # fmt: skip
    return arrays

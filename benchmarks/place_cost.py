"""Cost of describing an image, one thread: descriptor and local features of the default beside the others and REIN as published.

The least of many repetitions, which other work on the machine disturbs least; medians beside it.
"""

import argparse
import json
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()

import numpy as np  # noqa: E402

from bev_loc.config import BevConfig, PlaceConfig  # noqa: E402
from bev_loc.place.describe import make_describer  # noqa: E402
from bev_loc.records import BevImage  # noqa: E402
from bev_loc.verify.match import describe  # noqa: E402

REPETITIONS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--skip-published", action="store_true", help="without REIN as published, which needs torch")
    parser.add_argument("--out", type=Path, help="also write the JSON here")
    arguments = parser.parse_args()
    result: dict[str, dict[str, float]] = {}
    for range_m in (25.6, 40.0):
        bev = BevConfig(range_m=range_m)
        image = street(2 * round(range_m / bev.cell_m) + 1)
        costs = {"local_features": timed(lambda image=image, bev=bev: describe(image, bev))}
        for name in ("fourier_mellin", "spectral", "rein", "fused"):
            describer = make_describer(PlaceConfig(descriptor=name), bev)
            costs[name] = timed(lambda describer=describer, image=image: describer.describe(image))
        costs["default_and_local_features"] = costs[PlaceConfig().descriptor] + costs["local_features"]
        if not arguments.skip_published and find_spec("torch"):
            costs["rein_published"] = timed(published(image), 5)
            costs["published_over_default"] = costs["rein_published"] / costs[PlaceConfig().descriptor]
        result[f"{len(image.counts)} px, least ms"] = {name: round(value, 3) for name, value in costs.items()}
    print(json.dumps(result, indent=None if arguments.json else 1))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


def street(side: int) -> BevImage:
    """Walls and cars, 7 % of the pixels."""
    rng = np.random.default_rng(0)
    counts = np.zeros((side, side), np.uint8)
    for _ in range(side // 3):
        row, col, length = rng.integers(0, side, 2).tolist() + [int(rng.integers(5, 40))]
        if rng.random() < 0.5:
            counts[row, col : col + length] = rng.integers(1, 11)
        else:
            counts[row : row + length, col] = rng.integers(1, 11)
    return BevImage(counts=counts, mean_height_m=np.full(counts.shape, np.nan, np.float32))


def timed(call: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """Least time of a call in milliseconds."""
    call()
    durations_s = []
    for _ in range(repetitions):
        start_s = time.perf_counter()
        call()
        durations_s.append(time.perf_counter() - start_s)
    return 1e3 * min(durations_s)


def published(image: BevImage) -> Callable[[], object]:
    """The forward pass of the paper's network with random weights."""
    import torch

    from bev_loc.place.rein import Rein

    torch.set_num_threads(1)
    network = Rein().eval()
    grey = torch.from_numpy(image.counts.astype(np.float32) / 10)[None, None]

    def run() -> object:
        with torch.inference_mode():
            return network(grey)

    return run


if __name__ == "__main__":
    main()

"""The shipped network in int8 beside float32: size, CPU time, likeness of descriptors, recall@1 on KITTI 05, all images turned.

Calibrated on every 60th of the first 3000 images of KITTI 00, which the network was trained on. The projections behind
the network are the shipped ones, learned with float32.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

os.environ["OMP_NUM_THREADS"] = "1"
set_thread_environment()

import numpy as np  # noqa: E402

from bev_loc.evaluation import retrieval  # noqa: E402
from bev_loc.evaluation.bev_folder import GRID, read_pictures, read_poses, to_image  # noqa: E402
from bev_loc.evaluation.place_set import PlaceProtocol, PlaceSet  # noqa: E402
from bev_loc.place import projection  # noqa: E402
from bev_loc.place.learned import Learned  # noqa: E402
from bev_loc.place.ring_network import network_input, open_network, rings  # noqa: E402
from bev_loc.training.export_int8 import quantise  # noqa: E402

CALIBRATED_EVERY, TRAINED_FRAMES = 60, 3000
CORRUPTIONS = (None, "occlude150", "range15")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")))
    parser.add_argument("--stride", type=int, default=4, help="every so many database frames and queries")
    parser.add_argument("--descriptors", default="rein,fused")
    arguments = parser.parse_args()
    folder = arguments.data / "kitti_bev"
    if not folder.is_dir():
        print(f"place_int8: no KITTI BEV images in {folder}; set BEV_LOC_DATA to measure on them")
        return
    exact = projection.NETWORK
    learned_from = read_pictures(folder / "00" / "imgs")[:TRAINED_FRAMES:CALIBRATED_EVERY]
    calibration = [network_input(to_image(picture).counts) for picture in learned_from]
    pictures = read_pictures(folder / "05" / "imgs")
    poses = read_poses(folder / "05" / "pose.txt", len(pictures))
    with tempfile.TemporaryDirectory() as temporary:
        coarse = Path(temporary) / "int8.onnx"
        quantise(exact, calibration, coarse)
        seen = [to_image(picture).counts for picture in pictures[::100]]
        described = {}
        for name, file in (("float32", exact), ("int8", coarse)):
            run = partial(rings, open_network(file))
            described[name] = np.array([run(counts) for counts in seen])
            print(f"{name:8s} {file.stat().st_size / 1e3:6.0f} kB   {least_ms(run, seen):6.2f} ms CPU an image (least)")
        likeness = (described["float32"] * described["int8"]).sum(2)
        likeness = likeness[np.linalg.norm(described["float32"], axis=2) > 0.5]
        print(f"cosine of a ring in int8 with float32: mean {likeness.mean():.4f}, least {likeness.min():.4f}", flush=True)
        for descriptor in arguments.descriptors.split(","):
            for corruption in CORRUPTIONS:
                protocol = PlaceProtocol(
                    split=1000, stride=arguments.stride, database_stride=arguments.stride, yaw_seed=0, corruption=corruption
                )
                places = PlaceSet(pictures, poses, protocol)
                found = {}
                for name, file in (("float32", exact), ("int8", coarse)):
                    describer = Learned(descriptor, GRID, network=file)
                    found[name] = retrieval.evaluate(places, describer, None, candidates=1).recall_at_1_descriptor
                print(
                    f"{descriptor:6s} {corruption or 'turned only':12s} recall@1 of {len(places.queries)} queries: "
                    f"float32 {100 * found['float32']:.1f} %, int8 {100 * found['int8']:.1f} %", flush=True,
                )  # fmt: skip


def least_ms(run: Callable[[np.ndarray], np.ndarray], images: list[np.ndarray]) -> float:
    """CPU milliseconds of the quickest of some calls."""
    durations_s = []
    for image in images:
        start_s = time.process_time()
        run(image)
        durations_s.append(time.process_time() - start_s)
    return 1e3 * min(durations_s)


if __name__ == "__main__":
    main()

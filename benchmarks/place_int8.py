"""The shipped network in int8 beside float32: size, CPU time, likeness of descriptors, recall@1 on KITTI 05, all images turned.

Calibrated on every 60th of the first 3000 images of KITTI 00, which the network was trained on. The projections behind
the network are the shipped ones, learned with float32.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

os.environ["OMP_NUM_THREADS"] = "1"
set_thread_environment()

import numpy as np  # noqa: E402

from bev_loc.config import PlaceConfig  # noqa: E402
from bev_loc.evaluation import retrieval  # noqa: E402
from bev_loc.evaluation.bev_folder import GRID, read_pictures, read_poses, to_image  # noqa: E402
from bev_loc.evaluation.place_set import PlaceProtocol, PlaceSet  # noqa: E402
from bev_loc.place import projection  # noqa: E402
from bev_loc.place.describe import make_describer  # noqa: E402
from bev_loc.training.export_int8 import quantise, session  # noqa: E402

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
    calibration = [network_input(picture) for picture in read_pictures(folder / "00" / "imgs")[:TRAINED_FRAMES:CALIBRATED_EVERY]]
    pictures = read_pictures(folder / "05" / "imgs")
    poses = read_poses(folder / "05" / "pose.txt", len(pictures))
    with tempfile.TemporaryDirectory() as temporary:
        coarse = Path(temporary) / "int8.onnx"
        quantise(exact, calibration, coarse)
        seen = [network_input(picture) for picture in pictures[::100]]
        rings = {}
        for name, file in (("float32", exact), ("int8", coarse)):
            network = session(file)
            run = lambda image, network=network: network.run(None, {network.get_inputs()[0].name: image})[0][0]  # noqa: E731
            rings[name] = np.array([run(image) for image in seen])
            print(f"{name:8s} {file.stat().st_size / 1e3:6.0f} kB   {least_ms(run, seen):6.2f} ms CPU an image (least)")
        likeness = (rings["float32"] * rings["int8"]).sum(2)
        likeness = likeness[np.linalg.norm(rings["float32"], axis=2) > 0.5]
        print(f"cosine of a ring in int8 with float32: mean {likeness.mean():.4f}, least {likeness.min():.4f}", flush=True)
        for descriptor in arguments.descriptors.split(","):
            for corruption in CORRUPTIONS:
                protocol = PlaceProtocol(
                    split=1000, stride=arguments.stride, database_stride=arguments.stride, yaw_seed=0, corruption=corruption
                )
                places = PlaceSet(pictures, poses, protocol)
                found = {}
                for name, file in (("float32", exact), ("int8", coarse)):
                    projection.NETWORK = file  # what a describer that is made now reads
                    describer = make_describer(PlaceConfig(descriptor=descriptor), GRID)
                    found[name] = retrieval.evaluate(places, describer, None, candidates=1).recall_at_1_descriptor
                    projection.NETWORK = exact
                print(
                    f"{descriptor:6s} {corruption or 'turned only':12s} recall@1 of {len(places.queries)} queries: "
                    f"float32 {100 * found['float32']:.1f} %, int8 {100 * found['int8']:.1f} %", flush=True,
                )  # fmt: skip


def network_input(picture: np.ndarray) -> np.ndarray:
    """(1, 1, S, S) float32 of a grey picture."""
    return (np.minimum(to_image(picture).counts, GRID.max_count) / np.float32(GRID.max_count))[None, None]


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

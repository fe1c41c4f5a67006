"""A third party reads what the simulator writes: KISS-ICP on the KITTI folder and on the bag, error against the truth.

    python benchmarks/sim_kiss_icp.py [--sim town,seconds=60] [--keep DIR]
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import numpy as np  # noqa: E402

from bev_loc.geometry import se3  # noqa: E402
from bev_loc.geometry.trajectory import align, path_length_m, read_tum  # noqa: E402
from bev_loc.sim.options import parse  # noqa: E402
from bev_loc.sim.simulation import Simulation, simulate  # noqa: E402
from bev_loc.sim.write_bag import write_bag  # noqa: E402
from bev_loc.sim.write_kitti import write_kitti  # noqa: E402


def errors(estimate: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """ATE after rigid alignment, error at the end after aligning the starts, of (N, 4, 4) poses."""
    T = align(truth[:, :3, 3], estimate[:, :3, 3])
    off = np.linalg.norm(truth[:, :3, 3] - se3.apply(T, estimate[:, :3, 3]), axis=1)
    final = truth[0] @ se3.inverse(estimate[0]) @ estimate[-1]
    return {
        "scans": len(truth), "path_length_m": float(path_length_m(truth)[-1]), "ate_rmse_m": float(np.sqrt(np.mean(off**2))),
        "end_error_m": float(np.linalg.norm(final[:3, 3] - truth[-1, :3, 3])),
    }  # fmt: skip


def on_kitti(simulation: Simulation, folder: Path) -> dict[str, float]:
    """KISS-ICP's own KITTI reader on the folder; its correction of the real scanner's calibration is left out."""
    from kiss_icp.datasets.kitti import KITTIOdometryDataset
    from kiss_icp.pipeline import OdometryPipeline

    sequence = folder / "sequences/00"
    sequence.mkdir(parents=True)
    for _ in write_kitti(simulation, sequence):
        pass
    (folder / "poses").mkdir()
    (folder / "poses/00.txt").write_bytes((sequence / "poses.txt").read_bytes())
    dataset = KITTIOdometryDataset(folder, "00")
    dataset.correct_kitti_scan = lambda points: points
    pipeline = OdometryPipeline(dataset)
    pipeline.config.data.deskew = False  # the scans are compensated
    pipeline._run_pipeline()
    return errors(pipeline.poses, pipeline.gt_poses)


def on_bag(simulation: Simulation, folder: Path) -> dict[str, float]:
    """KISS-ICP's own bag reader; it undoes the motion with the points' times. Its poses hold at the sweep's end."""
    from kiss_icp.datasets.rosbag import RosbagDataset
    from kiss_icp.pipeline import OdometryPipeline

    folder.mkdir()
    for _ in write_bag(simulation, folder, camera_hz=0.0):
        pass
    pipeline = OdometryPipeline(RosbagDataset(folder / "bag", "/points"))
    pipeline._run_pipeline()
    stamps, truth = read_tum(folder / "truth.tum")
    ends = (np.arange(len(pipeline.poses)) + 1) / simulation.lidar.rate_hz
    at = np.searchsorted((stamps - stamps[0]) * 1e-9, ends - 1e-4).clip(0, len(truth) - 1)
    return errors(pipeline.poses, truth[at])


def main() -> int:
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sim", default="town,seconds=45,start=1")
    parser.add_argument("--keep", type=Path, help="keep the sequences here")
    args = parser.parse_args()
    try:
        import kiss_icp
    except ImportError:
        print("KISS-ICP is not installed: pip install kiss-icp", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        simulation = simulate(parse(args.sim))
        result = {"sim": args.sim, "kiss_icp": kiss_icp.__version__, "kitti_folder": on_kitti(simulation, folder / "kitti"),
                  "bag": on_bag(simulation, folder / "bag")}  # fmt: skip
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

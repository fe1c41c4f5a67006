"""The floor of figures made with real IMU samples: their residual against the smoothed track they are driven along.

    python benchmarks/sim_given_imu.py [--data DIR]
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bev_loc.sim.given import read_recorded_imu
from bev_loc.sim.smooth import smooth_ins


def main() -> int:
    """One JSON line a drive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")))
    args = parser.parse_args()
    files = sorted((args.data / "kitti_imu").glob("*.npz"))
    if not files:
        print(f"no kitti_imu/*.npz in '{args.data}': give --data or set BEV_LOC_DATA", file=sys.stderr)
    for file in files:
        recorded, begin = read_recorded_imu(file), time.perf_counter()
        drive, residual = smooth_ins(recorded)
        good = recorded.in_order()
        off = drive.poses(recorded.time_s[good] - recorded.time_s[0])[:, :3, 3] - recorded.position_m[good]
        print(json.dumps({
            "file": file.name, **{key: round(value, 5) for key, value in asdict(residual).items()},
            "track_minus_raw_position_rms_m": round(float(np.sqrt(np.mean(np.sum(off**2, axis=1)))), 3),
            "seconds_to_smooth": round(time.perf_counter() - begin, 2),
        }))  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

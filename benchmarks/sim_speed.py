"""How fast scans are simulated: scans per second and CPU per scan on the town, rays and triangles said.

    python benchmarks/sim_speed.py [--sim town] [--scans 200]
"""

import argparse
import json
import os
import time

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import numpy as np  # noqa: E402

from bev_loc.sim.options import parse  # noqa: E402
from bev_loc.sim.simulation import simulate  # noqa: E402


def main() -> int:
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sim", default="town")
    parser.add_argument("--scans", type=int, default=200)
    args = parser.parse_args()
    begin = time.perf_counter()
    simulation = simulate(parse(args.sim))
    scanner = simulation.scanner()
    scanner.sweep(0)
    ready_s = time.perf_counter() - begin
    wall_s, cpu_s, points = [], [], 0
    for index in np.linspace(1, simulation.scan_count - 1, args.scans).astype(int):
        wall, cpu = time.perf_counter(), time.process_time()
        points += len(scanner.sweep(int(index)).points_lidar)
        wall_s.append(time.perf_counter() - wall)
        cpu_s.append(time.process_time() - cpu)
    print(json.dumps({
        "sim": args.sim, "triangles": len(simulation.world.mesh.triangles), "rays": len(simulation.lidar.directions),
        "points": points // args.scans, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "ready_s": round(ready_s, 2),
        "scans_per_s": round(args.scans / sum(wall_s), 1), "best_tenth_scans_per_s": round(1 / np.percentile(wall_s, 10), 1),
        "median_ms": round(1e3 * float(np.median(wall_s)), 2), "cpu_ms": round(1e3 * float(np.median(cpu_s)), 2),
    }))  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

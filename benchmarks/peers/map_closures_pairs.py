"""Worker of `partial_overlap.py` in MapClosures' own environment: poses of cloud pairs. Needs numpy and map_closures only.

    python map_closures_pairs.py PAIRS.npz  ->  JSON: settings, T_match_query and CPU ms of every pair
"""

import json
import sys
import time

import numpy as np
from map_closures.config import MapClosuresConfig
from map_closures.map_closures import MapClosures

LATER = 10  # index of the query: MapClosures skips the three maps before it


def main() -> None:
    config = MapClosuresConfig()
    poses, ms = [], []
    with np.load(sys.argv[1]) as file:
        count = int(file["pairs"])
        for n in range(-1, count):  # the first one twice: loading is in nobody's time
            match, query = (file[f"{name}{max(n, 0)}"].astype(np.float64) for name in ("match", "query"))
            start_s = time.process_time()
            closures = MapClosures(config)
            closures.get_best_closure(0, match)
            found = closures.get_best_closure(LATER, query)
            ms.append(1e3 * (time.process_time() - start_s))
            # Its pose brings the earlier map into the later one. Every one counts, below its threshold of inliers too.
            poses.append(np.linalg.inv(found.pose).tolist() if np.isfinite(found.pose).all() else None)
    print(json.dumps({"settings": str(config), "poses": poses[1:], "ms": ms[1:]}))


main()

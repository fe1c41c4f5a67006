"""Line segments: LSDNet beside OpenCV's LSD, on annotated pictures, camera images, photographs and rendered scenes.

Every part is `bev_loc evaluate lines`; the rendered scenes have a seed that no training used. The 8 annotated
pictures are few: an indication, which is why the intervals are printed.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from bev_loc.cli.main import main as bev_loc  # noqa: E402

HELD_OUT_SEED = 987_654


def main() -> int:
    """Measure on what is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BEV_LOC_DATA", "data")))
    parser.add_argument("--rendered", type=int, default=40, metavar="N", help="held-out rendered scenes")
    parser.add_argument("--no-sim", action="store_true", help="leave the simulated drive out (it needs open3d)")
    given, more = parser.parse_known_args()  # the rest, such as --set, goes to every evaluation
    parts = {
        "annotated pictures (indication)": (given.data / "wireframe" / "images", given.data / "wireframe" / "markup"),
        "camera images": (given.data / "kitti_raw" / "image_02" / "data", None),
        "photographs": (given.data / "photos", None),
    }
    with tempfile.TemporaryDirectory() as folder:
        if not given.no_sim:
            parts["camera of a simulated drive"] = (drive(Path(folder) / "drive"), None)
        if given.rendered:
            parts["rendered scenes"] = (render(Path(folder), given.rendered), Path(folder))
        for name, (images, markup) in parts.items():
            if not images.is_dir():
                print(f"{name}: not in {given.data}; set BEV_LOC_DATA to measure on it")
                continue
            print(f"== {name}")
            annotated = ["--markup", str(markup), "--views", "3"] if markup else []
            if bev_loc(["evaluate", "lines", "--images", str(images), *annotated, *more]):
                return 1
            sys.stdout.flush()
    return 0


def drive(folder: Path, count: int = 8) -> Path:
    """Pictures of the simulator's town, grey, 640 x 360."""
    from bev_loc.sim.camera import CameraModel
    from bev_loc.sim.options import parse
    from bev_loc.sim.scanner import Scanner
    from bev_loc.sim.simulation import simulate

    folder.mkdir()
    simulation = simulate(parse("town,seconds=40,lidar=vlp16"))
    scanner = Scanner(simulation)
    for index, at_s in enumerate(np.linspace(simulation.begin_s + 1, simulation.begin_s + 38, count).tolist()):
        cv2.imwrite(str(folder / f"{index}.png"), scanner.picture(at_s, CameraModel()).grey)
    return folder


def render(folder: Path, count: int) -> Path:
    """Pictures with annotations in `folder`."""
    from bev_loc.training.lines_pictures import picture
    from bev_loc.training.lines_targets import disturbed
    from bev_loc.training.lines_textures import texture_bank

    rng = np.random.default_rng(HELD_OUT_SEED)
    bank = texture_bank(rng, [])
    for index in range(count):
        rendering = picture(rng, bank)
        cv2.imwrite(str(folder / f"{index:03d}.png"), cv2.cvtColor(disturbed(rng, rendering.image), cv2.COLOR_RGB2BGR))
        objects = [{"data": [[x1, y1], [x2, y2]]} for x1, y1, x2, y2 in rendering.segments.tolist()]
        (folder / f"{index:03d}.png.json").write_text(json.dumps({"objects": objects}))
    return folder


if __name__ == "__main__":
    sys.exit(main())

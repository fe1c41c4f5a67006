"""A map as files that other programs read: PLY and PCD clouds, TUM poses."""

from pathlib import Path

import numpy as np

from ..clouds.voxels import downsample
from ..errors import OutputError
from ..geometry import se3
from ..geometry.trajectory import write_tum
from ..maps.contents import MapBundle

_BATCH = 100  # keyframes between two thinnings, so that memory follows the thinned cloud

_PLY = "ply\nformat binary_little_endian 1.0\nelement vertex {n}\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
_PCD = (
    "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\n"
    "WIDTH {n}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {n}\nDATA binary\n"
)


def export_map(bundle: MapBundle, path: Path, voxel_m: float) -> int:
    """Writes the map's cloud (.ply, .pcd), its keyframes' poses (.tum) or a picture (.png); the number of points or poses.

    The picture shows all keyframes: their number is returned.
    """
    headers = {".ply": _PLY, ".pcd": _PCD}
    if path.suffix not in (*headers, ".tum", ".png"):
        raise OutputError(f"{path}: expected a name that ends in .ply, .pcd, .tum or .png")
    try:
        if path.suffix == ".png":
            path.write_bytes(_picture(bundle))
            return len(bundle.entries)
        if path.suffix == ".tum":
            stamps_ns = np.array([entry.stamp_ns for entry in bundle.entries], np.int64)
            write_tum(path, stamps_ns, np.array([entry.T_map_kf for entry in bundle.entries]))
            return len(stamps_ns)
        points_map = merged_cloud(bundle, voxel_m)
        header = headers[path.suffix].format(n=len(points_map)).encode()
        path.write_bytes(header + points_map.astype("<f4").tobytes())
        return len(points_map)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); name another file") from None


def _picture(bundle: MapBundle) -> bytes:
    from ..viz.map_view import draw_map

    nowhere = np.zeros((0, 4, 4))
    return draw_map(
        bundle, trajectory=nowhere, odometry=nowhere, truth=None, closures=list(bundle.closures), own_session=None,
        places=bundle.T_map_kf,
    )  # fmt: skip


def merged_cloud(bundle: MapBundle, voxel_m: float) -> np.ndarray:
    """(N, 3) float32 of all keyframes' clouds in the map frame, one point a voxel."""
    whole, fresh = np.zeros((0, 3), np.float32), []
    for number, (id, T_map_kf) in enumerate(bundle.T_map_kf.items(), 1):
        fresh.append(se3.apply(T_map_kf, bundle.keyframes[id].points_kf))
        if number % _BATCH == 0 or number == len(bundle.entries):
            whole, fresh = downsample(np.concatenate([whole, *fresh]), voxel_m), []
    return whole

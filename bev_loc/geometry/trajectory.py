"""Trajectories: stamps (N,) int64 nanoseconds with poses (N, 4, 4); TUM text in and out; alignment."""

from pathlib import Path

import numpy as np

from ..errors import EstimateError, SourceError
from . import se3, so3


def align(points_a: np.ndarray, points_b: np.ndarray) -> np.ndarray:
    """T_a_b that best maps (N, 3) points_b onto points_a, rigid, least squares (Umeyama 1991, no scale)."""
    if len(points_a) < 3 or len(points_a) != len(points_b):
        raise EstimateError(f"alignment needs at least 3 pairs of positions, got {len(points_a)} and {len(points_b)}")
    mean_a, mean_b = points_a.mean(0), points_b.mean(0)
    U, _, Vt = np.linalg.svd((points_a - mean_a).T @ (points_b - mean_b))
    R = U @ np.diag([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))]) @ Vt
    return se3.from_parts(R, mean_a - R @ mean_b)


def path_length_m(poses: np.ndarray) -> np.ndarray:
    """(N,) length driven up to each of (N, 4, 4) poses."""
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def write_tum(path: Path, stamps_ns: np.ndarray, poses: np.ndarray) -> None:
    """One line a pose: stamp in seconds with nanosecond digits, x y z, qx qy qz qw."""
    with open(path, "w") as out:
        for stamp_ns, T in zip(stamps_ns, poses):
            numbers = (*T[:3, 3], *so3.to_quat_xyzw(np.ascontiguousarray(T[:3, :3])))
            seconds, rest = divmod(int(stamp_ns), 10**9)
            out.write(f"{seconds}.{rest:09d} " + " ".join(f"{v:.9f}" for v in numbers) + "\n")


def read_tum(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N,) int64 stamps in nanoseconds and (N, 4, 4) poses; SourceError names the line that is wrong."""
    stamps, rows = [], []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            words = line.replace(",", " ").split()
            whole, _, rest = words[0].partition(".")
            row = [float(word) for word in words[1:8]]
            stamp = int(whole) * 10**9 + int(rest[:9].ljust(9, "0")) if "e" not in words[0] else int(float(words[0]) * 1e9)
        except ValueError:
            row = []
        if len(row) != 7 or not np.isfinite(row).all() or not any(row[3:]):
            raise SourceError(f"{path}:{number}: expected 'stamp x y z qx qy qz qw', got '{line[:60]}'")
        stamps.append(stamp)
        rows.append(row)
    values = np.array(rows, float).reshape(-1, 7)
    poses = np.tile(np.eye(4), (len(values), 1, 1))
    if len(values):
        poses[:, :3, 3], poses[:, :3, :3] = values[:, :3], so3.from_quat_xyzw(values[:, 3:])
    return np.array(stamps, np.int64), poses

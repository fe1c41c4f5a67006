"""Keyframe archives: one .npz with deskewed clouds, their times and an odometry that was made elsewhere."""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..records import Dropped, Odometry, OdometryHealth
from .base import Item, Truth
from .stamps import ns_of_seconds

KEYS = ("points_cm", "start", "T_odom_lidar", "time_s")
# The archive has no covariance: a good lidar odometry over the few metres between two keyframes.
_SIGMA_RAD, _SIGMA_M = 2e-3, 2e-2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyframeArchive:
    """A `Source` of `Odometry`: poses and clouds are given, nothing is registered."""

    name: str
    stamps_ns: np.ndarray  # (N,) int64
    T_odom_lidar: np.ndarray  # (N, 4, 4) float64
    points_cm: np.ndarray  # (M, 3) int16
    start: np.ndarray  # (N + 1,) int64: cloud i is points_cm[start[i] : start[i + 1]]
    notes: tuple[str, ...]
    T_base_lidar: np.ndarray | None = None
    T_base_imu: np.ndarray | None = None

    @property
    def scan_count(self) -> int:
        """One per keyframe."""
        return len(self.stamps_ns)

    def stream(self) -> Iterator[Item]:
        """The keyframes in the order of the archive."""
        for i in range(len(self.stamps_ns)):
            where, stamp_ns = f"{self.name}[{i}]", int(self.stamps_ns[i])
            cloud_cm = self.points_cm[self.start[i] : self.start[i + 1]]
            if not len(cloud_cm):
                yield Dropped(
                    where=where,
                    kind="empty scan",
                    stamp_ns=stamp_ns,
                    reason=f"{where}: holds no points; write the archive again",
                )
            elif not np.isfinite(self.T_odom_lidar[i]).all():
                yield Dropped(
                    where=where,
                    kind="no pose",
                    stamp_ns=stamp_ns,
                    reason=f"{where}: its pose is not finite; write the archive again",
                )
            else:
                yield Odometry(
                    stamp_ns=stamp_ns,
                    T_odom_base=self.T_odom_lidar[i],
                    covariance=np.diag([_SIGMA_RAD**2] * 3 + [_SIGMA_M**2] * 3),
                    points_base=cloud_cm.astype(np.float32) * np.float32(0.01),
                    health=OdometryHealth(
                        points_in=len(cloud_cm), points_used=len(cloud_cm), matches=0, rmse_m=float("nan"), iterations=0
                    ),
                    is_keyframe=True,
                )

    def truth(self) -> Truth | None:
        """None: the archive's own poses are an odometry."""
        return None


def open_keyframe_archive(path: Path) -> KeyframeArchive:
    """The archive at `path`; SourceError when a key is missing or the shapes contradict each other."""
    arrays = _arrays(path)
    points_cm, start = arrays["points_cm"], arrays["start"]
    poses, time_s = arrays["T_odom_lidar"], arrays["time_s"]
    expected = {
        "points_cm (M, 3) whole centimetres": points_cm.shape[1:] == (3,) and points_cm.dtype.kind == "i",
        "time_s (N,) finite seconds": time_s.ndim == 1 and time_s.dtype.kind == "f" and bool(np.isfinite(time_s).all()),
        "T_odom_lidar (N, 3, 4) or (N, 4, 4)": poses.shape in {(len(time_s), 3, 4), (len(time_s), 4, 4)},
        "start (N + 1,) rising from 0 to M": start.shape == (len(time_s) + 1,)
        and start.dtype.kind in "iu"
        and start[0] == 0
        and start[-1] == len(points_cm)
        and bool((np.diff(start.astype(np.int64)) >= 0).all()),
    }  # fmt: skip
    for what, holds in expected.items():
        if not holds:
            key = what.split()[0]
            raise SourceError(
                f"{path}: expected {what}, got {arrays[key].dtype} {arrays[key].shape}; write the archive again"
            )
    return KeyframeArchive(
        name=str(path),
        stamps_ns=np.array([ns_of_seconds(float(t)) for t in time_s], np.int64),
        T_odom_lidar=_rigid(poses),
        points_cm=points_cm,
        start=start.astype(np.int64),
        notes=(
            "keyframes with given odometry: nothing is registered, the lidar frame is the base",
            f"the archive has no covariances: {_SIGMA_M} m and {_SIGMA_RAD} rad per keyframe assumed",
        ),
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [key for key in KEYS if key not in archive.files]
            if missing:
                raise SourceError(
                    f"{path}: expected a keyframe archive with {', '.join(KEYS)}, "
                    f"got {', '.join(archive.files) or 'nothing'}; give the folder if its files are single clouds"
                )
            return {key: archive[key] for key in KEYS}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise SourceError(f"{path}: cannot be read as .npz ({error}); copy it again") from None


def _rigid(poses: np.ndarray) -> np.ndarray:
    """(N, 4, 4) float64 with the nearest rotations: text-rounded matrices are off by 1e-6."""
    T = np.tile(np.eye(4), (len(poses), 1, 1))
    T[:, :3] = poses[:, :3]
    finite = np.isfinite(T).all(axis=(1, 2))
    U, _, Vt = np.linalg.svd(T[finite, :3, :3])
    T[finite, :3, :3] = U @ Vt
    return T

"""Reading given trajectories: TUM, KITTI poses, and GPS/INS tracks with their real IMU samples."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..geometry import se3, so3
from ..geometry.trajectory import read_tum

_FASTEST_M_S = 70.0
# Camera axes (right, down, forward) in lidar axes (forward, left, up), when no calib.txt says better.
_T_CAM_LIDAR = se3.from_parts(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.zeros(3))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GivenPoses:
    """Poses of the base, z up, with times that begin at 0."""

    t_s: np.ndarray  # (N,)
    T_world_base: np.ndarray  # (N, 4, 4)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedImu:
    """Real samples with the GPS/INS track of the same box, as recorded: with gaps and stamps that go back."""

    time_s: np.ndarray  # (N,) as recorded
    gyro_rad_s: np.ndarray  # (N, 3)
    acc_m_s2: np.ndarray  # (N, 3)
    rpy_rad: np.ndarray  # (N, 3)
    position_m: np.ndarray  # (N, 3)
    velocity_m_s: np.ndarray  # (N, 3)

    def in_order(self) -> np.ndarray:
        """(N,) bool: samples whose stamps can be believed: at least 60 ms from any that goes back."""
        wrong = np.flatnonzero(np.diff(self.time_s) <= 0)
        good = np.ones(len(self.time_s), bool)
        for k in wrong:
            good &= np.abs(self.time_s - self.time_s[k]) > 0.06
        return good


def read_recorded_imu(path: Path) -> RecordedImu:
    """The `.npz` of a GPS/INS box; SourceError names what is missing."""
    names = [name for name in RecordedImu.__dataclass_fields__]
    try:
        with np.load(path) as file:
            missing = [name for name in names if name not in file]
            if not missing:
                return RecordedImu(**{name: np.asarray(file[name], float) for name in names})
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: expected an .npz with {', '.join(names)} ({error})") from None
    raise SourceError(f"{path}: expected an .npz with {', '.join(names)}; {', '.join(missing)} is missing")


def read_poses(path: Path) -> GivenPoses:
    """TUM (8 numbers a line, z up) or KITTI (12 numbers a line, camera frame) poses.

    KITTI times come from `NAME_times.txt` or `times.txt` beside it, the camera's place from `calib.txt`.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such trajectory; expected TUM or KITTI poses, or .npz of a GPS/INS")
    first = next((line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")), "")
    if len(first.split()) == 12:
        return _kitti(path)
    stamps_ns, poses = read_tum(path)
    if len(poses) < 6:
        raise SourceError(f"{path}: expected at least 6 poses, got {len(poses)}")
    return GivenPoses(t_s=(stamps_ns - stamps_ns[0]) * 1e-9, T_world_base=poses)


def refuse_jumps(t_s: np.ndarray, positions: np.ndarray, name: str) -> None:
    """SourceError with place and time where a track (N, 3) jumps or its time stands still."""
    steps, length = np.diff(t_s), np.linalg.norm(np.diff(positions, axis=0), axis=1)
    if (steps <= 0).any():
        k = int(np.flatnonzero(steps <= 0)[0])
        raise SourceError(
            f"{name}: time must increase from pose to pose, but pose {k + 1} comes {-steps[k]:.3f} s before pose {k} at {t_s[k]:.2f} s"
        )
    speed = length / steps
    if (speed > _FASTEST_M_S).any():
        k = int(np.argmax(speed > _FASTEST_M_S))
        x, y, z = positions[k]
        raise SourceError(
            f"{name}: the trajectory jumps by {length[k]:.1f} m within "
            f"{steps[k]:.2f} s at {t_s[k]:.2f} s, at x {x:.1f} y {y:.1f} z {z:.1f} m; "
            f"more than {_FASTEST_M_S:g} m/s is refused"
        )


def _kitti(path: Path) -> GivenPoses:
    try:
        rows = np.loadtxt(path).reshape(-1, 3, 4)
    except ValueError as error:
        raise SourceError(f"{path}: expected 12 numbers a line ({error})") from None
    notes = []
    times = next((p for p in (path.with_name(path.stem + "_times.txt"), path.with_name("times.txt")) if p.is_file()), None)
    if times is None:
        t_s = 0.1 * np.arange(len(rows))
        notes.append(f"no times beside {path.name}: 10 poses a second are assumed")
    else:
        t_s = np.loadtxt(times)
    if len(t_s) != len(rows) or len(rows) < 6:
        raise SourceError(f"{path}: expected as many times as poses and at least 6, got {len(t_s)} and {len(rows)}")
    calibration = path.with_name("calib.txt")
    Tr = _tr(calibration) if calibration.is_file() else _T_CAM_LIDAR
    T_cam0_cam = np.tile(np.eye(4), (len(rows), 1, 1))
    T_cam0_cam[:, :3] = rows
    T_lidar0_lidar = se3.inverse(Tr) @ T_cam0_cam @ Tr
    up = T_lidar0_lidar[:, :3, 2].mean(0)  # a car is level on average
    T_world_lidar0 = se3.from_parts(so3.rotation_between(up, np.array([0.0, 0.0, 1.0])), np.zeros(3))
    return GivenPoses(t_s=t_s - t_s[0], T_world_base=T_world_lidar0 @ T_lidar0_lidar, notes=tuple(notes))


def _tr(calibration: Path) -> np.ndarray:
    for line in calibration.read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name in ("Tr", "Tr_velo_to_cam"):
            T = np.eye(4)
            T[:3] = np.array(numbers.split(), float).reshape(3, 4)
            return T
    return _T_CAM_LIDAR

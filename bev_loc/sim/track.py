"""A given track made into a drive, and refused where it cannot be one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..geometry import se3
from .drive import Drive
from .given import GivenPoses, read_poses, read_recorded_imu, refuse_jumps
from .imu import ImuTrack
from .smooth import LeverDrive, level_revisits, positions_of, smooth_ins, smooth_poses
from .world import World
from .worlds.around import SENSOR_HEIGHT_M

_OFF_GROUND_M = 0.6
# The GPS/INS box of the KITTI car in its lidar's frame, axes nearly parallel.
_T_BASE_BOX = se3.from_xyz_rpy((-0.81, 0.32, -0.80, 0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """A drive from a file, with the real IMU samples that belong to it."""

    drive: Drive
    imu: ImuTrack | None
    T_base_imu: np.ndarray  # (4, 4)
    notes: tuple[str, ...]


def load_track(trajectory: str, imu_file: str) -> Track:
    """The track of a file of poses, or of a GPS/INS with its IMU; SourceError with place and time where it jumps.

    With both, the smoothed track follows the poses and the attitudes, velocities and samples of the GPS/INS.
    """
    if imu_file or trajectory.endswith(".npz"):
        poses = trajectory if imu_file and not trajectory.endswith(".npz") else ""
        return _from_ins(Path(imu_file or trajectory), poses)
    given = read_poses(Path(trajectory))
    positions = given.T_world_base[:, :3, 3]
    refuse_jumps(given.t_s, positions, trajectory)
    change = level_revisits(given.t_s, positions)
    T = given.T_world_base.copy()
    T[:, 2, 3] += change
    notes = (
        *given.notes,
        f"the track of {trajectory} is smoothed; its height is changed by up to {np.abs(change).max():.2f} m where it meets itself",
    )
    return Track(drive=smooth_poses(GivenPoses(t_s=given.t_s, T_world_base=T)), imu=None, T_base_imu=np.eye(4), notes=notes)


def _from_ins(path: Path, poses: str) -> Track:
    recorded = read_recorded_imu(path)
    good = recorded.in_order()
    refuse_jumps(recorded.time_s[good], recorded.position_m[good], str(path))
    positions = None
    if poses:
        given = read_poses(Path(poses))
        refuse_jumps(given.t_s, given.T_world_base[:, :3, 3], poses)
        positions = positions_of(given, _T_BASE_BOX, recorded)
    box, residual = smooth_ins(recorded, positions)
    t = recorded.time_s - recorded.time_s[0]
    back, gaps = int((np.diff(t) <= 0).sum()), np.diff(t[good])[np.diff(t[good]) > 0.5]
    notes = (
        residual.sentence(),
        f"{path}: IMU as recorded, with {len(gaps)} gaps of more than 0.5 s and {back} stamps that go back",
    )
    begin = max(0.0, -float(recorded.time_s[0]))  # the file's own zero is where its lidar began
    samples = ImuTrack(t_s=t - begin, gyro_rad_s=recorded.gyro_rad_s, acc_m_s2=recorded.acc_m_s2)
    return Track(drive=LeverDrive(box, se3.inverse(_T_BASE_BOX), begin), imu=samples, T_base_imu=_T_BASE_BOX, notes=notes)


def refuse_off_ground(drive: Drive, world: World) -> None:
    """SourceError with place and time where a drive is not on the world's ground."""
    t = np.arange(0.0, drive.duration_s, 0.1)
    xyz = drive.poses(t)[:, :3, 3]
    outside = ((xyz[:, :2] < world.low) | (xyz[:, :2] > world.high)).any(1)
    above = xyz[:, 2] - SENSOR_HEIGHT_M - world.ground.height(xyz[:, :2])
    wrong = np.flatnonzero(outside | (np.abs(above) > _OFF_GROUND_M))
    if len(wrong):
        k = wrong[0]
        how = "is outside the world" if outside[k] else f"is {above[k]:+.1f} m off the height of a car on the ground"
        raise SourceError(
            f"the trajectory leaves the ground of world '{world.name}': at {t[k]:.1f} "
            f"s, x {xyz[k, 0]:.1f} y {xyz[k, 1]:.1f} z {xyz[k, 2]:.1f} m, it {how}"
        )

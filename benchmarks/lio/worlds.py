"""The simulated drives that odometry is measured on: one world, seed and lidar each."""

from dataclasses import dataclass
from pathlib import Path

LIDARS = ("hdl64", "vlp16", "os1-64")  # seed n is driven with the preset n modulo 3
SIMULATED = ("town", "highway", "tunnel", "field")
MOVING_START_S = 10.0  # where a drive through a simulated world begins with an even seed; with an odd one it begins at rest
KITTI = {"kitti05": (25.0, 235.0), "kitti07": (7.0, 70.0)}  # seconds by which a seed begins later than the last one, latest begin


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveText:
    """A simulation's text and its name as a folder."""

    world: str
    seed: int
    lidar: str
    sim: str

    @property
    def name(self) -> str:
        """Unique among the drives of one length."""
        return f"{self.world}-{self.seed}-{self.lidar}"


def drive_text(world: str, seed: int, seconds: float, data: Path, lidar: str = "") -> DriveText | None:
    """The drive of this seed; None when it needs recorded data that is not there.

    Every second drive begins in motion, but not in the tunnel, where no lidar could see it. On KITTI tracks the town
    around is simulated, the IMU samples are real, and every seed begins elsewhere.
    """
    lidar = lidar or LIDARS[seed % len(LIDARS)]
    tail = f"lidar={lidar},seed={seed},seconds={seconds:g}"
    if world not in KITTI:
        start_s = 0.0 if seed % 2 or world == "tunnel" else MOVING_START_S
        return DriveText(world=world, seed=seed, lidar=lidar, sim=f"{world},start={start_s:g},{tail}")
    poses, imu = data / f"kitti_poses/{world[-2:]}.txt", data / f"kitti_imu/{world[-2:]}.npz"
    if not poses.is_file() or not imu.is_file():
        return None
    step_s, latest_s = KITTI[world]
    start_s = min((seed - 1) * step_s, latest_s)
    return DriveText(world=world, seed=seed, lidar=lidar, sim=f"around,trajectory={poses},imu_file={imu},start={start_s:g},{tail}")

"""A simulated drive as a KITTI odometry sequence: velodyne/, times.txt, calib.txt, poses.txt, and what KITTI has not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..geometry import se3
from ..geometry.trajectory import write_tum
from ..records import ImuSample
from .camera import T_BASE_CAM, CameraModel
from .simulation import BEGIN_NS, Simulation
from .sweep import Sweep


def write_kitti(simulation: Simulation, folder: Path, camera: CameraModel = CameraModel()) -> Iterator[int]:
    """Writes the sequence into an existing folder; yields the number of points after each scan.

    As in KITTI's odometry sequences, scans are motion compensated (to mid-sweep, where times and poses
    hold) and poses are those of the left camera in its first frame: T_cam0_cam = Tr T_lidar0_lidar inv(Tr).
    Besides: imu.csv (stamps of the same zero), truth.tum of the base in the world, 100 a second.
    """
    velodyne = folder / "velodyne"
    velodyne.mkdir(exist_ok=True)
    half_s = 0.5 / simulation.lidar.rate_hz
    middles: list[float] = []
    with open(folder / "imu.csv", "w") as imu:
        imu.write("time_s,gyro_x_rad_s,gyro_y_rad_s,gyro_z_rad_s,acc_x_m_s2,acc_y_m_s2,acc_z_m_s2\n")
        for item in simulation.stream():
            if isinstance(item, ImuSample):
                numbers = (*item.gyro_rad_s, *item.acc_m_s2)
                imu.write(f"{(item.stamp_ns - BEGIN_NS) * 1e-9:.9f}," + ",".join(f"{v:.9g}" for v in numbers) + "\n")
                continue
            middles.append((item.stamp_ns - BEGIN_NS) * 1e-9 + half_s)
            cloud = np.column_stack([compensated(simulation, item, half_s), item.intensity]).astype("<f4")
            cloud.tofile(velodyne / f"{len(middles) - 1:06d}.bin")
            yield len(cloud)
    _write_calibration(folder, camera)
    (folder / "times.txt").write_text("".join(f"{t:.9f}\n" for t in middles))
    Tr = se3.inverse(T_BASE_CAM)
    poses = simulation.drive.poses(simulation.begin_s + np.array(middles))
    rows = [Tr @ se3.inverse(poses[0]) @ T @ T_BASE_CAM for T in poses]
    (folder / "poses.txt").write_text("".join(" ".join(f"{v:.12e}" for v in T[:3].ravel()) + "\n" for T in rows))
    write_tum(folder / "truth.tum", *simulation.truth())


def compensated(simulation: Simulation, sweep: Sweep, at_s: float) -> np.ndarray:
    """(N, 3) float32 points as they would be seen in one instant, `at_s` after the sweep's stamp, by the true motion."""
    begin = simulation.begin_s + (sweep.stamp_ns - BEGIN_NS) * 1e-9
    knots = np.linspace(0.0, 1.0 / simulation.lidar.rate_hz, 201)
    T = se3.inverse(simulation.drive.poses(np.array([begin + at_s]))[0]) @ simulation.drive.poses(begin + knots)
    index = np.clip(np.round(sweep.offsets_s / knots[1]).astype(int), 0, 200)
    moved = np.einsum("nij,nj->ni", T[index, :3, :3].astype(np.float32), sweep.points_lidar)
    return moved + T[index, :3, 3].astype(np.float32)


def _write_calibration(folder: Path, camera: CameraModel) -> None:
    P = np.hstack([camera.matrix(), np.zeros((3, 1))])
    lines = [f"P{k}: " + " ".join(f"{v:.12e}" for v in P.ravel()) for k in range(4)]
    lines.append("Tr: " + " ".join(f"{v:.12e}" for v in se3.inverse(T_BASE_CAM)[:3].ravel()))
    (folder / "calib.txt").write_text("\n".join(lines) + "\n")

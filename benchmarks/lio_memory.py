"""Memory of the odometry over an hour of driving: the slope of the process's resident memory after a warm-up.

    python benchmarks/lio_memory.py [--minutes 60] [--bev auto]

A straight street of 360 m is repeated for ever, so one stretch of it is cast (thinned VLP-16, all simulated) and
driven again and again: the odometry sees new land all the time, 36 km of it in an hour at 10 m/s.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

import numpy as np  # noqa: E402

from bev_loc.config import OdometryConfig  # noqa: E402
from bev_loc.odometry.lio import Lio  # noqa: E402
from bev_loc.records import Dropped, ImuSample, LidarScan  # noqa: E402
from bev_loc.sim.building import building  # noqa: E402
from bev_loc.sim.caster import Caster  # noqa: E402
from bev_loc.sim.drive import GRAVITY_M_S2  # noqa: E402
from bev_loc.sim.lidar import vlp16  # noqa: E402
from bev_loc.sim.meshes import Material, Mesh, box, merge, moved  # noqa: E402

STREET_M, SPEED_M_S, RATE_HZ, IMU_HZ, HEIGHT_M = 360.0, 6.0, 10.0, 50.0, 1.8
WARM_UP = 1 / 6  # of the drive
SAMPLE_S = 10.0


def main() -> int:
    """Drive, print memory along the way and its slope."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--columns", type=int, default=360, help="of the VLP-16's turn")
    parser.add_argument("--bev", default=OdometryConfig().bev, choices=("off", "auto", "always"))
    arguments = parser.parse_args()
    scans = stretch(arguments.columns)
    lio, rng = Lio(OdometryConfig(bev=arguments.bev)), np.random.default_rng(2)
    begin, seconds, resident_mb, dropped, said, last = time.process_time(), [], [], 0, {}, None
    for item in endless(scans, 60.0 * arguments.minutes, rng):
        if isinstance(item, ImuSample):
            lio.on_imu(item)
            continue
        result = lio.on_scan(item)
        if isinstance(result, Dropped):
            dropped += 1
            continue
        last = result
        for reason in result.health.reasons:
            said[reason] = said.get(reason, 0) + 1
        if not seconds or item.stamp_ns * 1e-9 - seconds[-1] >= SAMPLE_S:
            seconds.append(item.stamp_ns * 1e-9)
            resident_mb.append(resident())
    t_h, memory = np.array(seconds) / 3600, np.array(resident_mb)
    warm = t_h > WARM_UP * t_h[-1]
    slope = float(np.polyfit(t_h[warm], memory[warm], 1)[0])
    driven_m = SPEED_M_S * last.stamp_ns * 1e-9
    print(
        f"{arguments.minutes:g} minutes of driving simulated, "
        f"{np.mean([len(one.points_lidar) for one in scans]):.0f} points a scan, odometry.bev={arguments.bev}"
    )
    print("resident MB after each tenth: " + " ".join(f"{memory[k]:.0f}" for k in np.linspace(0, len(memory) - 1, 11).astype(int)))
    print(
        f"slope after the first sixth: {slope:+.2f} MB/h (range {np.ptp(memory[warm]):.1f} "
        f"MB); {dropped} scans dropped; said: {said or 'nothing'}"
    )
    print(
        f"end {np.linalg.norm(last.T_odom_base[:3, 3]):.0f} m from the start, "
        f"truly {driven_m:.0f}; {time.process_time() - begin:.0f} s of CPU"
    )
    return 0


def resident() -> float:
    """Resident memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def endless(scans: list[LidarScan], duration_s: float, rng: np.random.Generator) -> Iterator[ImuSample | LidarScan]:
    """The stretch again and again, with the samples of an IMU that feels only gravity, noise and biases."""
    every = round(IMU_HZ / RATE_HZ)
    gyro_bias, acc_bias = rng.normal(0, 2e-3, 3), rng.normal(0, 3e-2, 3) + [0.0, 0.0, GRAVITY_M_S2]
    for k in range(round(duration_s * RATE_HZ)):
        at_ns = round(k / RATE_HZ * 1e9)
        for j in range(1, every + 1):
            yield ImuSample(
                stamp_ns=at_ns + round(j / IMU_HZ * 1e9),
                gyro_rad_s=gyro_bias + rng.normal(0, 1e-2, 3),
                acc_m_s2=acc_bias + rng.normal(0, 0.1, 3),
            )
        yield replace(scans[k % len(scans)], stamp_ns=at_ns)


def stretch(columns: int) -> list[LidarScan]:
    """Scans along one repetition of the street; the next one would be the first again."""
    one = street(np.random.default_rng(1))
    mesh = merge([moved(one, (k * STREET_M, 0.0, 0.0), 0.0) for k in (-1, 0, 1)])
    caster = Caster(mesh, vlp16(columns))
    count = round(STREET_M / SPEED_M_S * RATE_HZ)
    scans = []
    for k in range(count):
        start_s = k / RATE_HZ
        sweep = caster.scan(along, start_s, k, 1, round(start_s * 1e9))
        scans.append(LidarScan(stamp_ns=sweep.stamp_ns, points_lidar=sweep.points_lidar, offsets_s=sweep.offsets_s))
    return scans


def along(t_s: np.ndarray) -> np.ndarray:
    """(N, 4, 4) T_world_lidar at constant speed, straight on."""
    T = np.tile(np.eye(4), (len(t_s), 1, 1))
    T[:, 0, 3], T[:, 2, 3] = SPEED_M_S * np.asarray(t_s), HEIGHT_M
    return T


def street(rng: np.random.Generator) -> Mesh:
    """Ground, houses at various distances, parked boxes, poles: one repetition."""
    parts = [box((0.0, -70.0, -0.2), (STREET_M, 70.0, 0.0), Material.ASPHALT)]
    for side in (1.0, -1.0):
        x = 1.0
        while x < STREET_M - 20.0:
            wide, deep, near = rng.uniform(8, 16), rng.uniform(7, 11), rng.uniform(8, 14)
            house = building(wide, deep, int(rng.integers(2, 5)), rng)
            parts.append(moved(house, (x, near, 0.0), 0.0) if side > 0 else moved(house, (x + wide, -near, 0.0), np.pi))
            x += wide + rng.uniform(1.0, 8.0)
        for x in np.arange(5.0, STREET_M - 5.0, 13.0) + rng.uniform(-3, 3, 27):
            parts.append(moved(box((0.0, -0.9, 0.0), (4.3, 0.9, 1.5), Material.METAL), (x, side * 5.0, 0.0), 0.0))
            parts.append(moved(box((-0.12, -0.12, 0.0), (0.12, 0.12, 6.0), Material.METAL), (x + 6.0, side * 6.8, 0.0), 0.0))
    return merge(parts)


if __name__ == "__main__":
    raise SystemExit(main())

"""This package's odometry and its peers behind one shape: `on_imu`, and `on_scan` which gives a pose."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

import bev_loc
from bev_loc.config import BevConfig, OdometryConfig
from bev_loc.geometry import se3
from bev_loc.records import Dropped, ImuSample, LidarScan

MIN_RANGE_M, MAX_RANGE_M = 2.0, 100.0
_ROOMS_OF_ODOMETRY = ("odometry", "clouds", "bev", "geometry")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Posed:
    """A pose and the moment at which it holds."""

    stamp_ns: int
    T_odom_base: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setup:
    """What a system may know of a drive."""

    T_base_lidar: np.ndarray
    T_base_imu: np.ndarray
    starts_at_rest: bool


class System(Protocol):
    """One odometry in one setting."""

    settings: str

    def on_imu(self, sample: ImuSample) -> None: ...

    def on_scan(self, scan: LidarScan) -> Posed | None: ...


class Ours:
    """This package's odometry in one of its settings."""

    def __init__(self, setup: Setup, bev: str) -> None:
        from bev_loc.odometry.lio import Lio

        config = OdometryConfig(min_range_m=MIN_RANGE_M, max_range_m=MAX_RANGE_M, bev=bev)
        self.settings = f"range {MIN_RANGE_M:g}-{MAX_RANGE_M:g} m, odometry.bev={bev}, else defaults"
        self.lio = Lio(config, T_base_lidar=setup.T_base_lidar, T_base_imu=setup.T_base_imu)
        self.on_imu = self.lio.on_imu

    def on_scan(self, scan: LidarScan) -> Posed | None:
        """The pose; None for a dropped scan."""
        result = self.lio.on_scan(scan)
        return None if isinstance(result, Dropped) else Posed(stamp_ns=result.stamp_ns, T_odom_base=result.T_odom_base)


class Kiss:
    """KISS-ICP, deskewing with the points' times; it has no use for an IMU."""

    def __init__(self, setup: Setup) -> None:
        from kiss_icp.config import load_config
        from kiss_icp.kiss_icp import KissICP

        config = load_config(None)
        config.data.deskew, config.data.min_range, config.data.max_range = True, MIN_RANGE_M, MAX_RANGE_M
        config.mapping.voxel_size, config.registration.max_num_threads = 1.0, 1
        self.settings = (
            f"{version('kiss-icp')}, deskew, range {MIN_RANGE_M:g}-{MAX_RANGE_M:g} "
            "m, voxel 1 m (its default for this range), 1 thread, else defaults"
        )
        self._odometry, self._T_base_lidar = KissICP(config), setup.T_base_lidar

    def on_imu(self, sample: ImuSample) -> None:
        """Nothing."""

    def on_scan(self, scan: LidarScan) -> Posed | None:
        """The pose at the last point."""
        self._odometry.register_frame(scan.points_lidar.astype(np.float64), scan.offsets_s / scan.offsets_s.max())
        T_odom_base = self._T_base_lidar @ self._odometry.last_pose @ se3.inverse(self._T_base_lidar)
        return Posed(stamp_ns=_end_ns(scan), T_odom_base=T_odom_base)


class Rko:
    """RKO-LIO with its defaults; on drives from rest it may take attitude and biases from the IMU before the second scan."""

    def __init__(self, setup: Setup) -> None:
        from rko_lio.config import LIOConfig
        from rko_lio.lio import LIO

        config = LIOConfig(max_num_threads=1, min_range=MIN_RANGE_M, max_range=MAX_RANGE_M, initialization_phase=setup.starts_at_rest)
        self.settings = f"{version('rko-lio')}, {config}"
        self._lio, self._T_base_lidar, self._T_base_imu = LIO(config), setup.T_base_lidar, setup.T_base_imu

    def on_imu(self, sample: ImuSample) -> None:
        """Takes it with the true mounting."""
        self._lio.add_imu_measurement(sample.acc_m_s2, sample.gyro_rad_s, sample.stamp_ns, self._T_base_imu)

    def on_scan(self, scan: LidarScan) -> Posed | None:
        """The pose at the last point; ValueError or RuntimeError is its own complaint."""
        times_ns = scan.stamp_ns + np.rint(scan.offsets_s.astype(float) * 1e9).astype(np.int64)
        self._lio.register_scan(scan.points_lidar, times_ns, self._T_base_lidar)
        return Posed(stamp_ns=int(times_ns.max()), T_odom_base=self._lio.pose())


def _end_ns(scan: LidarScan) -> int:
    return scan.stamp_ns + round(float(scan.offsets_s.max()) * 1e9)


OURS = f"ours, BEV {OdometryConfig().bev}"  # as it is delivered
PEERS = {"KISS-ICP": "kiss-icp", "RKO-LIO": "rko-lio"}  # and the package that each is
SYSTEMS: dict[str, Callable[[Setup], System]] = {
    "ours, BEV off": lambda setup: Ours(setup, "off"),
    "ours, BEV auto": lambda setup: Ours(setup, "auto"),
    "ours, BEV always": lambda setup: Ours(setup, "always"),
    "KISS-ICP": Kiss,
    "RKO-LIO": Rko,
}


def missing_peers() -> list[str]:
    """The peers whose package is to be installed before they can run."""
    return [name for name, package in PEERS.items() if find_spec(package.replace("-", "_")) is None]


def edition(name: str) -> str:
    """What a kept run of this system must agree with: our sources, or the peer's version."""
    if not name.startswith("ours"):
        return version(PEERS[name])
    digest = hashlib.blake2b(f"{OdometryConfig()} {BevConfig()}".encode(), digest_size=8)
    for room in _ROOMS_OF_ODOMETRY:
        for path in sorted((Path(bev_loc.__file__).parent / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()

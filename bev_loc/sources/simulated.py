"""The simulator as a source: `sim:NAME[,key=value]...`, streamed, with truth."""

from collections.abc import Iterator

import numpy as np

from ..config import InputConfig
from ..geometry import se3
from ..records import ImuSample, LidarScan
from ..sim.options import parse
from ..sim.simulation import Simulation, simulate
from .base import Item, Truth


class SimulatedSource:
    """A drive that is simulated while it is read; base is the lidar."""

    def __init__(self, simulation: Simulation, text: str, input: InputConfig) -> None:
        self.name = f"sim:{text}"
        self.simulation = simulation
        self.scan_count: int | None = simulation.scan_count
        self.T_base_lidar = se3.from_xyz_rpy(input.T_base_lidar) if input.T_base_lidar else np.eye(4)
        self.T_base_imu = se3.from_xyz_rpy(input.T_base_imu) if input.T_base_imu else simulation.T_base_imu
        self.notes = simulation.notes

    def stream(self) -> Iterator[Item]:
        """IMU samples and raw scans with per-point times, in order of arrival; every call starts anew."""
        for item in self.simulation.stream():
            if isinstance(item, ImuSample):
                yield item
            else:
                yield LidarScan(stamp_ns=item.stamp_ns, points_lidar=item.points_lidar, offsets_s=item.offsets_s, name=self.name)

    def truth(self) -> Truth:
        """The pose of the base 100 times a second, in the world's frame (z up)."""
        stamps_ns, poses = self.simulation.truth()
        return Truth(stamps_ns=stamps_ns, T_truth_base=poses)


def open_simulated(name: str, input: InputConfig) -> SimulatedSource:
    """The source of `NAME[,key=value]...` (without `sim:`); SourceError lists known worlds, options and presets."""
    return SimulatedSource(simulate(parse(name.removeprefix("sim:"))), name.removeprefix("sim:"), input)

"""A whole simulated drive: world, trajectory, lidar and IMU put together into one ordered stream."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..geometry import se3
from ..records import ImuSample
from .drive import Drive, Kidnapped
from .faults import disturbed
from .imu import ImuModel, ImuTrack, felt, measured, sample_times
from .lidar import LidarModel, preset
from .options import PASSES, SimOptions
from .polyline import offset
from .sweep import Sweep
from .track import load_track, refuse_off_ground
from .trajectory import plan
from .world import Route, World, WorldOptions
from .worlds import AROUND, around, build_world

if TYPE_CHECKING:
    from .scanner import Scanner

BEGIN_NS = 1_000_000_000_000  # the stamp of the drive's first moment
TRUTH_HZ = 100.0
# The IMU sits behind, to the left of and below the lidar, a little turned: as on a well-known car.
T_BASE_IMU = se3.from_xyz_rpy((-0.81, 0.32, -0.80, 0.004, -0.006, 0.01))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulation:
    """Everything about one drive except the scans, which `stream` casts one by one."""

    options: SimOptions
    world: World
    route: Route
    drive: Drive
    lidar: LidarModel
    imu: ImuTrack | None
    T_base_imu: np.ndarray  # (4, 4) as it is reported: wrong when that fault is asked for
    begin_s: float  # of the drive, where the stream begins
    end_s: float
    notes: tuple[str, ...]  # what is simulated, faults, the residual of a real IMU

    @property
    def scan_count(self) -> int:
        """Whole sweeps in the stream, faults aside."""
        return int(np.floor((self.end_s - self.begin_s) * self.lidar.rate_hz + 1e-6))

    def stamp_ns(self, t_s: float) -> int:
        """The stamp of a moment of the drive."""
        return BEGIN_NS + round((t_s - self.begin_s) * 1e9)

    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) stamps, 100 a second, and (N, 4, 4) T_world_base."""
        t = self.begin_s + sample_times(self.end_s - self.begin_s, TRUTH_HZ)
        return np.array([self.stamp_ns(value) for value in t], np.int64), self.drive.poses(t)

    def stream(self) -> Iterator[Sweep | ImuSample]:
        """IMU samples and sweeps as they would arrive: a sweep comes once the IMU has passed its end."""
        return disturbed(self._clean(), self.options.faults, BEGIN_NS)

    def _clean(self) -> Iterator[Sweep | ImuSample]:
        scanner = self.scanner()
        samples = _samples(self)
        waiting = next(samples, None)
        for index in range(self.scan_count):
            end_ns = self.stamp_ns(self.begin_s + (index + 1) / self.lidar.rate_hz)
            while waiting is not None and waiting.stamp_ns <= end_ns:
                yield waiting
                waiting = next(samples, None)
            yield scanner.sweep(index)

    def scanner(self) -> "Scanner":
        """Casts single sweeps of this drive, in any order, without the faults."""
        from .scanner import Scanner  # Open3D, half a second

        return Scanner(self)


def simulate(options: SimOptions) -> Simulation:
    """World, trajectory and IMU of these options; SourceError when a name is unknown or a given track is impossible."""
    lidar = preset(options.lidar)
    other = options.drive != "map"
    cars = options.cars if options.cars >= 0 else int(other) + 2 * options.season
    land = WorldOptions(seed=options.seed, cars=cars, foliage=0.15 if options.season else 1.0, blocks=options.blocks)
    if options.trajectory or options.imu_file:
        return _along_given(options, land, lidar)
    world = build_world(options.world, land)
    route = {"map": world.route, "other": world.other, "back": _back(world)}[options.drive]
    if options.aside or options.wander >= 0:
        wander_m = route.wander_m if options.wander < 0 else options.wander
        route = replace(route, points=offset(route.points, options.aside), wander_m=wander_m)
    drive: Drive = plan(route, world.ground, options.seed * 31 + options.run * 7 + PASSES.index(options.drive), speed=options.speed)
    return _assembled(options, world, route, drive, lidar, T_BASE_IMU, None, ())


def _back(world: World) -> Route:
    """The way back: the mapped drive against its direction, in the oncoming lane where there is one."""
    return replace(world.route, points=offset(world.route.points, world.lane_m)[::-1].copy(), stops=())


def _along_given(options: SimOptions, land: WorldOptions, lidar: LidarModel) -> Simulation:
    """The simulation along poses or a GPS/INS track from a file, in a world around it or in a known one."""
    track = load_track(options.trajectory, options.imu_file)
    world = around.build(land, track.drive) if options.world == AROUND else build_world(options.world, land)
    refuse_off_ground(track.drive, world)
    T_base_imu = T_BASE_IMU if track.imu is None else track.T_base_imu
    return _assembled(options, world, world.route, track.drive, lidar, T_base_imu, track.imu, track.notes)


def _assembled(
    options: SimOptions, world: World, route: Route, drive: Drive, lidar: LidarModel, T_base_imu: np.ndarray,
    recorded: ImuTrack | None, notes: tuple[str, ...],
) -> Simulation:  # fmt: skip
    for fault in options.faults:
        if fault.kind == "kidnap":
            drive = Kidnapped(drive, options.start + fault.at_s, fault.amount)
    begin = min(options.start, max(0.0, drive.duration_s - 1.0))
    end = min(drive.duration_s, begin + options.seconds) if options.seconds else drive.duration_s
    turned = sum(fault.amount for fault in options.faults if fault.kind == "extrinsic")
    reported = T_base_imu @ se3.from_xyz_rpy((0.0, 0.0, 0.0, 0.0, 0.0, np.radians(turned)))
    imu = None
    if recorded is not None:
        inside = (recorded.t_s >= begin) & (recorded.t_s <= end)
        imu = ImuTrack(t_s=recorded.t_s[inside], gyro_rad_s=recorded.gyro_rad_s[inside], acc_m_s2=recorded.acc_m_s2[inside])
    elif options.imu:
        t = begin + sample_times(end - begin, options.imu)
        rng = np.random.default_rng([options.seed, 5, options.run, PASSES.index(options.drive)])
        imu = measured(felt(drive, t, T_base_imu), _imu_model(options), rng)
    return Simulation(
        options=options, world=world, route=route, drive=drive, lidar=lidar, imu=imu, T_base_imu=reported,
        begin_s=begin, end_s=end, notes=(*_notes(options, world, recorded is not None), *notes),
    )  # fmt: skip


def _notes(options: SimOptions, world: World, real_imu: bool) -> tuple[str, ...]:
    imu = "real IMU samples" if real_imu else f"{options.imu:g} Hz IMU" if options.imu else "no IMU"
    what = "the lidar is simulated" if real_imu else "everything is simulated"
    first = f"{what}: world '{options.world}' (seed {options.seed}, {len(world.mesh.triangles)} triangles), lidar {options.lidar}, {imu}"
    faults = (f"fault on purpose: {fault.kind} at {fault.at_s:g} s, amount {fault.amount:g}" for fault in options.faults)
    return first, *faults


def _imu_model(options: SimOptions) -> ImuModel:
    normal, k = ImuModel(), options.noise
    return ImuModel(
        rate_hz=options.imu, in_g=options.g_units, gyro_noise=k * normal.gyro_noise, acc_noise=k * normal.acc_noise,
        gyro_walk=k * normal.gyro_walk, acc_walk=k * normal.acc_walk, gyro_bias=k * normal.gyro_bias, acc_bias=k * normal.acc_bias,
    )  # fmt: skip


def _samples(simulation: Simulation) -> Iterator[ImuSample]:
    track = simulation.imu
    if track is None:
        return
    for t, gyro, acc in zip(track.t_s, track.gyro_rad_s, track.acc_m_s2):
        yield ImuSample(stamp_ns=simulation.stamp_ns(t), gyro_rad_s=gyro, acc_m_s2=acc)

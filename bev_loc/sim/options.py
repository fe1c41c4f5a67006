"""What a simulation is asked for, and its one-line text: `town,seconds=60,lidar=vlp16,pass=other`."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import SourceError
from .faults import Fault, parse_fault

PASSES = ("map", "other", "back")


def _option(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOptions:
    """One simulated drive. Equal options give equal bytes."""

    world: str
    seed: int = _option(1, "the world: streets, houses, trees")
    drive: str = _option("map", "'map': the drive with loops; 'other': a drive over parts of it, in other order, with other parked cars;"
                         " 'back': the drive against its direction in the oncoming lane, with other parked cars")
    seconds: float = _option(0.0, "length of the drive; 0: all of it")
    start: float = _option(0.0, "seconds of the drive left out at its beginning: then it starts in motion")
    lidar: str = _option("hdl64", "hdl64, hdl32, vlp16, os1-64, os1-128, livox")
    imu: float = _option(200.0, "IMU samples per second, 10 to 1000; 0: no IMU")
    g_units: bool = _option(False, "accelerations in g")
    noise: float = _option(1.0, "factor on all IMU noise and bias; 0: ideal")
    speed: float = _option(1.0, "factor on the driver's speed")
    moving: int = _option(0, "vehicles that drive, and as many pedestrians")
    season: int = _option(0, "0: summer; 1: winter with other parked cars")
    blocks: int = _option(4, "size of towns and campuses, blocks each way")
    cars: int = _option(-1, "which parked cars; -1: by pass and season")
    run: int = _option(0, "another run of the same drive: other noise, other wandering in the lane")
    aside: float = _option(0.0, "metres that the drive keeps to the left of the middle of its lane")
    wander: float = _option(-1.0, "metres RMS that it swings about that; -1: as the world's drivers do")
    trajectory: str = _option("", "file of poses (TUM, KITTI) to drive along")
    imu_file: str = _option("", "file of real IMU samples with their GPS/INS track (.npz)")
    faults: tuple[Fault, ...] = _option((), "KIND@SECOND[:AMOUNT], several joined by '+'")


def parse(text: str) -> SimOptions:
    """The options of `NAME[,key=value]...`; SourceError names what is unknown or out of range."""
    world, *pairs = [part.strip() for part in text.split(",")]
    options = SimOptions(world=world)
    known = {leaf.name: leaf for leaf in fields(SimOptions) if leaf.name != "world"}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = "drive" if key == "pass" else key
        if not equals or key not in known:
            names = ", ".join("pass" if name == "drive" else name for name in known)
            raise SourceError(f"sim:{text}: '{pair}' is no option; write key=value with one of {names}")
        options = replace(options, **{key: _value(text, key, value, known[key].default)})
    return checked(options)


def checked(options: SimOptions) -> SimOptions:
    """The same options, if they make sense."""
    if options.drive not in PASSES:
        raise SourceError(f"sim:{options.world}: pass must be one of {', '.join(PASSES)}, got '{options.drive}'")
    ranges = {"seconds": (0, 1e5), "start": (0, 1e5), "noise": (0, 100), "speed": (0.1, 5), "moving": (0, 50),
              "season": (0, 1), "blocks": (2, 40), "cars": (-1, 10**6), "seed": (0, 2**31), "run": (0, 2**20),
              "aside": (-20, 20)}  # fmt: skip
    for key, (low, high) in ranges.items():
        if not low <= getattr(options, key) <= high:
            raise SourceError(f"sim:{options.world}: {key} must lie between {low:g} and {high:g}, got {getattr(options, key)}")
    if options.wander != -1 and not 0 <= options.wander <= 10:
        raise SourceError(f"sim:{options.world}: wander must be -1 or between 0 and 10 m, got {options.wander:g}")
    if (options.trajectory or options.imu_file) and (options.aside or options.wander >= 0 or options.speed != 1.0):
        raise SourceError(f"sim:{options.world}: speed, aside and wander are of the world's own drive; leave them out beside a given one")
    if options.imu != 0 and not 10 <= options.imu <= 1000:
        raise SourceError(f"sim:{options.world}: imu must be 0 or between 10 and 1000 samples per second, got {options.imu:g}")
    return options


def _value(text: str, key: str, value: str, default: Any) -> Any:
    if key == "faults":
        return tuple(parse_fault(part) for part in value.split("+") if part)
    if isinstance(default, str):
        return value
    try:
        number = float(value)
        if isinstance(default, bool) and number in (0, 1):
            return bool(number)
        if isinstance(default, float) and number == number:
            return number
        if isinstance(default, int) and not isinstance(default, bool) and number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    wanted = {bool: "0 or 1", int: "a whole number", float: "a number"}[type(default)]
    raise SourceError(f"sim:{text}: '{key}' must be {wanted}, got '{value}'")

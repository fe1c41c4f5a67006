"""When each point was measured: detection of the field, its unit and what a cloud's stamp names.

Drivers disagree on all three, so they are read off the values of the first cloud once, and said.
"""

from dataclasses import dataclass

import numpy as np

from ..config import InputConfig
from .damaged import DamagedScan

FIELD_NAMES = ("t", "time", "timestamp", "time_stamp", "offset_time", "timeOffset", "time_offset")
NS_OF_UNIT = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}
_TYPICAL_SWEEP_NS = 1e8
_SAME_CLOCK_NS = 5_000_000_000
_WILD_SWEEPS = 5.0  # a cloud spans no more than this many usual sweeps
_MOST_WILD = 0.05
_LEAST_DISTINCT = 4  # float32 seconds since 1970 are 128 s apart: two values at most, of no use


@dataclass(frozen=True, slots=True, kw_only=True)
class PointTimes:
    """How the times of a cloud's points are to be read."""

    field: str
    unit: str  # "s", "ms", "us", "ns"
    reference: str  # "stamp": relative to the cloud's stamp; "clock": the stamp's own clock; "other": an unknown clock
    stamp_at: str  # "begin" or "end" of the sweep; where the cloud's stamp lies
    sweep_s: float  # duration of the first sweep
    note: str  # the above as a sentence

    def read(self, points: np.ndarray, stamp_ns: int) -> "TimedScan":
        """First return and offsets of structured `points` of a cloud stamped `stamp_ns`.

        A few points with times far from the others get offset 0; DamagedScan when they are many.
        """
        relative_ns, first = _from_first(points, self.field, NS_OF_UNIT[self.unit], self.sweep_s * 1e9)
        span_ns = int(relative_ns.max(initial=0.0))
        if self.reference == "clock":
            begin_ns = first
        elif self.stamp_at == "end":  # negative times count back from the stamp itself
            begin_ns = stamp_ns + (first if self.reference == "stamp" and first < 0 else -span_ns)
        else:  # times counted from the stamp may start a little after it
            begin_ns = stamp_ns + (max(first, 0) if self.reference == "stamp" else 0)
        return TimedScan(stamp_ns=begin_ns, offsets_s=(relative_ns * 1e-9).astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimedScan:
    """The time of a scan's first return, and of every point after it."""

    stamp_ns: int
    offsets_s: np.ndarray  # (N,) float32, >= 0; 0 where the point is invalid


def detect(points: np.ndarray, stamp_ns: int, config: InputConfig, arrival_ns: int | None = None) -> PointTimes | None:
    """How to read the times of structured `points`; None when they carry none (or all the same).

    `arrival_ns` is when the message was recorded or received, on the stamp's clock: a cloud that
    arrives sooner after its stamp than half a sweep was stamped at the sweep's end. An arrival equal
    to the stamp says nothing (converted recordings write it so).
    """
    field = find_field(points, config.point_time_field)
    if field is None:
        return None
    raw = points[field][valid_points(points)]
    raw = raw[np.isfinite(raw)]
    if len(raw) < 2 or raw.max() == raw.min() or len(np.unique(raw)) < min(_LEAST_DISTINCT, len(raw)):
        return None
    span = _robust_span(raw)
    unit = config.point_time_unit if config.point_time_unit != "auto" else _unit(span)
    relative_ns, first = _from_first(points, field, NS_OF_UNIT[unit], span * NS_OF_UNIT[unit])
    span_ns = float(relative_ns.max())
    reference = _reference(first, span_ns, stamp_ns)
    stamp_at, why = _stamp_at(first, span_ns, stamp_ns, reference, arrival_ns)
    if config.stamp_at != "auto":
        stamp_at, why = config.stamp_at, "configured"
    counted = {
        "stamp": "relative to the stamp",
        "clock": "absolute",
        "other": "on a clock other than the stamp's, used as differences",
    }[reference]
    note = (
        f"point times: field '{field}' in {unit}, {counted}, a sweep of {span_ns * 1e-9:.3f} s; "
        f"the stamp is at the {stamp_at} of the sweep ({why})"
    )
    return PointTimes(field=field, unit=unit, reference=reference, stamp_at=stamp_at, sweep_s=span_ns * 1e-9, note=note)


def find_field(points: np.ndarray, wanted: str = "") -> str | None:
    """The name of the scalar field that holds point times, None when there is none."""
    names = [n for n in points.dtype.names or () if points.dtype[n].kind in "iuf" and not points.dtype[n].shape]
    if wanted:
        return wanted if wanted in names else None
    by_lower = {name.lower(): name for name in reversed(names)}
    return next((by_lower[name.lower()] for name in FIELD_NAMES if name.lower() in by_lower), None)


def azimuth_fraction(points: np.ndarray) -> np.ndarray:
    """(N,) float32 share of the sweep of (N, 3) points: a sensor that turns clockwise from behind (Velodyne)."""
    azimuth_rad = np.arctan2(points[:, 1], points[:, 0])
    fraction = np.float32(0.5) - azimuth_rad * np.float32(0.5 / np.pi)
    return np.nan_to_num(fraction, copy=False, nan=0.0)


def valid_points(points: np.ndarray) -> np.ndarray:
    """(N,) bool: finite and not the all-zero that organised clouds use for 'no return'."""
    if not {"x", "y", "z"} <= set(points.dtype.names or ()):
        return np.ones(len(points), bool)
    x, y, z = points["x"], points["y"], points["z"]
    return np.isfinite(x) & np.isfinite(y) & np.isfinite(z) & ((x != 0) | (y != 0) | (z != 0))


def _from_first(points: np.ndarray, field: str, scale_ns: float, sweep_ns: float) -> tuple[np.ndarray, int]:
    """(N,) float64 nanoseconds after the first valid point, and that point's own time in ns."""
    raw = points[field]
    usable = valid_points(points) & np.isfinite(raw)
    if not usable.any():
        return np.zeros(len(raw)), 0
    low, high = raw[usable].min(), raw[usable].max()
    if (float(high) - float(low)) * scale_ns > _WILD_SWEEPS * sweep_ns:
        usable &= _near_the_others(raw, usable, _WILD_SWEEPS * sweep_ns / scale_ns)
        low = raw[usable].min()
    # subtracted before scaling: float64 seconds since 1970 keep their 0.2 us, integers lose nothing
    kind, origin = (np.float64, float(low)) if raw.dtype.kind == "f" else (np.int64, np.int64(low))
    relative_ns = np.where(usable, raw, low).astype(kind) - origin
    return relative_ns * scale_ns, _whole_ns(low, scale_ns)


def _near_the_others(raw: np.ndarray, usable: np.ndarray, width: float) -> np.ndarray:
    """(N,) bool: within `width` of the median; DamagedScan when more than a few are not."""
    near = np.abs(np.where(usable, raw, 0).astype(np.float64) - float(np.median(raw[usable]))) <= 0.5 * width
    wild = int((usable & ~near).sum())
    if wild > _MOST_WILD * usable.sum():
        raise DamagedScan(
            "wild point times", f"{wild} of {usable.sum()} points have times far from the others; check the driver"
        )
    return near


def _whole_ns(value: np.generic, scale_ns: float) -> int:
    if value.dtype.kind == "f":
        return _exact_ns(float(value), scale_ns)
    return int(value) * int(scale_ns)


def _exact_ns(value: float, scale_ns: float) -> int:
    whole = int(np.floor(value))
    return whole * int(scale_ns) + round((value - whole) * scale_ns)


def _robust_span(raw: np.ndarray) -> float:
    """About the duration of the sweep, from its middle half: a few wild values must not decide."""
    low, high = np.sort(raw)[[len(raw) // 4, -1 - len(raw) // 4]]
    span = 2.0 * (float(high) - float(low))
    return span if span > 0 else float(raw.max()) - float(raw.min())


def _unit(span: float) -> str:
    """The unit in which `span` is nearest to a tenth of a second: they are a factor of 1000 apart."""
    return min(NS_OF_UNIT, key=lambda unit: abs(np.log10(span * NS_OF_UNIT[unit] / _TYPICAL_SWEEP_NS)))


def _reference(first_ns: int, span_ns: float, stamp_ns: int) -> str:
    if abs(first_ns) <= 1.5 * span_ns:
        return "stamp"
    return "clock" if abs(first_ns - stamp_ns) < _SAME_CLOCK_NS else "other"


def _stamp_at(first_ns: int, span_ns: float, stamp_ns: int, reference: str, arrival_ns: int | None) -> tuple[str, str]:
    """Where the stamp lies, and how that is known."""
    if reference == "clock":
        return ("begin" if stamp_ns - first_ns < 0.5 * span_ns else "end"), "from the point times"
    if reference == "stamp" and first_ns < -0.5 * span_ns:
        return "end", "the times are negative"
    delay_ns = None if arrival_ns is None else arrival_ns - stamp_ns
    if delay_ns is not None and 1_000 < delay_ns < 0.5 * span_ns:
        return "end", f"it arrives {delay_ns * 1e-6:.0f} ms after its stamp, before a sweep could have ended"
    return "begin", "assumed; input.stamp_at overrides"

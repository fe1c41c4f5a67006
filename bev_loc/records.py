"""Frozen records that cross rooms. Arrays inside them are never written to after construction.

Frames and units are in the names (`T_a_b` is the pose of frame b in frame a, metres and radians);
tangent vectors and 6 x 6 matrices are rotation first, then translation, right perturbation.
"""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImuSample:
    """One inertial measurement in the imu frame."""

    stamp_ns: int
    gyro_rad_s: np.ndarray  # (3,) float64
    acc_m_s2: np.ndarray  # (3,) float64, specific force: +9.8 along the up axis at rest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LidarScan:
    """One sweep as the sensor gave it.

    `stamp_ns` is the time of the first return. `offsets_s` is None when the points are already
    motion compensated: then they all hold at `stamp_ns`.
    """

    stamp_ns: int
    points_lidar: np.ndarray  # (N, 3) float32, metres; may hold NaN and infinities
    offsets_s: np.ndarray | None = None  # (N,) float32, >= 0
    name: str = ""  # file or topic it came from, for messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Something a source could not deliver: said and counted, never silent."""

    where: str  # file or topic
    reason: str  # one sentence; what is wrong and what to do
    kind: str  # short counted key, e.g. "truncated scan"
    stamp_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImuCalibration:
    """How the IMU is mounted and what its clock lags, as estimated; a part that was not asked for is as it was given."""

    T_base_imu: np.ndarray  # (4, 4)
    time_offset_s: float  # to be added to the IMU's stamps
    mounting_sigmas: tuple[float, ...]  # deviations of T_base_imu's right perturbation, 3 rad and 3 m; empty: not asked for
    time_offset_sigma_s: float | None  # None: not asked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OdometryHealth:
    """Why an odometry result may be trusted, or not."""

    points_in: int
    points_used: int  # after the filters: what registration saw
    matches: int  # points with an accepted plane in the last iteration
    rmse_m: float  # of the accepted residuals; NaN without matches
    iterations: int
    degenerate_directions: int = 0  # of 6, from the Hessian's eigenvalues
    bev_matches: int = 0  # pixels that helped where planes leave directions open, and one for the keyframe of the start
    reasons: tuple[str, ...] = ()  # empty means healthy; else short counted keys
    imu: ImuCalibration | None = None  # where it is to be estimated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Odometry:
    """Pose of the base in the odom frame at `stamp_ns`, with the deskewed cloud of that moment."""

    stamp_ns: int  # time at which pose and cloud hold (scan end, or the scan's stamp if compensated)
    T_odom_base: np.ndarray  # (4, 4) float64
    covariance: np.ndarray  # (6, 6) float64, tangent at T_odom_base
    points_base: np.ndarray  # (N, 3) float32, deskewed, finite, range-cropped, not thinned
    health: OdometryHealth
    v_odom_base: np.ndarray = field(default_factory=lambda: np.zeros(3))  # (3,) m/s, in odom axes
    is_keyframe: bool = False  # the source has chosen it as a keyframe, however near the last one is


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BevImage:
    """Occupied voxels per column and their mean height, in the levelled frame of its cloud."""

    counts: np.ndarray  # (S, S) uint8, 0..max_count
    mean_height_m: np.ndarray  # (S, S) float32, NaN where counts is 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keyframe:
    """A place: where, when, what it looked like. Its frame `kf` is the base frame at `stamp_ns`."""

    id: int  # unique in a map, increasing
    session: int  # 0 for the first drive in a map
    stamp_ns: int
    T_odom_kf: np.ndarray  # (4, 4) float64, in the odom frame of its session
    R_level_kf: np.ndarray  # (3, 3) roll and pitch taken out before rasterising
    points_kf: np.ndarray  # (N, 3) float32, thinned
    image: BevImage  # of the levelled cloud
    descriptor: np.ndarray  # (D,) float32, unit length
    path_m: float  # length driven in its session so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A keyframe that the index proposes for another."""

    query_id: int
    match_id: int
    distance: float  # between descriptors: 0 is the same image


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Closure:
    """A verified candidate, or one that was refused and why."""

    query_id: int
    match_id: int
    accepted: bool
    reason: str  # "accepted", or the short key of the test it failed
    method: str  # "keypoints", "correlation"
    T_match_query: np.ndarray | None  # (4, 4); None when no pose was found at all
    information: np.ndarray | None  # (6, 6) inverse covariance of T_match_query's tangent
    descriptor_distance: float
    inliers: int = 0  # keypoint matches that agree
    score: float = 0.0  # correlation of the aligned images, 0..1
    overlap: float = 0.0  # share of the query's voxels that are occupied in the match
    rmse_m: float = float("nan")  # of the registration


class State(str, Enum):
    """What the system knows of its place in the map."""

    SEARCHING = "searching"
    TRACKING = "tracking"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """How well the place in a given map was known when the map last fitted."""

    T_odom_base: np.ndarray  # (4, 4) where the odometry had the base then
    covariance: np.ndarray  # (6, 6) of T_map_base, right perturbation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """Everything one call into the system wants to say."""

    stamp_ns: int
    state: State
    odometry: Odometry | None  # None when the scan gave no pose; `reasons` says why
    T_map_odom: np.ndarray | None  # None until the place in the map is known
    fit: Fit | None = None  # of the place in a given map; None: the map begins with this drive's odometry, or no place is known
    keyframe: Keyframe | None = None  # made in this step
    closures: tuple[Closure, ...] = ()  # tried in this step, or tried earlier and confirmed in it
    reasons: tuple[str, ...] = ()  # short counted keys
    stage_s: tuple[tuple[str, float], ...] = ()  # time per stage, when a clock was given

"""Every tunable, once: default, unit, range and meaning. YAML, ROS parameters and tables derive from here."""

from dataclasses import dataclass, field
from typing import Any


def tunable(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """A dataclass field that knows its unit, range and meaning; `live` may change while running."""
    metadata = {
        "meaning": meaning,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "live": live,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """What the sensors deliver, where detection must be helped."""

    points_topic: str = tunable("", "point cloud topic of a bag; empty: the only or largest one")
    imu_topic: str = tunable("", "IMU topic of a bag; empty: the only or fastest one")
    point_time_field: str = tunable("", "per-point time field; empty: detected by name")
    point_time_unit: str = tunable(
        "auto", "unit of the point times", choices=("auto", "s", "ms", "us", "ns")
    )
    point_times: str = tunable(
        "auto",
        "times within a sweep; auto: as recorded, or from the azimuth where a format is known to need it;"
        " none: points are already motion compensated; azimuth: a sensor turning clockwise from behind",
        choices=("auto", "none", "azimuth"),
    )
    stamp_at: str = tunable(
        "auto", "moment of the sweep that a cloud's stamp names", choices=("auto", "begin", "end")
    )
    T_base_lidar: tuple[float, ...] = tunable(
        (), "lidar in the base: x y z roll pitch yaw; empty: the source's calibration, TF, or identity",
        unit="m, rad",
    )  # fmt: skip
    T_base_imu: tuple[float, ...] = tunable(
        (), "IMU in the base: x y z roll pitch yaw; empty: as above", unit="m, rad"
    )
    initial_rpy: tuple[float, ...] = tunable(
        (), "roll pitch yaw of the base at the start; empty: from gravity or the ground", unit="rad"
    )
    scan_rate_hz: float = tunable(
        10.0, "sweep rate of sources without stamps", unit="Hz", minimum=0.1, maximum=1000.0
    )


@dataclass(frozen=True, kw_only=True)
class OdometryConfig:
    """Scan to local-map registration."""

    deskew: str = tunable(
        "auto", "undo motion within a sweep; auto: when the points carry times", choices=("auto", "off")
    )  # fmt: skip
    min_range_m: float = tunable(
        2.0, "nearer points are the vehicle itself", unit="m", minimum=0.0, maximum=50.0
    )
    max_range_m: float = tunable(
        100.0, "farther points are ignored", unit="m", minimum=5.0, maximum=500.0
    )
    scan_voxel_m: float = tunable(
        0.5, "one point per voxel of this size goes into the map", unit="m", minimum=0.05, maximum=5.0
    )  # fmt: skip
    register_voxel_m: float = tunable(
        1.5, "one point per voxel of this size is registered", unit="m", minimum=0.05, maximum=10.0
    )
    map_voxel_m: float = tunable(
        1.0, "voxel size of the local map", unit="m", minimum=0.1, maximum=10.0
    )
    map_radius_m: float = tunable(
        100.0, "the local map forgets what is farther away", unit="m", minimum=10.0, maximum=1000.0
    )
    max_iterations: int = tunable(20, "of one registration", minimum=1, maximum=200)
    bev: str = tunable(
        "off", "BEV residuals; auto: along directions that the planes leave open", choices=("off", "auto", "always")
    )
    gyro_noise: float = tunable(
        5e-3, "gyro noise density, vibration included", unit="rad/s/sqrt(Hz)", minimum=1e-6, maximum=1.0
    )
    acc_noise: float = tunable(
        5e-2, "accelerometer noise density, vibration included", unit="m/s^2/sqrt(Hz)", minimum=1e-5, maximum=10.0
    )  # fmt: skip
    gyro_walk: float = tunable(
        1e-4, "random walk of the gyro's bias", unit="rad/s^2/sqrt(Hz)", minimum=1e-8, maximum=1.0
    )
    acc_walk: float = tunable(
        1e-3, "random walk of the accelerometer's bias", unit="m/s^3/sqrt(Hz)", minimum=1e-8, maximum=1.0
    )
    estimate_extrinsic: bool = tunable(False, "find out how the IMU is mounted, from T_base_imu on, within a few degrees and centimetres")
    estimate_time_offset: bool = tunable(False, "find out what must be added to the IMU's stamps, within some hundredths of a second")


@dataclass(frozen=True, kw_only=True)
class BevConfig:
    """The bird's-eye-view image."""

    range_m: float = tunable(
        40.0, "half side of the image", unit="m", minimum=5.0, maximum=200.0
    )
    cell_m: float = tunable(
        0.4, "side of a pixel and of the voxels counted in its column", unit="m", minimum=0.05, maximum=5.0
    )  # fmt: skip
    max_count: int = tunable(10, "counts are capped here", minimum=1, maximum=255)


@dataclass(frozen=True, kw_only=True)
class KeyframeConfig:
    """When a keyframe is made and what is kept of it."""

    distance_m: float = tunable(
        2.0, "distance driven since the last one", unit="m", minimum=0.0, maximum=50.0, live=True
    )
    angle_deg: float = tunable(
        15.0, "angle turned since the last one", unit="deg", minimum=0.0, maximum=180.0, live=True
    )
    voxel_m: float = tunable(
        0.4, "thinning of the stored cloud", unit="m", minimum=0.05, maximum=2.0
    )


@dataclass(frozen=True, kw_only=True)
class PlaceConfig:
    """Description of places and search for them."""

    descriptor: str = tunable(
        "spectral",
        "how a BEV image is described; spectral, rein and fused have learned weights, for cells of 0.4 m; bevplace is the paper's REIN",
        choices=("fourier_mellin", "spectral", "rein", "fused", "bevplace"),
    )
    checkpoint: str = tunable("", "file of a BEVPlace++ checkpoint, for descriptor bevplace; empty: weights of our training")
    candidates: int = tunable(
        8, "nearest keyframes that are verified", minimum=1, maximum=100, live=True
    )
    min_path_m: float = tunable(
        50.0, "a loop is at least this much driving old", unit="m", minimum=0.0, maximum=1e4, live=True
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class VerifyConfig:
    """What a candidate must pass to become a closure."""

    min_inliers: int = tunable(
        10,
        "keypoint matches that agree on the pose; so many, or the correlation below, let the clouds be compared",
        minimum=3,
        maximum=1000,
        live=True,
    )
    min_correlation: float = tunable(
        0.55, "of the two images once aligned", minimum=0.0, maximum=1.0, live=True
    )
    min_structure_px: int = tunable(
        400, "pixels above ground in each image; a barer place needs twice the inliers", unit="px", minimum=0, maximum=100000, live=True
    )  # fmt: skip
    inlier_distance_m: float = tunable(
        0.6, "of a keypoint match to the common pose", unit="m", minimum=0.05, maximum=5.0
    )
    min_overlap: float = tunable(
        0.4, "share of the query's 0.5 m voxels above ground that are occupied in the match", minimum=0.0, maximum=1.0, live=True
    )  # fmt: skip
    max_rmse_m: float = tunable(
        0.3, "residual of the registration", unit="m", minimum=0.01, maximum=5.0, live=True
    )
    submap_keyframes: int = tunable(
        2, "neighbours on each side that join the match's cloud", minimum=0, maximum=20
    )


@dataclass(frozen=True, kw_only=True)
class GraphConfig:
    """Noise of the pose graph's factors."""

    odometry_sigma_m: float = tunable(
        0.02, "per metre driven", unit="m", minimum=1e-5, maximum=10.0
    )
    odometry_sigma_deg: float = tunable(
        0.05, "per metre driven", unit="deg", minimum=1e-5, maximum=10.0
    )
    closure_sigma_m: float = tunable(
        0.1, "floor for a closure's translation", unit="m", minimum=1e-3, maximum=10.0
    )
    closure_sigma_deg: float = tunable(
        0.3, "floor for a closure's rotation", unit="deg", minimum=1e-3, maximum=10.0
    )
    robust_width: float = tunable(
        3.0, "Cauchy width of closures, in sigmas", minimum=0.1, maximum=100.0
    )


@dataclass(frozen=True, kw_only=True)
class LocalizationConfig:
    """Finding and keeping the place in a given map."""

    consistent_hits: int = tunable(
        2, "closures that must agree before a place is believed", minimum=1, maximum=20, live=True
    )
    hit_distance_m: float = tunable(
        1.0, "agreement of two closures", unit="m", minimum=0.1, maximum=20.0, live=True
    )
    hit_angle_deg: float = tunable(
        5.0, "agreement of two closures", unit="deg", minimum=0.1, maximum=45.0, live=True
    )
    lost_after: int = tunable(
        8, "keyframes in a row that do not fit the map: then lost", minimum=1, maximum=1000, live=True
    )  # fmt: skip
    track_radius_m: float = tunable(
        15.0, "map keyframes this near the expected place are tried first", unit="m", minimum=1.0, maximum=100.0
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LinesConfig:
    """Line segments from the camera."""

    detector: str = tunable(
        "lsdnet", "learned, or OpenCV's classical LSD, which needs no weights", choices=("lsdnet", "opencv")
    )
    model: str = tunable("", "ONNX file of LSDNet, also upstream's; empty: the shipped one")
    min_score: float = tunable(
        0.5, "segments below are not reported", minimum=0.0, maximum=1.0, live=True
    )
    min_heat: float = tunable(
        0.3, "least line heat of a pixel that a segment grows over", minimum=0.05, maximum=0.95, live=True
    )  # fmt: skip
    min_length_px: float = tunable(
        10.0, "shorter segments are not reported", unit="px", minimum=1.0, maximum=1000.0, live=True
    )
    working_pixels: int = tunable(
        250000, "pictures are brought to this size before the network (enlarged by at most a fifth): detail against time",
        unit="px", minimum=1024, maximum=4000000, live=True
    )  # fmt: skip
    threads: int = tunable(1, "of the network", minimum=1, maximum=64)


@dataclass(frozen=True, kw_only=True)
class RosConfig:
    """Frame names and publication; only the ROS nodes read this."""

    map_frame: str = tunable("map", "frame of the map")
    odom_frame: str = tunable("odom", "frame of the odometry")
    base_frame: str = tunable("base_link", "frame of the vehicle")
    publish_tf: bool = tunable(True, "send odom -> base and map -> odom")
    standalone_tf: bool = tunable(
        False, "send map -> base alone instead of the two, where nothing else uses the odom frame"
    )
    map_points_period_s: float = tunable(
        5.0, "least time between two map clouds", unit="s", minimum=0.1, maximum=3600.0
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration; sections are rooms of the package."""

    input: InputConfig = InputConfig()
    odometry: OdometryConfig = OdometryConfig()
    bev: BevConfig = BevConfig()
    keyframes: KeyframeConfig = KeyframeConfig()
    place: PlaceConfig = PlaceConfig()
    verify: VerifyConfig = VerifyConfig()
    graph: GraphConfig = GraphConfig()
    localization: LocalizationConfig = LocalizationConfig()
    lines: LinesConfig = LinesConfig()
    ros: RosConfig = RosConfig()

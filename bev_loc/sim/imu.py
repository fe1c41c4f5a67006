"""The IMU: what it would feel on a drive, with noise, bias walk, saturation and units."""

from dataclasses import dataclass

import numpy as np

from .drive import GRAVITY_M_S2, Drive


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuModel:
    """Densities as data sheets give them; the defaults are a good MEMS unit."""

    rate_hz: float = 200.0
    gyro_noise: float = 1.5e-3  # rad/s/sqrt(Hz)
    acc_noise: float = 1.5e-2  # m/s^2/sqrt(Hz)
    gyro_walk: float = 2e-5  # rad/s^2/sqrt(Hz)
    acc_walk: float = 3e-4  # m/s^3/sqrt(Hz)
    gyro_bias: float = 2e-3  # rad/s, spread of the bias at the start
    acc_bias: float = 3e-2  # m/s^2
    gyro_limit: float = 10.0  # rad/s, saturation
    acc_limit: float = 80.0  # m/s^2
    in_g: bool = False  # accelerations in units of 9.81 m/s^2


SILENT = ImuModel(gyro_noise=0.0, acc_noise=0.0, gyro_walk=0.0, acc_walk=0.0, gyro_bias=0.0, acc_bias=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImuTrack:
    """A whole drive of samples in the imu frame."""

    t_s: np.ndarray  # (N,) from the start of the drive
    gyro_rad_s: np.ndarray  # (N, 3)
    acc_m_s2: np.ndarray  # (N, 3) specific force (in g when the model says so)


def felt(drive: Drive, t_s: np.ndarray, T_base_imu: np.ndarray) -> ImuTrack:
    """The noise-free samples at (N,) times: specific force at the lever arm, from the drive's derivatives."""
    m = drive.motion(t_s)
    R_base_imu, arm = T_base_imu[:3, :3], T_base_imu[:3, 3]
    swing = np.cross(m.dw_body, arm) + np.cross(m.w_body, np.cross(m.w_body, arm))
    pull = m.a_world + [0.0, 0.0, GRAVITY_M_S2]
    force_base = np.einsum("nji,nj->ni", m.R_world_base, pull) + swing
    return ImuTrack(t_s=np.asarray(t_s, float), gyro_rad_s=m.w_body @ R_base_imu, acc_m_s2=force_base @ R_base_imu)


def measured(clean: ImuTrack, model: ImuModel, rng: np.random.Generator) -> ImuTrack:
    """What the sensor of `model` makes of it."""
    dt = 1.0 / model.rate_hz

    def disturbed(value: np.ndarray, noise: float, walk: float, bias: float, limit: float) -> np.ndarray:
        white = rng.normal(0.0, 1.0, value.shape) * noise / np.sqrt(dt)
        start = rng.normal(0.0, 1.0, 3) * bias
        drift = np.cumsum(rng.normal(0.0, 1.0, value.shape) * walk * np.sqrt(dt), axis=0)
        return np.clip(value + white + start + drift, -limit, limit)

    gyro = disturbed(clean.gyro_rad_s, model.gyro_noise, model.gyro_walk, model.gyro_bias, model.gyro_limit)
    acc = disturbed(clean.acc_m_s2, model.acc_noise, model.acc_walk, model.acc_bias, model.acc_limit)
    return ImuTrack(t_s=clean.t_s, gyro_rad_s=gyro, acc_m_s2=acc / GRAVITY_M_S2 if model.in_g else acc)


def sample_times(duration_s: float, rate_hz: float) -> np.ndarray:
    """(N,) seconds of the samples of a drive."""
    return np.arange(int(np.floor(duration_s * rate_hz)) + 1) / rate_hz

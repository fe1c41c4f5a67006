"""The simulated IMU against the trajectory it was made from, and against its own data sheet."""

import numpy as np
import pytest

from bev_loc.geometry import so3
from bev_loc.sim.imu import SILENT, ImuModel, ImuTrack, felt, measured, sample_times
from bev_loc.sim.options import SimOptions
from bev_loc.sim.simulation import T_BASE_IMU, Simulation, simulate


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(SimOptions(world="town"))


def integrate(track: ImuTrack, R: np.ndarray, p: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(3,) position after strapdown integration, mean of neighbouring samples (a sculling-free 2-sample rule)."""
    dt = np.diff(track.t_s)
    for k, step in enumerate(dt):
        w = 0.5 * (track.gyro_rad_s[k] + track.gyro_rad_s[k + 1])
        R_next = R @ so3.exp(w * step)
        a = 0.5 * (R @ track.acc_m_s2[k] + R_next @ track.acc_m_s2[k + 1]) - [0.0, 0.0, 9.81]
        p, v, R = p + v * step + 0.5 * a * step**2, v + a * step, R_next
    return p


def test_integrating_the_ideal_imu_for_a_minute_returns_to_the_true_position_within_a_centimetre(simulation: Simulation) -> None:
    t = 5.0 + sample_times(60.0, 200.0)
    track = felt(simulation.drive, t, T_BASE_IMU)
    h = 1e-4
    T = simulation.drive.poses(np.array([t[0] - h, t[0], t[0] + h, t[-1]])) @ T_BASE_IMU
    p = integrate(track, T[1, :3, :3], T[1, :3, 3], (T[2, :3, 3] - T[0, :3, 3]) / (2 * h))
    assert np.linalg.norm(p - T[3, :3, 3]) < 0.01
    assert np.linalg.norm(T[3, :3, 3] - T[1, :3, 3]) > 20.0


def test_body_rates_and_forces_agree_with_differences_of_poses(simulation: Simulation) -> None:
    t, h = np.linspace(8.0, 80.0, 50), 1e-3
    track = felt(simulation.drive, t, T_BASE_IMU)
    before, now, after = (simulation.drive.poses(t + k * h) @ T_BASE_IMU for k in (-1, 0, 1))
    for k in range(len(t)):
        turned = so3.log(before[k, :3, :3].T @ after[k, :3, :3]) / (2 * h)
        pull = (before[k] - 2 * now[k] + after[k])[:3, 3] / h**2 + [0, 0, 9.81]
        np.testing.assert_allclose(track.gyro_rad_s[k], turned, atol=1e-4)
        np.testing.assert_allclose(track.acc_m_s2[k], now[k, :3, :3].T @ pull, atol=1e-3)


def allan_deviation(values: np.ndarray, dt: float, tau: float) -> float:
    """Overlapping Allan deviation of a rate signal (IEEE Std 952-1997, annex C)."""
    n = round(tau / dt)
    angle = np.concatenate([[0.0], np.cumsum(values) * dt])
    second = angle[2 * n :] - 2 * angle[n:-n] + angle[: -2 * n]
    return float(np.sqrt(np.mean(second**2) / (2 * tau**2)))


@pytest.mark.parametrize("which", ["gyro", "acc"])
def test_allan_deviation_gives_back_the_configured_densities_within_a_tenth(which: str) -> None:
    # Biases that walk ten times faster than the default show within hours instead of days.
    model, rate, hours = ImuModel(gyro_walk=2e-4, acc_walk=3e-3), 200.0, 3
    t = sample_times(hours * 3600.0, rate)
    still = ImuTrack(t_s=t, gyro_rad_s=np.zeros((len(t), 3)), acc_m_s2=np.zeros((len(t), 3)))
    noisy = measured(still, model, np.random.default_rng(3))
    values = noisy.gyro_rad_s if which == "gyro" else noisy.acc_m_s2
    noise, walk = (model.gyro_noise, model.gyro_walk) if which == "gyro" else (model.acc_noise, model.acc_walk)
    white = np.mean([allan_deviation(values[:, k], 1 / rate, 0.1) for k in range(3)]) * np.sqrt(0.1)
    assert white == pytest.approx(noise, rel=0.1)
    # The walk shows where the white noise has averaged out: variance walk^2 tau / 3 + noise^2 / tau.
    tau = 6 * noise / walk
    variance = np.mean([allan_deviation(values[:, k], 1 / rate, tau) ** 2 for k in range(3)])
    assert np.sqrt(3 * (variance - noise**2 / tau) / tau) == pytest.approx(walk, rel=0.1)


def test_saturation_and_g_units_show_in_the_samples() -> None:
    t = sample_times(1.0, 100.0)
    shaken = ImuTrack(t_s=t, gyro_rad_s=np.full((len(t), 3), 50.0), acc_m_s2=np.full((len(t), 3), -9.81))
    out = measured(shaken, ImuModel(gyro_limit=10.0, in_g=True), np.random.default_rng(0))
    assert out.gyro_rad_s.max() == 10.0
    assert np.allclose(out.acc_m_s2, -1.0, atol=0.1)
    silent = measured(shaken, SILENT, np.random.default_rng(0))
    np.testing.assert_array_equal(silent.acc_m_s2, shaken.acc_m_s2)

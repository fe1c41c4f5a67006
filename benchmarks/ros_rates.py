"""Whether the nodes keep up: a recorded drive replayed in real time, latency from scan end to pose, CPU time, drops.

    python benchmarks/ros_rates.py [--bag FOLDER] [--seconds 60] [--rate 1.0] [--cores 0,1]   # five minutes: --seconds 300

Without --bag one is simulated first (64 x 1800 beams at 10 Hz, IMU at 200 Hz). A scan ends when the IMU samples of that
moment arrive: their stamps tell the replay's clock, so that nothing big has to be received here. --rate 2 is 20 Hz.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bev_loc.thread_environment import set_thread_environment

set_thread_environment()  # before anything imports numpy

ROOT = Path(__file__).resolve().parents[1]
for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
    os.environ.setdefault(name, str(ROOT / "config" / "fastdds_shared_memory.xml"))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", "77")

NODES = ("odometry_node", "localization_node", "source_node")
_PATIENCE_S = 60.0
_PERIOD_NS = 10**8  # of the recorded scans


def main() -> int:
    """Measures; prints one JSON object, and a table on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bag", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--cores", default="", help="all processes on these, as taskset takes them")
    args = parser.parse_args()
    if args.bag and not args.bag.exists():
        parser.error(f"{args.bag}: no such bag")
    try:
        import rclpy  # noqa: F401
    except ImportError:
        print("skipped: no rclpy; source ROS or pip install -r requirements/ros-test.txt", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        bag = args.bag or _recorded(Path(folder) / "bag", args.seconds)
        result = _measured(bag, args.rate, args.cores, Path(folder))
    print(json.dumps(result))
    print(_table(result), file=sys.stderr)
    return 0


def _table(result: dict) -> str:
    """The figures for people."""
    dropped = sum(int(v) for k, v in result["odometry_counts"].items() if k.startswith("dropped"))
    seconds = result["scans_sent"] / (10.0 * result["rate"])
    lines = [f"{result['scans_sent']} scans at {10.0 * result['rate']:g} Hz on cores {result['cores']}: {dropped} dropped"]
    lines += [f"{name:20}{result['cpu_s'][name] / max(seconds, 1e-9):9.2f} cores, start included" for name in NODES]
    lines += ["after the scan's end   median     99 %"]
    lines += [f"{name:20}{result[f'{name}_median_ms']:9.1f} {result[f'{name}_p99_ms']:8.1f} ms" for name in ("odometry", "pose")]
    return "\n".join(lines)


def _recorded(folder: Path, seconds: int) -> Path:
    world = "town,blocks=6"  # the usual four blocks are driven in 199 s
    command = [sys.executable, "-m", "bev_loc", "sim", world, "--camera", "0", "--seconds", str(seconds), "--out", str(folder)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return folder / "bag"


class Listener:
    """What arrives here, with the time it did."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from geometry_msgs.msg import PoseWithCovarianceStamped
        from nav_msgs.msg import Odometry
        from sensor_msgs.msg import Imu

        from bev_loc.ros import qos

        rclpy.init()
        self.node = rclpy.create_node("rates")
        self.arrivals: dict[str, list[tuple[int, float]]] = {"imu": [], "odometry": [], "pose": []}
        self.values: dict[str, dict[str, str]] = {}
        for topic, kind, profile in (("imu", Imu, qos.IMU), ("odometry", Odometry, qos.RESULT), ("pose", PoseWithCovarianceStamped, 100)):
            self.node.create_subscription(kind, topic, lambda m, kept=self.arrivals[topic]: kept.append(_arrival(m)), profile)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 100)

    def _on_diagnostics(self, message: object) -> None:
        for status in message.status:  # type: ignore[attr-defined]
            self.values[status.name] = {v.key: v.value for v in status.values}

    def latencies_ms(self, topic: str, rate: float) -> list[float]:
        """From the end of the scan to the arrival of what was made of it."""
        offset_s = min(arrival_s - stamp_ns * 1e-9 / rate for stamp_ns, arrival_s in self.arrivals["imu"])
        return [1e3 * (arrival_s - stamp_ns * 1e-9 / rate - offset_s) for stamp_ns, arrival_s in self.arrivals[topic]]


def _arrival(message: object) -> tuple[int, float]:
    stamp = message.header.stamp  # type: ignore[attr-defined]
    return stamp.sec * 10**9 + stamp.nanosec, time.monotonic()


def _measured(bag: Path, rate: float, cores: str, folder: Path) -> dict[str, object]:
    import numpy as np
    import rclpy

    listener = Listener()
    started = {name: _start(name, cores, folder, bag, rate) for name in NODES}
    begin_s, load, source_cpu_s = time.monotonic(), os.getloadavg()[0], 0.0
    try:
        while started["source_node"].poll() is None:
            rclpy.spin_once(listener.node, timeout_sec=0.05)
            source_cpu_s = max(source_cpu_s, _cpu_s(started["source_node"].pid))
        wall_s = time.monotonic() - begin_s
        until_s = time.monotonic() + 3.0  # what is in hand, and the last counts
        while time.monotonic() < until_s:
            rclpy.spin_once(listener.node, timeout_sec=0.05)
    finally:
        cpu_s = {name: _ended(process) for name, process in started.items()}
    if started["source_node"].returncode or not listener.arrivals["imu"]:
        sys.exit(f"nothing was measured; source_node said:\n{(folder / 'source_node.log').read_text()}")
    odometry, localization = (listener.values.get(name, {}) for name in NODES[:2])
    sent = int(listener.values.get("source_node", {}).get("scans", 0))
    result: dict[str, object] = {"scans_sent": sent, "rate": rate, "cores": cores or "all", "wall_s": round(wall_s, 1)}
    for topic in ("odometry", "pose"):
        latencies_ms = listener.latencies_ms(topic, rate)
        median, late = np.percentile(latencies_ms, [50, 99]) if latencies_ms else (np.nan, np.nan)
        result |= {f"{topic}_messages": len(latencies_ms), f"{topic}_median_ms": round(median, 1), f"{topic}_p99_ms": round(late, 1)}
    cpu_s["source_node"] = source_cpu_s
    result["odometry_gaps"] = _gaps([stamp_ns for stamp_ns, _ in listener.arrivals["odometry"]])
    result["cpu_s"] = {name: round(seconds, 1) for name, seconds in cpu_s.items()}
    result["odometry_counts"] = {k: v for k, v in odometry.items() if "dropped" in k or "scans" in k or "degraded" in k}
    result["localization_counts"] = {k: v for k, v in localization.items() if "dropped" in k or k in ("received", "processed")}
    result["load_before_and_after"] = [round(load, 1), round(os.getloadavg()[0], 1)]
    rclpy.shutdown()
    return result


def _gaps(stamps_ns: list[int]) -> list[dict[str, float]]:
    """Where scans are missing between those that were answered: seconds from the first one on, and how long."""
    pairs = [pair for pair in zip(stamps_ns, stamps_ns[1:], strict=False) if pair[1] - pair[0] > 1.5 * _PERIOD_NS]
    return [{"after_s": round((a - stamps_ns[0]) * 1e-9, 2), "long_s": round((b - a) * 1e-9, 2)} for a, b in pairs]


def _start(name: str, cores: str, folder: Path, bag: Path, rate: float) -> subprocess.Popen:
    replay = ["--ros-args", *_mounts(bag), "-p", f"source:=bag:{bag}", "-p", f"rate:={rate}", "-p", "wait_for:=points cloud_deskewed imu",
              "-p", f"wait_s:={_PATIENCE_S}"]  # fmt: skip
    pinned = ["taskset", "-c", cores] if cores else []
    arguments = {"source_node": replay, "odometry_node": ["--ros-args", *_mounts(bag)]}.get(name, [])
    command = [*pinned, sys.executable, "-m", f"bev_loc.ros.{name}", *arguments]
    return subprocess.Popen(command, stdout=(folder / f"{name}.log").open("w"), stderr=subprocess.STDOUT, cwd=ROOT)


def _mounts(bag: Path) -> list[str]:
    """Where the bag says that the sensors are, as parameters: without tf2_msgs there is no TF to ask."""
    from bev_loc.config import InputConfig
    from bev_loc.geometry import so3
    from bev_loc.sources.open import open_source

    source, arguments = open_source(f"bag:{bag}", InputConfig()), []
    for key, T in (("T_base_lidar", source.T_base_lidar), ("T_base_imu", source.T_base_imu)):
        if T is not None:
            numbers = ", ".join(f"{float(value)!r}" for value in (*T[:3, 3], *so3.to_rpy(T[:3, :3])))
            arguments += ["-p", f"input.{key}:=[{numbers}]"]
    return arguments


def _cpu_s(pid: int) -> float:
    """CPU seconds of a running process so far; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ended(process: subprocess.Popen) -> float:
    """CPU seconds of a process, which is ended here if it runs; 0 if it was over and counted already."""
    if process.poll() is not None:
        return 0.0
    process.send_signal(signal.SIGINT)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())

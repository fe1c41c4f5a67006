"""A node of this package in its own process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class NodeProcess:
    """Runs `bev_loc.ros.<name>`; its output is kept in a file for failure messages and for checks."""

    def __init__(self, name: str, log: Path, environment: dict[str, str], arguments: list[str]) -> None:
        self.name = name
        self._killed = False
        self._log = log
        path = os.pathsep.join(filter(None, [str(REPOSITORY), environment.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"bev_loc.ros.{name}", "--ros-args", *arguments],
            env=os.environ | environment | {"PYTHONPATH": path},
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return self._log.read_text()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it has ended with an error, not because this test killed it."""
        return bool(self._process.poll()) and not self._killed

    def end(self, number: signal.Signals) -> int:
        """Send a signal; the exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self, timeout_s: float = 60.0) -> int:
        """The exit code, once it ends by itself."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout_s} s; it said:\n{self.output}") from None

    def leave(self) -> None:
        """Ask it to end: one that is killed leaves its shared memory behind, for others of its domain to stumble over."""
        if self.running:
            self._killed = True
            self._process.terminate()

    def kill(self, after_s: float = 0.0) -> None:
        """End it whatever it does, if it does not end within `after_s`."""
        try:
            self._process.wait(after_s)
        except subprocess.TimeoutExpired:
            self._killed = True
            self._process.kill()
            self._process.wait()

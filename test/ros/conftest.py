"""ROS in tests: one context and one domain per test, nodes in processes, messages of tf2 generated if need be."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ros.node_process import NodeProcess
from ros.tf2_messages import CannotGenerate, generated_tf2_msgs

from bev_loc.config import Config

# before rclpy reads them; the profile as the launch file sets it, under its names in Fast DDS 2 and 3
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
for _name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"):
    os.environ[_name] = str(Path(__file__).resolve().parents[2] / "config" / "fastdds_shared_memory.xml")

PATIENCE_S = 120.0  # ends what hangs, measures nothing: what comes in a second takes twenty when ten others want the two cores


class Ros:
    """A node for the test itself, and processes with the nodes under test."""

    def __init__(self, folder: Path, domain_id: int, python_path: str) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.node = rclpy.create_node("test", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._folder = folder
        self._environment = {"ROS_DOMAIN_ID": str(domain_id), "PYTHONPATH": python_path, "ROS_LOG_DIR": str(folder)}
        self._processes: list[NodeProcess] = []

    def start(self, name: str, /, *arguments: str, **parameters: Any) -> NodeProcess:
        """Start a node; parameters are given as YAML, dots in their names as two underscores."""
        given = [part for key, value in parameters.items() for part in ("-p", f"{key.replace('__', '.')}:={value}")]
        log = self._folder / f"{len(self._processes)}_{name}.log"
        process = NodeProcess(name, log, self._environment, [*arguments, *given])
        self._processes.append(process)
        return process

    def collect(self, message_type: type, topic: str, qos: Any = 100) -> list:
        """A list that fills with the messages of a topic while spinning."""
        received: list = []
        self.node.create_subscription(message_type, topic, received.append, qos)
        return received

    def spin_until(self, condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Spin until `condition` holds; the failure shows what the nodes said."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            late, died = time.monotonic() > end_s, any(process.failed for process in self._processes)
            if late or died:
                said = "\n".join(f"--- {p.name} (running: {p.running})\n{p.output}" for p in self._processes)
                raise AssertionError(f"{'a node died' if died else f'not within {timeout_s} s'}, waiting for {what}\n{said}")
            self._executor.spin_once(timeout_sec=0.05)

    def wait_for(self, look: Callable[[], Any], what: str) -> Any:
        """Spin until `look` returns something; that."""
        found: list = []
        self.spin_until(lambda: found.append(look()) or found[-1], what)
        return found[-1]

    def spin_for(self, seconds: float) -> None:
        """Spin for a while."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._executor.spin_once(timeout_sec=0.05)

    def call(self, service_type: type, name: str, request: Any) -> Any:
        """The response of a service."""
        client = self.node.create_client(service_type, name)
        self.spin_until(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        self.spin_until(future.done, f"response of {name}")
        return future.result()

    def meet(self, *nodes: str) -> None:
        """Wait until nodes spin and know every publisher and subscription made here so far.

        Who is seen here need not see us yet: what it publishes until then is not sent to us, and what a best-effort
        listener is sent until then is lost. The answer to a client that was made last says that all before it is known.
        """
        from rcl_interfaces.srv import GetParameters

        for node in nodes:
            self.call(GetParameters, f"{node}/get_parameters", GetParameters.Request())

    def close(self) -> None:
        """End everything."""
        import rclpy

        for process in self._processes:
            process.leave()
        for process in self._processes:
            process.kill(after_s=10.0)
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope="session")
def with_tf2(repository: Path) -> Iterator[str]:
    """PYTHONPATH with tf2_msgs, which this process can import too: the installed one, or one generated for the tests."""
    if find_spec("tf2_msgs") is not None:
        yield ""
        return
    try:
        folder = str(generated_tf2_msgs(repository / "build" / "tf2_msgs"))
    except CannotGenerate as error:
        pytest.skip(str(error))
    sys.path.insert(0, folder)
    yield folder
    sys.path.remove(folder)


@pytest.fixture
def run_time_only(tmp_path: Path) -> str:
    """PYTHONPATH under which nothing can be imported that only training, simulator, tests and viewers need."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('torch', 'open3d', 'onnx', 'rerun', 'evo', 'matplotlib', 'tqdm'):\n    sys.modules[name] = None\n"
    )
    return str(tmp_path)


@pytest.fixture(scope="session")
def compiled() -> None:
    """The kernels of the nodes are in Numba's cache: after a change of the code nobody's patience is for the compiler."""
    from bev_loc.ros.warm_up import warm_up_localizer, warm_up_odometry

    config = Config()
    warm_up_odometry(config.odometry)
    warm_up_localizer(config)


@pytest.fixture
def make_ros(compiled: None, tmp_path: Path) -> Iterator[Callable[..., Ros]]:
    """Makes a `Ros` in a domain of its own, with the given PYTHONPATH for its nodes."""
    domain_coordinator = pytest.importorskip("domain_coordinator")
    made: list[Ros] = []
    with domain_coordinator.domain_id() as domain_id:

        def make(python_path: str = "") -> Ros:
            made.append(Ros(tmp_path, domain_id, python_path))
            return made[-1]

        yield make
        for ros in made:
            ros.close()


@pytest.fixture
def ros(make_ros: Callable[..., Ros]) -> Ros:
    """A context, a node and an executor."""
    return make_ros()

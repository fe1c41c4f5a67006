"""The life of a node process: start, spin in one thread, end cleanly on SIGINT, SIGTERM or when done."""

import gc
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ..errors import BevLocError, ConfigError


class Runnable(Protocol):
    """A node with what it does."""

    node: Node
    finished: bool  # set by itself when there is nothing left to do

    def close(self) -> None:
        """End threads, save what is to be saved; publishing still works."""
        ...


def run(make: Callable[[], Runnable]) -> int:
    """Spin the node until a signal or its own end; the exit code: 0, or 1 for a named error or a dead thread."""
    dead_threads: list[str] = []

    def on_thread_death(hook: threading.ExceptHookArgs) -> None:
        traceback.print_exception(hook.exc_type, hook.exc_value, hook.exc_traceback)
        dead_threads.append(hook.thread.name if hook.thread else "?")

    threading.excepthook = on_thread_death
    _on_signals(lambda *_: sys.exit(0))  # nothing to lose while starting
    try:
        _init()
        running = make()
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again and again would stop the node for 70 ms each time
        stopping = threading.Event()
        _on_signals(lambda *_: stopping.set())
        executor = SingleThreadedExecutor()
        executor.add_node(running.node)
        while not (stopping.is_set() or running.finished or dead_threads):
            executor.spin_once(timeout_sec=0.1)
        running.close()
        executor.shutdown()
        running.node.destroy_node()
    except BevLocError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 1 if dead_threads else 0


def _init() -> None:
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except rclpy_implementation.RCLError as error:  # arguments or a parameter file that rcl cannot read
        raise ConfigError(str(error)) from None


def _on_signals(handler: Callable[..., None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)

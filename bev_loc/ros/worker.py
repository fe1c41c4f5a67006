"""One thread behind a bounded queue: a callback only hands over, the newest items win, the rest are counted."""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Handles items one after another in its own thread, under `lock`."""

    def __init__(
        self, name: str, handle: Callable[[Item], None], most_waiting: int = 2, nice: int = 0, *, thin_out: bool = False
    ) -> None:
        """Start the thread. `most_waiting` items may wait; when one more comes, the oldest is dropped.

        With `thin_out` the one that leaves the smallest gap goes instead: of a drive that had to wait, all of the
        way is kept, in larger steps.
        With `nice` the thread gives way to others that want the same core (Linux: 0 to 19).
        """
        self.lock = threading.Lock()  # held while handling: whoever else touches the same state takes it
        self.offered = self.handled = self.dropped = 0
        self._handle = handle
        self._waiting: deque[tuple[int, Item]] = deque()  # each with its number
        self._taken = 0  # number of the last one taken
        self._most_waiting = most_waiting
        self._nice = nice
        self._thin_out = thin_out
        self._news = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many items wait now."""
        return len(self._waiting)

    def offer(self, item: Item) -> None:
        """Hand over an item; never blocks for longer than it takes to append it."""
        with self._news:
            self.offered += 1
            self._waiting.append((self.offered, item))
            if len(self._waiting) > self._most_waiting:
                del self._waiting[self._dispensable() if self._thin_out else 0]
                self.dropped += 1
            self._news.notify()

    def clear(self) -> None:
        """Drop what waits (counted)."""
        with self._news:
            self.dropped += len(self._waiting)
            self._waiting.clear()

    def stop(self) -> None:
        """Finish the item in hand, drop what waits (counted), end the thread."""
        with self._news:
            self._stopping = True
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._news.notify()
        self._thread.join()

    def _run(self) -> None:
        if self._nice and sys.platform == "linux":  # elsewhere it would be of the whole process
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + self._nice, 19))
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                self._taken, item = self._waiting.popleft()
            with self.lock:
                self._handle(item)
            self.handled += 1

    def _dispensable(self) -> int:
        """Which of those that wait, not the newest, leaves the smallest gap between its neighbours; the oldest such."""
        numbers = [self._taken, *(number for number, _ in self._waiting)]
        return min(range(len(self._waiting) - 1), key=lambda n: numbers[n + 2] - numbers[n])

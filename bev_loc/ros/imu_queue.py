"""IMU samples between their callback and the scan that needs them."""

import threading
import time
from collections import deque
from collections.abc import Callable

from ..records import ImuSample

_LONGEST = 4000  # samples: some 10 s of a fast IMU without a scan
_LOOK_AGAIN_S = 0.002
_ALIVE_NS = 1_000_000_000
_AHEAD_NS = 5_000_000_000  # of the scan that is being read: another clock, or from before time went back


class ImuQueue:
    """Samples in order of arrival; `dropped` counts those that no scan fetched in time."""

    def __init__(self, fetch: Callable[[], None] = lambda: None) -> None:
        """`fetch` brings what has come so far, by calling `add`."""
        self._fetch = fetch
        self._samples: deque[ImuSample] = deque()
        self._news = threading.Condition()
        self._newest_ns = -(2**62)
        self.dropped = 0
        self.ahead = 0  # samples whose stamps lay seconds after the scan's
        self.received = 0

    def add(self, sample: ImuSample) -> None:
        """Take one sample."""
        with self._news:
            self._samples.append(sample)
            self._newest_ns = sample.stamp_ns
            self.received += 1
            if len(self._samples) > _LONGEST:
                self._samples.popleft()
                self.dropped += 1
            self._news.notify()

    def take_until(self, stamp_ns: int, patience_s: float = 0.05) -> list[ImuSample]:
        """The samples up to `stamp_ns`. A running IMU's last ones may be on their way: waited for, not for long."""
        until_s = time.monotonic() + patience_s
        self._fetch()
        while self._newest_ns < stamp_ns < self._newest_ns + _ALIVE_NS and time.monotonic() < until_s:
            with self._news:
                self._news.wait(_LOOK_AGAIN_S)
            self._fetch()
        with self._news:
            self._drop_ahead(stamp_ns)
            taken = []
            while self._samples and self._samples[0].stamp_ns <= stamp_ns:
                taken.append(self._samples.popleft())
            return taken

    def _drop_ahead(self, stamp_ns: int) -> None:
        """Samples far in the future at the head would hold up all that come behind them."""
        while self._samples and self._samples[0].stamp_ns > stamp_ns + _AHEAD_NS:
            self._samples.popleft()
            self.ahead += 1

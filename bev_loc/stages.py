"""How long each stage of one step took, by whatever clock the caller gives."""

from collections.abc import Callable


class Stages:
    """Times between marks; nothing without a clock."""

    def __init__(self, clock: Callable[[], float] | None) -> None:
        self._clock = clock
        self._last_s = clock() if clock else 0.0
        self._times: list[tuple[str, float]] = []

    def mark(self, name: str) -> None:
        """The stage `name` ends here."""
        if self._clock is not None:
            now_s = self._clock()
            self._times.append((name, now_s - self._last_s))
            self._last_s = now_s

    def times(self) -> tuple[tuple[str, float], ...]:
        """(name, seconds) in order."""
        return tuple(self._times)

"""Whether scans fit the local map, and when it is left for a new one.

In an unbroken drive hardly a scan fits a tenth less than the one before. Where a vehicle was carried away, or moved on while
its LiDAR was blind, a quarter to a half is left, for the ground is everywhere: enough to go on with a wrong speed for ever.
"""

from .update import Registration

RESTARTED = "local map restarted"  # nobody knows what happened in between
ELSEWHERE = "does not fit the local map"
COASTING = "coasting: too few plane matches"
_MIN_MATCHES = 30
_DROP, _ELSEWHERE = 0.7, 0.5  # of the share of points that match, since the last scan that fitted
_SEES_AS_MUCH = 0.5  # of its points: with fewer the lidar is covered
_BARE_SCANS, _ELSEWHERE_SCANS = 10, 2  # in a row, until the map is left


class MapFit:
    """How the last scans fitted the local map."""

    def __init__(self) -> None:
        self._points, self._share = 0, 0.0  # registered of the last scan that fitted, and how many of them matched
        self._bare = self._elsewhere = 0  # scans in a row

    @property
    def fitted(self) -> bool:
        """Whether the last scan did."""
        return not (self._bare or self._elsewhere)

    @property
    def hopeless(self) -> bool:
        """Whether another map is better."""
        return self._bare >= _BARE_SCANS or self._elsewhere >= _ELSEWHERE_SCANS

    def dropped(self, result: Registration) -> bool:
        """Whether this one fits so much less than the last one that its prediction may be wrong."""
        return result.matches < _DROP * self._share * result.points

    def is_elsewhere(self, result: Registration) -> bool:
        """Whether this one sees as much as the last one did, and little of it is in the map."""
        as_much = result.points >= _SEES_AS_MUCH * self._points
        return as_much and result.matches < _ELSEWHERE * self._share * result.points

    def take(self, result: Registration) -> tuple[str, ...]:
        """The next scan, and what is wrong with it."""
        elsewhere, bare = self.is_elsewhere(result), result.matches < _MIN_MATCHES
        self._elsewhere = self._elsewhere + 1 if elsewhere else 0
        self._bare = self._bare + 1 if bare else 0
        if self.fitted:
            self._points, self._share = result.points, result.matches / result.points
        return (ELSEWHERE,) * elsewhere + (COASTING,) * bare

    def forget(self) -> None:
        """Nothing is known of how the next scan should fit."""
        self._points, self._share, self._bare, self._elsewhere = 0, 0.0, 0, 0

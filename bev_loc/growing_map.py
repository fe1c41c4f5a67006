"""The map that a run writes as it goes; a disk that is full or gone is said, and the run goes on."""

from collections.abc import Callable
from pathlib import Path

from .errors import MapError, OutputError
from .localizer import Localizer
from .maps.writer import MapWriter
from .records import Step


class GrowingMap:
    """Keeps the folder up to date with the localizer's map, keyframe by keyframe."""

    def __init__(self, path: Path, localizer: Localizer, say: Callable[[str], None]) -> None:
        """OutputError when the folder cannot be written: before the work, not after it."""
        self.path, self._say = path, say
        self._localizer = localizer
        self._writer = MapWriter(path, localizer.bundle())
        self._unplaced = False  # keyframes were made whose place was not known
        self.failures = 0  # keyframes that could not be written at once

    def add(self, step: Step) -> None:
        """Write the keyframe of `step`, if it made one."""
        keyframe = step.keyframe
        if keyframe is None:
            return
        if step.T_map_odom is None:
            self._unplaced = True
            return
        try:
            if self._unplaced or self._writer.checkpoint_is_due:
                self._writer.checkpoint(self._localizer.bundle())
                self._unplaced = False
            else:
                closures = tuple(closure for closure in step.closures if closure.accepted)
                moved = self._localizer.places() if closures else None
                self._writer.append(keyframe, step.T_map_odom @ keyframe.T_odom_kf, closures, moved)
            for id, (file, checksum) in self._writer.take_written().items():
                self._localizer.put_away(id, file, checksum)
        except (MapError, OutputError) as error:  # the disk is full, or somebody took the folder away
            if not self.failures:
                self._say(f"the map is not being saved, the run goes on: {error}")
            self.failures += 1

    def finish(self) -> str:
        """Write the whole map; empty, or the sentence that says why it could not be."""
        try:
            self._writer.checkpoint(self._localizer.bundle())
        except (MapError, OutputError) as error:
            return str(error)
        return ""

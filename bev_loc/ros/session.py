"""The localizer inside the node, with the map it was given: begun, begun anew, saved. Answers are sentences."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..config import Config
from ..errors import BevLocError, ConfigError, MapError, OutputError
from ..growing_map import GrowingMap
from ..localizer import Localizer
from ..maps.bundle import load_map, save_map
from ..maps.contents import MapBundle
from ..maps.folder import make_folder
from ..records import Step
from .map_outputs import MapOutputs
from .params import Parameters

_REMEMBERED_POSES = 36_000  # an hour at 10 Hz: what the path shows of a drive of days


class Session:
    """At most one localizer; parameters 'map', 'mapping' and 'save_map_path' say what it works on."""

    def __init__(self, parameters: Parameters, outputs: MapOutputs, say: Callable[[str], None]) -> None:
        """`say` takes sentences that nobody asked for: what goes wrong while the map is written."""
        self._parameters = parameters
        self._outputs = outputs
        self._say = say
        self._localizer: Localizer | None = None
        self._growing: GrowingMap | None = None
        self._growing_path: Path | None = None  # where one begins with the next keyframe
        self._extend = False

    @property
    def localizer(self) -> Localizer:
        """The localizer; BevLocError when there is none."""
        if self._localizer is None:
            raise BevLocError("the node is not configured: configure it first")
        return self._localizer

    def begin(self) -> None:
        """A fresh localizer, with the map that parameter 'map' names; the old one stays if that fails."""
        path = self._parameters.own("map")
        known_map = load_map(Path(path).expanduser()) if path else None
        if self._parameters.own("save_map_path"):
            make_folder(self._save_folder())  # before the work, not after it
        self._start(known_map, extend=known_map is None or self._parameters.own("mapping"))

    def begin_drive(self) -> str:
        """Time went back: what comes next is another drive, and the map as it stands is searched for its place."""
        bundle = self.localizer.bundle()
        self._start(bundle if bundle.entries else None, extend=self._extend)
        return f"searching for the place in the map of {len(bundle.entries)} keyframes" if bundle.entries else "the map begins anew"

    def keep(self, step: Step) -> None:
        """Write the keyframe of `step` to the folder of the map, if one was named when the drive began.

        Not before the first keyframe: a robot that was only switched on must not replace the map of yesterday.
        """
        if self._growing is None and self._growing_path is not None and step.keyframe is not None and step.T_map_odom is not None:
            path, self._growing_path = self._growing_path, None
            try:
                self._growing = GrowingMap(path, self.localizer, self._say)
            except OutputError as error:
                self._say(f"the map is not being saved, the drive goes on: {error}")
        elif self._growing is not None:
            self._growing.add(step)

    def reconfigure(self, config: Config) -> None:
        """Live values changed: they hold from the next pose on."""
        if self._localizer is not None:
            self._localizer.reconfigure(config)

    def end(self) -> None:
        """Forget the map."""
        self._localizer = self._growing = self._growing_path = None

    def save_if_wanted(self) -> str:
        """Save the map if it holds anything and a folder was named; what was done, empty if nothing."""
        if self._localizer is None or not self._parameters.own("save_map_path") or not self._localizer.places():
            return ""
        return self.save()

    def save(self) -> str:
        """Write the map to the folder that parameter 'save_map_path' names."""
        bundle = self.localizer.bundle()
        folder = self._save_folder()
        if self._growing is not None and self._growing.path == folder:
            error = self._growing.finish()
            if error:
                raise OutputError(error)
        else:
            save_map(folder, bundle)
        return f"map with {len(bundle.entries)} keyframes and {len(bundle.closures)} closures saved to {folder}"

    def load(self) -> str:
        """Begin anew with the map that parameter 'map' names now."""
        path = self._parameters.own("map")
        if not path:
            raise ConfigError("parameter 'map' is empty: set it to the folder of a map first")
        self.localizer  # noqa: B018  raises where the node is not configured
        self.begin()
        return f"map {path} loaded; searching for the place in it"

    def reset(self) -> str:
        """Begin anew, with the given map or with none."""
        self.localizer  # noqa: B018  raises where the node is not configured
        self.begin()
        path = self._parameters.own("map")
        return f"started anew in map {path}" if path else "started anew with an empty map"

    def relocalize(self) -> str:
        """Forget the place in the given map and search for it."""
        if not self._parameters.own("map"):
            raise MapError("there is no given map to search: set parameter 'map' and call ~/load_map")
        self.localizer.relocalize()
        return "searching for the place in the whole map"

    def hint(self, T_map_base: np.ndarray) -> None:
        """Compare the map near this pose first."""
        self.localizer.hint(T_map_base)

    def _start(self, known_map: MapBundle | None, *, extend: bool) -> None:
        localizer = Localizer(
            self._parameters.config,
            known_map=known_map,
            extend=extend and known_map is not None,
            remembered_poses=_REMEMBERED_POSES,
        )
        self._outputs.start(localizer, known_map)
        self._localizer, self._extend = localizer, extend
        wanted = known_map is None or extend  # localizing alone changes nothing
        self._growing = None
        self._growing_path = self._save_folder() if wanted and self._parameters.own("save_map_path") else None

    def _save_folder(self) -> Path:
        path = self._parameters.own("save_map_path")
        if not path:
            raise ConfigError("parameter 'save_map_path' is empty: set it to a folder first")
        return Path(path).expanduser()

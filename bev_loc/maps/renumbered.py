"""A map under other ids and sessions, so that it can stand beside another one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..records import Closure, Keyframe
from .contents import MapBundle


def renumbered(bundle: MapBundle, *, first_id: int, first_session: int) -> MapBundle:
    """The same map with ids from `first_id` and sessions from `first_session`; its keyframes stay where they are."""
    ids = {entry.id: first_id + n for n, entry in enumerate(bundle.entries)}
    sessions = {old: first_session + n for n, old in enumerate(sorted({entry.session for entry in bundle.entries}))}

    def moved(closure: Closure) -> Closure:
        return replace(closure, query_id=ids[closure.query_id], match_id=ids[closure.match_id])

    return replace(
        bundle,
        entries=tuple(replace(e, id=ids[e.id], session=sessions[e.session]) for e in bundle.entries),
        keyframes=_Renumbered(bundle.keyframes, {new: old for old, new in ids.items()}, sessions),
        closures=tuple(map(moved, bundle.closures)),
    )


class _Renumbered(Mapping[int, Keyframe]):
    """Keyframes under new ids, read when they are asked for."""

    def __init__(self, keyframes: Mapping[int, Keyframe], old_ids: dict[int, int], sessions: dict[int, int]) -> None:
        self._keyframes, self._old_ids, self._sessions = keyframes, old_ids, sessions
        self._last: Keyframe | None = None  # asked for again at once, it is to be the same object

    def __getitem__(self, id: int) -> Keyframe:
        if self._last is None or self._last.id != id:
            keyframe = self._keyframes[self._old_ids[id]]
            self._last = replace(keyframe, id=id, session=self._sessions[keyframe.session])
        return self._last

    def __iter__(self) -> Iterator[int]:
        return iter(self._old_ids)

    def __len__(self) -> int:
        return len(self._old_ids)

    def __contains__(self, id: object) -> bool:
        return id in self._old_ids

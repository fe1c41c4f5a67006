"""Two maps as one: the other's keyframes are searched in the first, verified, and both graphs are solved together.

Nothing is known of how the two lie to each other: several closures have to say the same.
"""

from collections import ChainMap, Counter
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from .config import Config
from .errors import EstimateError
from .geometry import se3
from .graph.consistency import INCONSISTENT, ConsistencyGate
from .graph.pose_graph import PoseGraph
from .maps.contents import MapBundle, check_alike
from .maps.renumbered import renumbered
from .place.index import PlaceIndex
from .place.submaps import Submaps
from .records import Closure, Keyframe
from .verify.verifier import Verifier

WITNESSES = 3  # keyframes of the other map whose closures agree on how the maps lie
_SLACK_M, _SLACK_RAD = 1.0, np.radians(5.0)  # of two closures that agree,
_BEND, _BEND_RAD_PER_M = 0.02, np.radians(0.02)  # and what either map may have bent, per metre between them
_FIT_M, _FIT_RAD = 1.0, np.radians(3.0)  # once solved together, a closure that is obeyed lies within
OUTVOTED = "outvoted by the graph"

_Places = dict[int, np.ndarray]  # (4, 4) by keyframe id
_Reasons = dict[tuple[int, int], str]  # what came of a candidate, by query and match


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined:
    """Both maps in the frame of the first."""

    bundle: MapBundle
    closures: tuple[Closure, ...]  # between the two
    counts: dict[str, int]  # of what was tried between them, by reason


def join(base: MapBundle, other: MapBundle, config: Config, advance: Callable[[], object] = lambda: None) -> Joined:
    """One map of two; ids and sessions of `other` follow those of `base`.

    MapError when they cannot be compared, EstimateError when they show no common place. `advance` is
    called once a keyframe of `other`.
    """
    check_alike(base, other)
    other = renumbered(
        other,
        first_id=1 + max((entry.id for entry in base.entries), default=-1),
        first_session=1 + max((entry.session for entry in base.entries), default=-1),
    )
    found, reasons = _meetings(base, other, config, advance)
    T_base_kf, T_other_kf = base.T_map_kf, other.T_map_kf
    agreeing = _agreeing(T_base_kf, T_other_kf, found)
    _say(reasons, found, agreeing, INCONSISTENT)
    _require_witnesses(agreeing, reasons)

    graph = PoseGraph(config.graph)
    _place(graph, base, np.eye(4))
    _place(graph, other, _T_base_other(T_base_kf, T_other_kf, agreeing[0]))
    for closure in (*base.closures, *other.closures, *agreeing):
        graph.add_closure(closure)
    graph.optimise()
    places = graph.places()
    obeyed = [closure for closure in agreeing if _fits(graph, closure)]
    _say(reasons, agreeing, obeyed, OUTVOTED)
    _require_witnesses(obeyed, reasons)

    kept = (*base.closures, *other.closures, *obeyed)
    entries = tuple(replace(entry, T_map_kf=places[entry.id]) for entry in (*base.entries, *other.entries))
    bundle = replace(base, entries=entries, keyframes=_beside(base.keyframes, other.keyframes), closures=kept)
    return Joined(bundle=bundle, closures=tuple(obeyed), counts=dict(sorted(Counter(reasons.values()).items())))


def _meetings(
    base: MapBundle, other: MapBundle, config: Config, advance: Callable[[], object]
) -> tuple[list[Closure], _Reasons]:
    """Closures from `other` into `base` that are consistent with each other along both drives, and what came of all."""
    index = PlaceIndex(len(base.entries[0].descriptor)) if base.entries else None
    if index is not None:
        index.extend([entry.id for entry in base.entries], [entry.descriptor for entry in base.entries])
    submaps = Submaps(base.keyframes.__getitem__, config.verify.submap_keyframes, config.keyframes.voxel_m)
    verifier, gate, graph = Verifier(config.verify, base.bev), ConsistencyGate(config.graph), PoseGraph(config.graph)
    _place(graph, base, np.eye(4))
    found: list[Closure] = []
    reasons: _Reasons = {}
    for entry in other.entries:
        graph.add_keyframe(entry.id, entry.T_odom_kf, entry.session)  # of an unknown place
        candidates = index.search(entry.id, entry.descriptor, config.place.candidates) if index is not None else []
        tried = verifier.verify_best(candidates, other.keyframes[entry.id], base.keyframes.__getitem__, submaps.submap_kf)
        for closure in tried:
            admission = gate.offer(closure, graph) if closure.accepted else None
            said = closure if admission is None or admission.refused is None else admission.refused
            reasons[closure.query_id, closure.match_id] = said.reason
            for admitted in admission.admitted if admission else ():
                reasons[admitted.query_id, admitted.match_id] = admitted.reason
                found.append(admitted)
        advance()
    return found, reasons


def _agreeing(T_base_kf: _Places, T_other_kf: _Places, found: list[Closure]) -> list[Closure]:
    """The largest set linked by agreement on how the maps lie, the one that most agree with first.

    Links, not one opinion: either map may bend against the other over a long way, hardly over a short one.
    """
    if not found:
        return []
    T_other_query = np.array([T_other_kf[closure.query_id] for closure in found])
    T_base_other = np.array([_T_base_other(T_base_kf, T_other_kf, closure) for closure in found])
    agree = np.array([_agree(T, T_base_other, T_query, T_other_query) for T, T_query in zip(T_base_other, T_other_query)])
    agree |= agree.T
    left, best = set(range(len(found))), [0]
    while left:
        linked, todo = [], [left.pop()]
        while todo:
            linked.append(todo.pop())
            fresh = left.intersection(np.flatnonzero(agree[linked[-1]]).tolist())
            todo += fresh
            left -= fresh
        best = max(best, linked, key=len)
    return [found[n] for n in sorted(best, key=lambda n: (-agree[n].sum(), n))]


def _agree(T_base_other: np.ndarray, others: np.ndarray, T_other_query: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """(N,) whether a closure's (4, 4) opinion puts each query (N, 4, 4) where that one's own opinion (N, 4, 4) does."""
    here, there = T_base_other @ queries, others @ queries
    apart_m = np.linalg.norm((queries - T_other_query)[:, :3, 3], axis=1)
    off_m = np.linalg.norm((here - there)[:, :3, 3], axis=1)
    cosine = (np.einsum("nij,nij->n", here[:, :3, :3], there[:, :3, :3]) - 1.0) / 2.0
    off_rad = np.arccos(np.clip(cosine, -1.0, 1.0))
    return (off_m <= _SLACK_M + _BEND * apart_m) & (off_rad <= _SLACK_RAD + _BEND_RAD_PER_M * apart_m)


def _T_base_other(T_base_kf: _Places, T_other_kf: _Places, closure: Closure) -> np.ndarray:
    """(4, 4) how the maps lie, as one closure has it."""
    return T_base_kf[closure.match_id] @ closure.T_match_query @ se3.inverse(T_other_kf[closure.query_id])


def _place(graph: PoseGraph, bundle: MapBundle, T_base_map: np.ndarray) -> None:
    """Every keyframe of a map where it stands, free to move."""
    for entry in bundle.entries:
        graph.add_map_keyframe(entry.id, entry.T_odom_kf, entry.session, T_base_map @ entry.T_map_kf, fixed=False)


def _beside(a: Mapping[int, Keyframe], b: Mapping[int, Keyframe]) -> Mapping[int, Keyframe]:
    """A view of both; nothing is read before it is asked for."""
    return ChainMap(cast(MutableMapping[int, Keyframe], a), cast(MutableMapping[int, Keyframe], b))


def _fits(graph: PoseGraph, closure: Closure) -> bool:
    misfit = graph.misfit(closure)
    return misfit is not None and misfit[0] <= _FIT_M and misfit[1] <= _FIT_RAD


def _say(reasons: _Reasons, before: list[Closure], after: list[Closure], reason: str) -> None:
    """Note why closures are no longer believed."""
    for closure in before:
        if closure not in after:
            reasons[closure.query_id, closure.match_id] = reason


def _require_witnesses(closures: list[Closure], reasons: _Reasons) -> None:
    witnesses = len({closure.query_id for closure in closures})
    if witnesses < WITNESSES:
        tried = ", ".join(f"{n} {reason}" for reason, n in Counter(reasons.values()).most_common()) or "no candidates"
        raise EstimateError(
            f"the maps do not meet: {witnesses} keyframes agree on how they lie to each other, {WITNESSES} are needed "
            f"(tried: {tried}); give maps that share a piece of road"
        )

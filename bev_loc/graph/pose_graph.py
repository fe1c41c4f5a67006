"""The pose graph: keyframes of one or several drives, joined by odometry and closures, and their places in the map."""

from dataclasses import dataclass

import numpy as np

from ..config import GraphConfig
from ..errors import EstimateError
from ..geometry import se3
from ..records import Closure, Fit
from .factor import Factor
from .solver import Solver

_MOST_WAITING = 5000  # keyframes of one session that hope for a place
_MIN_SIGMA_M, _MIN_SIGMA_RAD = 0.01, 2e-4  # of an odometry factor, however short


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """What the graph knows of a keyframe besides its place in the map."""

    T_odom_kf: np.ndarray
    session: int
    previous: int | None  # keyframe before it in its session
    path_m: float  # straight lines between the session's keyframes


class PoseGraph:
    """Places of keyframes in the map, from odometry and closures of one or several sessions.

    A session has no place until it is anchored (`anchor`); its keyframes and closures wait. With a
    `window`, all but the newest keyframes are frozen where they are: bounded cost while localizing.
    """

    def __init__(self, config: GraphConfig, *, window: int | None = None) -> None:
        self._config, self._window = config, window
        self._nodes: dict[int, Node] = {}
        self._last_of: dict[int, int] = {}  # session -> its newest keyframe
        self._T_map_odom: dict[int, np.ndarray] = {}  # session -> where it was anchored
        self._T_map_kf: dict[int, np.ndarray] = {}
        self._fixed: set[int] = set()
        self._free: set[int] = set()  # placed, and may move
        self._own: set[int] = set()  # keyframes that did not come with a map
        self._factors: list[Factor] = []  # between keyframes that have a place
        self._new_closures: list[Factor] = []  # since the last optimisation, both ends with a place
        self._waiting: list[Factor] = []  # closures with an end that has none yet
        self._closures: list[Closure] = []
        self._solver = Solver(config.robust_width)

    @property
    def closures(self) -> tuple[Closure, ...]:
        """Every closure in the graph, in order of arrival."""
        return tuple(self._closures)

    def node(self, id: int) -> Node:
        """What is known of keyframe `id` besides its place."""
        return self._nodes[id]

    def T_map_kf(self, id: int) -> np.ndarray | None:
        """The (4, 4) place of a keyframe; None while its session has none."""
        return self._T_map_kf.get(id)

    def places(self) -> dict[int, np.ndarray]:
        """Every place, by id ascending."""
        return {id: self._T_map_kf[id] for id in sorted(self._T_map_kf)}

    def add_map_keyframe(self, id: int, T_odom_kf: np.ndarray, session: int, T_map_kf: np.ndarray, *, fixed: bool) -> None:
        """A keyframe of a loaded map, where the map has it; `fixed` ones never move."""
        self._insert(id, T_odom_kf, session)
        self._place(id, T_map_kf, fixed=fixed)

    def add_keyframe(self, id: int, T_odom_kf: np.ndarray, session: int) -> None:
        """The next keyframe of a session; placed by odometry when the session has a place."""
        previous = self._insert(id, T_odom_kf, session).previous
        self._own.add(id)
        if previous is not None and previous in self._T_map_kf:
            T_previous_kf = se3.inverse(self._nodes[previous].T_odom_kf) @ T_odom_kf
            self._place(id, self._T_map_kf[previous] @ T_previous_kf, fixed=False)
        elif session in self._T_map_odom:
            self._place(id, self._T_map_odom[session] @ T_odom_kf, fixed=False)

    def anchor(self, session: int, T_map_odom: np.ndarray) -> None:
        """Give a session its place: its keyframes, so far and to come, and the closures that waited for it."""
        _require_finite(T_map_odom, f"the place of session {session}")
        self._T_map_odom[session] = T_map_odom
        for id, node in self._nodes.items():
            if node.session == session and id not in self._T_map_kf:
                self._place(id, T_map_odom @ node.T_odom_kf, fixed=False)
        waiting, self._waiting = self._waiting, []
        for factor in waiting:
            self._enter(factor)

    def add_closure(self, closure: Closure) -> None:
        """A verified closure; it counts at the next `optimise`."""
        _require_finite(closure.T_match_query, f"closure {closure.query_id} -> {closure.match_id}")
        for id in (closure.query_id, closure.match_id):
            if id not in self._nodes:
                raise EstimateError(f"closure {closure.query_id} -> {closure.match_id}: keyframe {id} is not in the graph")
        self._closures.append(closure)
        factor = Factor(
            a=closure.match_id,
            b=closure.query_id,
            T_a_b=closure.T_match_query,
            covariance=closure_covariance(closure.information, self._config),
            robust=True,
        )
        self._enter(factor)

    def misfit(self, closure: Closure) -> tuple[float, float] | None:
        """Metres and radians between a closure and the graph's present places; None if an end has none."""
        T_map_match, T_map_query = self.T_map_kf(closure.match_id), self.T_map_kf(closure.query_id)
        if T_map_match is None or T_map_query is None:
            return None
        return se3.distance(T_map_match @ closure.T_match_query, T_map_query)

    def optimise(self) -> None:
        """Let the closures that arrived have their say in every place.

        Without new closures odometry alone placed the newest keyframes, which is already optimal.
        """
        if self._new_closures:
            fixed = {id: self._T_map_kf[id] for id in self._needed_fixed()}
            free = {id: self._T_map_kf[id] for id in sorted(self._free)}
            self._T_map_kf |= self._solver.solve(free, fixed, self._factors, self._new_closures)
            self._new_closures = []
        if self._window is not None:
            self._freeze_old(self._window)

    def retire(self, session: int) -> dict[int, np.ndarray | None]:
        """Keyframes of this drive that nothing will move any more, forgotten here: their T_map_kf, None without a place.

        Only with a `window`, and only keyframes that did not come with the map; `session` is the present one.
        """
        if self._window is None:
            return {}
        needed = self._needed_fixed() | set(self._last_of.values())
        gone: dict[int, np.ndarray | None] = {}
        waiting = 0
        for id in sorted(self._own, reverse=True):
            placed, here = id in self._T_map_kf, self._nodes[id].session == session
            waiting += here and not placed
            hopeless = not placed and (not here or waiting > _MOST_WAITING)
            if id not in needed and (id in self._fixed or hopeless):
                gone[id] = self._T_map_kf.pop(id, None)
        self._last_of = {s: id for s, id in self._last_of.items() if s == session or id not in self._own}
        if gone:
            for id in gone:
                del self._nodes[id]
            self._own -= gone.keys()
            self._fixed -= gone.keys()
            self._waiting = [f for f in self._waiting if f.a not in gone and f.b not in gone]
            self._closures = [c for c in self._closures if c.query_id not in gone and c.match_id not in gone]
        return dict(sorted(gone.items()))

    def _insert(self, id: int, T_odom_kf: np.ndarray, session: int) -> Node:
        _require_finite(T_odom_kf, f"keyframe {id}")
        if id in self._nodes:
            raise EstimateError(f"keyframe {id} is already in the graph; ids must be unique")
        previous = self._last_of.get(session)
        path_m = 0.0
        if previous is not None:
            before = self._nodes[previous]
            path_m = before.path_m + se3.distance(before.T_odom_kf, T_odom_kf)[0]
        self._last_of[session] = id
        self._nodes[id] = Node(T_odom_kf=T_odom_kf, session=session, previous=previous, path_m=path_m)
        return self._nodes[id]

    def _place(self, id: int, T_map_kf: np.ndarray, *, fixed: bool) -> None:
        """`id` is at T_map_kf for now, and tied to the keyframe before it by odometry."""
        _require_finite(T_map_kf, f"the place of keyframe {id}")
        self._T_map_kf[id] = T_map_kf
        if fixed:
            self._fixed.add(id)
            return
        self._free.add(id)
        previous = self._nodes[id].previous
        if previous is not None and previous in self._T_map_kf:
            T_a_b = se3.inverse(self._nodes[previous].T_odom_kf) @ self._nodes[id].T_odom_kf
            covariance = odometry_covariance(T_a_b, self._config)
            self._factors.append(Factor(a=previous, b=id, T_a_b=T_a_b, covariance=covariance, robust=False))

    def _enter(self, factor: Factor) -> None:
        if factor.a not in self._T_map_kf or factor.b not in self._T_map_kf:
            self._waiting.append(factor)
        elif factor.a not in self._fixed or factor.b not in self._fixed:
            self._factors.append(factor)
            self._new_closures.append(factor)

    def _needed_fixed(self) -> set[int]:
        """Fixed keyframes that a factor refers to."""
        return {id for factor in self._factors for id in (factor.a, factor.b) if id in self._fixed}

    def _freeze_old(self, window: int) -> None:
        old = sorted(self._free)[:-window]
        self._free.difference_update(old)
        self._fixed.update(old)
        self._factors = [f for f in self._factors if f.a not in self._fixed or f.b not in self._fixed]


def odometry_covariance(T_a_b: np.ndarray, config: GraphConfig) -> np.ndarray:
    """(6, 6) of an odometry factor: sigmas grow with the distance driven, above a small floor."""
    distance_m = float(np.linalg.norm(T_a_b[:3, 3]))
    sigma_rad = max(np.radians(config.odometry_sigma_deg) * distance_m, _MIN_SIGMA_RAD)
    sigma_m = max(config.odometry_sigma_m * distance_m, _MIN_SIGMA_M)
    return np.diag(np.repeat([sigma_rad**2, sigma_m**2], 3))


def covariance_since(fit: Fit, T_odom_base: np.ndarray, config: GraphConfig) -> np.ndarray:
    """(6, 6) of T_map_base now, right perturbation: the fit's, carried along, plus that of the odometry since."""
    T_then_now = se3.inverse(fit.T_odom_base) @ T_odom_base
    carry = se3.adjoint(se3.inverse(T_then_now))
    return carry @ fit.covariance @ carry.T + odometry_covariance(T_then_now, config)


def closure_covariance(information: np.ndarray | None, config: GraphConfig) -> np.ndarray:
    """(6, 6) of a closure: what the registration says, plus the floors that it cannot know of.

    Directions without information (a tunnel's axis; height in planar evidence) get a huge variance.
    """
    floor = np.diag(np.repeat([np.radians(config.closure_sigma_deg) ** 2, config.closure_sigma_m**2], 3))
    if information is None or not np.isfinite(information).all():
        return floor
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    return vectors @ np.diag(1.0 / np.clip(values, 1e-6, None)) @ vectors.T + floor


def _require_finite(T: np.ndarray | None, what: str) -> None:
    if T is None or T.shape != (4, 4) or not np.isfinite(T).all():
        raise EstimateError(f"{what}: expected a finite 4 x 4 pose, got {T!r}")

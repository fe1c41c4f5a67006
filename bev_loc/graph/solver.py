"""Least squares on poses (GTSAM): a batch solution from far away, iSAM2 from near by. Nothing else imports gtsam.

GTSAM's Pose3 tangent is rotation first with right perturbation, as everywhere here, so covariances
pass through unchanged.
"""

from collections.abc import Iterable

import gtsam
import numpy as np

from ..geometry import se3, so3
from .condensed import Chains, spread
from .factor import Factor

_ANNEAL = 8.0  # by which the kernel narrows from pass to pass
_FAR = 4.0  # kernel widths: a closure farther from the estimate is pulled in by a batch solution
_RELINEARISE = 0.02  # radians and metres by which a pose moves before iSAM2 linearises again
_TIGHT = 1e-4  # of the prior on the pose that holds the map


class Solver:
    """Places that fit the factors best. The same calls give the same bytes."""

    def __init__(self, robust_width: float) -> None:
        self._width = robust_width
        self._chains = Chains()
        self._isam: gtsam.ISAM2 | None = None
        self._entered = 0  # factors that iSAM2 has
        self._known: set[int] = set()  # poses that iSAM2 has

    def solve(
        self, places: dict[int, np.ndarray], fixed: dict[int, np.ndarray], factors: list[Factor], new: list[Factor]
    ) -> dict[int, np.ndarray]:
        """Better places for the ids in `places`; `fixed` ones, the map's, stay. `new` are closures not yet obeyed.

        Without fixed ones the first pose holds the map. Should the system be indeterminate, `places`
        come back as they were.
        """
        farthest = max((whitened_norm(f, places | fixed) for f in new), default=0.0) if new else 0.0
        if fixed:
            return self._batch(places, fixed, factors, farthest)
        solved = None
        if self._isam is not None and farthest <= _FAR * self._width:
            solved = self._increment(places, factors)
        if solved is None:
            solved = self._batch(places, fixed, factors, farthest)
            self._isam, self._entered, self._known = _new_isam(), 0, set()
            solved = self._increment(solved, factors) or solved
        return solved

    def _increment(self, places: dict[int, np.ndarray], factors: list[Factor]) -> dict[int, np.ndarray] | None:
        """What is new goes into iSAM2; None when that gave no finite answer."""
        graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
        if not self._known:
            graph.add(_held(min(places), places))
        for id in places:
            if id not in self._known:
                values.insert(id, _pose3(places[id]))
        for factor in factors[self._entered :]:
            graph.add(_gtsam_factor(factor, {}, self._width))
        try:
            self._isam.update(graph, values)
            self._isam.update()  # once more: a kernel's weights follow its residuals
            result = self._isam.calculateEstimate()
        except RuntimeError:  # indeterminate: iSAM2 is unusable from here on
            self._isam = None
            return None
        self._known |= set(places)
        self._entered = len(factors)
        return _finite_places(result, places)

    def _batch(
        self, places: dict[int, np.ndarray], fixed: dict[int, np.ndarray], factors: list[Factor], farthest: float
    ) -> dict[int, np.ndarray]:
        """All places solved for at once; as they came when the system is indeterminate.

        Where nothing is fixed the whole map may move, and only the ends of its closures are solved for.
        """
        chains, others = ([], factors) if fixed else self._chains.of(factors, keep={min(places)})
        factors = [*(chain.whole for chain in chains), *others]
        joints = {id for factor in factors for id in (factor.a, factor.b)} if chains else places.keys()
        solved = self._annealed({id: T for id, T in places.items() if id in joints}, fixed, factors, farthest)
        if solved is None:
            return places
        for chain in chains:
            solved |= spread(chain, solved)
        return {id: solved.get(id, T) for id, T in places.items()}

    def _annealed(
        self, places: dict[int, np.ndarray], fixed: dict[int, np.ndarray], factors: list[Factor], farthest: float
    ) -> dict[int, np.ndarray] | None:
        """Levenberg-Marquardt with a kernel that narrows (graduated non-convexity); None when that gave no finite answer.

        New closures may lie far from the drifted estimate, where the kernel alone would hardly pull:
        it starts as wide as the farthest.
        """
        width = max(farthest, self._width)
        while True:
            graph, start = gtsam.NonlinearFactorGraph(), gtsam.Values()
            for id, T in places.items():
                start.insert(id, _pose3(T))
            if not fixed:
                graph.add(_held(min(places), places))
            for factor in factors:
                graph.add(_gtsam_factor(factor, fixed, width))
            parameters = gtsam.LevenbergMarquardtParams()
            parameters.setMaxIterations(30)
            parameters.setRelativeErrorTol(1e-5)
            try:
                solved = _finite_places(gtsam.LevenbergMarquardtOptimizer(graph, start, parameters).optimize(), places)
            except RuntimeError:  # an indeterminate system
                return None
            if solved is None or width <= self._width:
                return solved
            places, width = solved, max(width / _ANNEAL, self._width)


def whitened_norm(factor: Factor, places: dict[int, np.ndarray]) -> float:
    """How many sigmas the places lie from what `factor` measured."""
    error = se3.log(se3.inverse(factor.T_a_b) @ se3.inverse(places[factor.a]) @ places[factor.b])
    return float(np.sqrt(error @ np.linalg.solve(factor.covariance, error)))


def _new_isam() -> gtsam.ISAM2:
    parameters = gtsam.ISAM2Params()
    parameters.setRelinearizeThreshold(_RELINEARISE)
    parameters.relinearizeSkip = 1
    return gtsam.ISAM2(parameters)


def _held(id: int, places: dict[int, np.ndarray]) -> gtsam.PriorFactorPose3:
    return gtsam.PriorFactorPose3(id, _pose3(places[id]), gtsam.noiseModel.Isotropic.Sigma(6, _TIGHT))


def _gtsam_factor(factor: Factor, fixed: dict[int, np.ndarray], width: float) -> gtsam.NonlinearFactor:
    """A between factor; a prior on the free end where the other is fixed."""
    noise = gtsam.noiseModel.Gaussian.Covariance(factor.covariance)
    if factor.robust:
        noise = gtsam.noiseModel.Robust.Create(gtsam.noiseModel.mEstimator.Cauchy.Create(width), noise)
    if factor.a in fixed:
        return gtsam.PriorFactorPose3(factor.b, _pose3(fixed[factor.a] @ factor.T_a_b), noise)
    if factor.b in fixed:  # the noise belongs to the other end; a drive back into the map makes this rare
        return gtsam.PriorFactorPose3(factor.a, _pose3(fixed[factor.b] @ se3.inverse(factor.T_a_b)), noise)
    return gtsam.BetweenFactorPose3(factor.a, factor.b, _pose3(factor.T_a_b), noise)


def _finite_places(values: gtsam.Values, ids: Iterable[int]) -> dict[int, np.ndarray] | None:
    """(4, 4) poses by id, all of those in `values`; None when one is not finite."""
    table = gtsam.utilities.extractPose3(values)  # rows by key: R row by row, then t
    if not np.isfinite(table).all():
        return None
    poses = np.tile(np.eye(4), (len(table), 1, 1))
    poses[:, :3, :3] = table[:, :9].reshape(-1, 3, 3)
    poses[:, :3, 3] = table[:, 9:]
    return dict(zip(sorted(ids), poses, strict=True))


def _pose3(T: np.ndarray) -> gtsam.Pose3:
    x, y, z, w = so3.to_quat_xyzw(np.ascontiguousarray(T[:3, :3]))  # exactly a rotation, whatever rounding did
    return gtsam.Pose3(gtsam.Rot3.Quaternion(w, x, y, z), T[:3, 3])

"""A chain of odometry counts as one measurement, and what its ends say of it reaches its middle as if all were solved for."""

import numpy as np
from scipy.optimize import least_squares

from bev_loc.config import GraphConfig
from bev_loc.geometry import se3
from bev_loc.graph.condensed import Chains, spread
from bev_loc.graph.factor import Factor
from bev_loc.graph.pose_graph import odometry_covariance

CONFIG = GraphConfig()


def _odometry(count: int, seed: int = 0) -> list[Factor]:
    """Steps of unequal length, turning."""
    rng = np.random.default_rng(seed)
    steps = [se3.exp(np.array([0.0, 0.02, rng.normal(0, 0.2), rng.uniform(0.5, 4.0), 0.1, 0.0])) for _ in range(count)]
    return [
        Factor(a=n, b=n + 1, T_a_b=T, covariance=odometry_covariance(T, CONFIG), robust=False) for n, T in enumerate(steps)
    ]


def _closure(a: int, b: int) -> Factor:
    return Factor(a=a, b=b, T_a_b=np.eye(4), covariance=np.eye(6), robust=True)


def test_chains_end_where_closures_do() -> None:
    closures = [_closure(2, 9), _closure(5, 11)]
    chains, others = Chains().of([*_odometry(12), *closures], keep={0})
    assert [chain.ids for chain in chains] == [(0, 1, 2), (2, 3, 4, 5), (5, 6, 7, 8, 9), (9, 10, 11), (11, 12)]
    assert others == closures


def test_sessions_have_chains_of_their_own() -> None:
    first, second = _odometry(4), _odometry(3)
    second = [Factor(a=f.a + 10, b=f.b + 10, T_a_b=f.T_a_b, covariance=f.covariance, robust=False) for f in second]
    chains, _ = Chains().of([*first, *second, _closure(2, 12)], keep={0})
    assert [chain.ids for chain in chains] == [(0, 1, 2), (2, 3, 4), (10, 11, 12), (12, 13)]


def test_a_chain_that_is_still_there_is_not_composed_again() -> None:
    chains, factors = Chains(), [*_odometry(12), _closure(3, 9)]
    before, _ = chains.of(factors, keep={0})
    after, _ = chains.of([*factors, _closure(1, 12)], keep={0})
    assert after[2] is before[1] and after[2].ids[0] == 3 and after[0].ids == (0, 1)


def test_what_the_ends_disagree_with_a_chain_is_spread_as_a_full_solution_spreads_it() -> None:
    factors = _odometry(10)
    (chain,), _ = Chains().of(factors, keep={0})
    last = chain.whole.T_a_b @ se3.exp(np.array([0.004, -0.003, 0.02, 0.15, -0.2, 0.1]))
    roots = [np.linalg.inv(np.linalg.cholesky(factor.covariance)) for factor in factors]
    begun = [np.eye(4), *chain.T_first_id[:-1], last]

    def poses(steps: np.ndarray) -> list[np.ndarray]:
        moved = [T @ se3.exp(step) for T, step in zip(begun[1:-1], steps.reshape(-1, 6))]
        return [begun[0], *moved, last]

    def errors(steps: np.ndarray) -> np.ndarray:
        at = poses(steps)
        return np.concatenate(
            [root @ se3.log(se3.inverse(f.T_a_b) @ se3.inverse(at[f.a]) @ at[f.b]) for root, f in zip(roots, factors)]
        )

    full = poses(least_squares(errors, np.zeros(54), x_scale="jac").x)
    inside = spread(chain, {0: np.eye(4), 10: last})
    off = [se3.distance(full[id], T) for id, T in inside.items()]
    assert sorted(inside) == list(range(1, 10))
    assert np.max(off, axis=0)[0] < 0.005 and np.max(off, axis=0)[1] < 5e-4
    assert max(se3.distance(T, chain.T_first_id[id - 1])[0] for id, T in inside.items()) > 0.1  # they did move

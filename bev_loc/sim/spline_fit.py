"""Least-squares splines over values and derivatives at once: a fixed-interval smoother in one linear solve."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from scipy.linalg import solveh_banded

DEGREE = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """Values of the curve or one of its derivatives, with one standard deviation for all."""

    t_s: np.ndarray  # (M,)
    order: int  # 0 the value, 1 its first derivative, ...
    values: np.ndarray  # (M, D)
    sigma: float


def fit(duration_s: float, knot_s: float, observed: list[Observed], roughness: Observed) -> BSpline:
    """The quintic spline on [0, duration] that fits all observations best.

    `roughness` says what is expected of a high derivative everywhere (zero, with its spread): it bridges gaps.
    """
    inner = np.linspace(0.0, duration_s, max(2, round(duration_s / knot_s) + 1))
    knots = np.concatenate([np.full(DEGREE, 0.0), inner, np.full(DEGREE, duration_s)])
    count = len(knots) - DEGREE - 1
    normal = sparse.csc_matrix((count, count))
    right = np.zeros((count, observed[0].values.shape[1]))
    for rows in [*observed, roughness]:
        design = _design(np.clip(rows.t_s, 0.0, duration_s), knots, rows.order)
        normal = normal + design.T @ design / rows.sigma**2
        right += design.T @ rows.values / rows.sigma**2
    bands = np.zeros((DEGREE + 1, count))
    for k in range(DEGREE + 1):
        bands[DEGREE - k, k:] = normal.diagonal(k)
    return BSpline(knots, solveh_banded(bands, right), DEGREE)


def rough(duration_s: float, step_s: float, order: int, dimensions: int, sigma: float) -> Observed:
    """Zero for a derivative, at even times."""
    t = np.arange(0.0, duration_s, step_s)
    return Observed(t_s=t, order=order, values=np.zeros((len(t), dimensions)), sigma=sigma)


def _design(t: np.ndarray, knots: np.ndarray, order: int) -> sparse.csr_matrix:
    """(M, K) matrix that takes coefficients to values of a derivative (de Boor 1978, chapter X)."""
    degree, chain, shorter = DEGREE, None, knots
    for _ in range(order):
        n = len(shorter) - degree - 1
        span = shorter[degree + 1 : degree + n] - shorter[1:n]
        weight = degree / span
        step = sparse.diags([-weight, weight], [0, 1], shape=(n - 1, n))
        chain = step if chain is None else step @ chain
        degree, shorter = degree - 1, shorter[1:-1]
    basis = BSpline.design_matrix(t, shorter, degree)
    return sparse.csr_matrix(basis if chain is None else basis @ chain)

"""What was measured between two poses."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Factor:
    """T_a_b was measured, with this covariance; a `robust` one may be wrong."""

    a: int
    b: int
    T_a_b: np.ndarray  # (4, 4)
    covariance: np.ndarray  # (6, 6)
    robust: bool

"""A keyframe from above: where one scan saw upright structure, and where another scan lies by it.

A map image knows a place only after some views of it, and what it learnt of open country before the speed was known is off
by that. One scan is not: its trees, posts and masts, whatever their shape, are found again within a centimetre or two
over some metres of driving, by all of them at once, with the rings of any lidar. It stands where BEV-LIO (arXiv 2502.19242)
has features of the last keyframe's image; a heading that is considered and not estimated is Schmidt's (1966).
"""

from dataclasses import dataclass

import numpy as np

from .upright import Seen, preference, searching

_STEP_M = 0.1  # between trials along the way
_LEAST_M, _MOST_M, _DEVIATIONS = 0.2, 1.5, 3.0  # that are tried: so many deviations of the prediction, within limits
_GRID_M = 0.15 * np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), -1).reshape(-1, 2)  # (25, 2) about the best trial
_ROUNDS = 2  # of fitting a paraboloid, each about the last one's summit
_SIGMA_M = 0.01  # what two scans see of one structure differs by so much
_NEAR_M, _FAR_M = 0.05, 15.0  # driven since the keyframe
_GATE = 9.21  # squared Mahalanobis length at 99 % of two degrees of freedom
_SURE = 3.0  # deviations by which a scan agrees better elsewhere, from which on a prediction that forbids it is wrong


def _paraboloid(steps: np.ndarray) -> np.ndarray:
    """(6, N) from values at (N, 2) steps to the least squares of value, slopes x and y, bends xx, xy and yy at none."""
    x, y = steps.T
    return np.linalg.pinv(np.stack([np.ones_like(x), x, y, 0.5 * x * x, x * y, 0.5 * y * y], axis=1))


_FIT = _paraboloid(_GRID_M)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """Where a scan lies by a keyframe: its x and y off a predicted pose, in odom axes; a residual of two metres."""

    T_odom_body: np.ndarray  # (4, 4) predicted
    off_m: np.ndarray  # (2,)
    covariance_m2: np.ndarray  # (2, 2)

    def residual_m(self, T_odom_body: np.ndarray) -> np.ndarray:
        """(2,) of a pose near the predicted one."""
        return T_odom_body[:2, 3] - self.T_odom_body[:2, 3] - self.off_m

    def jacobian(self, T_odom_body: np.ndarray) -> np.ndarray:
        """(2, 6) of the residual by the right perturbation."""
        return np.concatenate([np.zeros((2, 3)), T_odom_body[:2, :3]], axis=1)

    def linearise(self, T_odom_body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hessian (6, 6) and gradient (6,)."""
        jacobian = self.jacobian(T_odom_body)
        weighed = jacobian.T @ np.linalg.inv(self.covariance_m2)
        return weighed @ jacobian, weighed @ self.residual_m(T_odom_body)

    def is_plausible(self, covariance: np.ndarray) -> bool:
        """Whether a prediction of this covariance (6, 6) allows it."""
        jacobian = self.jacobian(self.T_odom_body)
        expected = self.covariance_m2 + jacobian @ covariance @ jacobian.T
        return float(self.off_m @ np.linalg.solve(expected, self.off_m)) < _GATE


class Keyframe:
    """Upright points of a scan, and the pose that they were seen from."""

    def __init__(self, upright_odom: np.ndarray, T_odom_body: np.ndarray, ahead_body: np.ndarray) -> None:
        """upright_odom: (N, 3), as `upright.to_search` chooses them; ahead_body: (3,) the way that the vehicle drives."""
        self._seen = Seen(upright_odom)
        self._t_odom, self._ahead_body = T_odom_body[:3, 3], ahead_body

    def reaches(self, T_odom_body: np.ndarray) -> bool:
        """Whether a scan at this pose is near enough to be compared."""
        return float(np.linalg.norm(T_odom_body[:3, 3] - self._t_odom)) < _FAR_M

    def place(self, points_odom: np.ndarray, T_odom_body: np.ndarray, covariance: np.ndarray) -> Placed | None:
        """Where a scan (N, 3), seen from a predicted pose of this covariance (6, 6), lies; None if it does not tell.

        A prediction that does not allow it is believed, unless the scan agrees much better where it was found.
        """
        if np.linalg.norm(T_odom_body[:3, 3] - self._t_odom) < _NEAR_M:
            return None
        ahead_odom = T_odom_body[:3, :3] @ self._ahead_body
        some_odom = points_odom[searching(points_odom, ahead_odom)]
        found = self.place_upright(some_odom, T_odom_body, covariance)
        if found is None or found.is_plausible(covariance):
            return found
        better = preference(self._agreement(some_odom, found.off_m), self._agreement(some_odom, np.zeros(2)))
        return found if better > _SURE else None

    def place_upright(self, some_odom: np.ndarray, T_odom_body: np.ndarray, covariance: np.ndarray) -> Placed | None:
        """The same by (M, 3) points that `upright.searching` chose, whether the prediction allows it or not.

        The sum of the points' agreements is sampled around its highest place along the way; paraboloids through each point's
        own samples add up to its slope and bend, and their scatter is the sum's. What the heading may be off turns
        the points, and is told by others: it adds to the covariance, and is not estimated (as in a Schmidt-Kalman filter).
        """
        way = (T_odom_body[:3, :3] @ self._ahead_body)[:2]
        sigma_m = float(np.sqrt(self._ahead_body @ covariance[3:, 3:] @ self._ahead_body))
        trials = int(np.clip(_DEVIATIONS * sigma_m, _LEAST_M, _MOST_M) / _STEP_M)
        steps_m = _STEP_M * np.arange(-trials, trials + 1)[:, None] * way
        step_m = steps_m[np.argmax([self._agreement(some_odom, step).sum() for step in steps_m])]
        for _ in range(_ROUNDS):
            _, *slopes, xx, xy, yy = _FIT @ [self._agreement(some_odom, step_m + step) for step in _GRID_M]
            slopes, bends = np.array(slopes), np.array([[xx, xy], [xy, yy]])  # (2, M), (2, 2, M)
            bend = bends.sum(2)
            if not np.linalg.eigvalsh(bend)[-1] < 0.0:  # no summit
                return None
            uncurved = np.linalg.inv(bend)
            further_m = -uncurved @ slopes.sum(1)
            step_m = step_m + np.clip(further_m, -_GRID_M.max(), _GRID_M.max())
        if np.abs(further_m).max() > _GRID_M.max():
            return None
        arms_m = (some_odom[:, 1::-1] - T_odom_body[1::-1, 3]) * (-1.0, 1.0)  # (M, 2) per rad
        per_heading_m = uncurved @ np.einsum("abm,mb->a", bends, arms_m)
        heading_2 = float(T_odom_body[2, :3] @ covariance[:3, :3] @ T_odom_body[2, :3])
        return Placed(
            T_odom_body=T_odom_body,
            off_m=step_m,
            covariance_m2=uncurved @ (slopes @ slopes.T) @ uncurved
            + heading_2 * np.outer(per_heading_m, per_heading_m)
            + _SIGMA_M**2 * np.eye(2),
        )

    def _agreement(self, points_odom: np.ndarray, step_m: np.ndarray) -> np.ndarray:
        return self._seen.agreement(points_odom + np.append(step_m, 0.0).astype(np.float32))

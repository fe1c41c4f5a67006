"""BEV residuals: pixels of the scan's image matched to the local map's image, as normal equations of the pose.

The correct form of BEV-LIO's residual (arXiv 2502.19242): metres on both sides, map pixels lifted by their
mean height, the scan's pixel in the fixed axes its image was made with. Of each only the part across the surface
that the pixel shows counts: along a wall every pixel looks like the next.
"""

from dataclasses import dataclass, replace

import numpy as np

SIGMA_M = 0.03  # that pixels of one scan share, and of what two scans see of one surface
_KERNEL_M = 0.1
_INDEPENDENT = 40.0  # matches' worth of information at most in any direction
_GATE = 6.63  # squared Mahalanobis length at 99 % of one degree of freedom


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BevMatches:
    """N places of the map with where, in metres, the scan's image shows them, and which way they face."""

    points_odom: np.ndarray  # (N, 3) centroids of map pixels, lifted by their mean height
    seen_xy: np.ndarray  # (N, 2) metres in the image's axes from the body's origin
    normals_xy: np.ndarray  # (N, 2) in the image's axes, of unit length
    sigmas_m: np.ndarray  # (N,) of the centroids across
    R_level_body: np.ndarray  # (3, 3) the fixed turn with which the scan's image was made

    def facing(self, directions_body: np.ndarray, cosine: float) -> "BevMatches":
        """The matches whose surfaces face along one of (3, D) unit directions."""
        seen_from_above = (self.R_level_body @ directions_body)[:2]
        return self._subset((np.abs(self.normals_xy @ seen_from_above) > cosine).any(1))

    def gated(self, T_odom_body: np.ndarray, covariance: np.ndarray) -> "BevMatches":
        """The matches that a pose with this covariance (6, 6) makes plausible."""
        residuals, jacobians = self.residuals(T_odom_body)
        expected = np.einsum("ni,ij,nj->n", jacobians, covariance, jacobians) + self.sigmas_m**2 + SIGMA_M**2
        return self._subset(residuals**2 < _GATE * expected)

    def _subset(self, kept: np.ndarray) -> "BevMatches":
        return replace(
            self, points_odom=self.points_odom[kept], seen_xy=self.seen_xy[kept], normals_xy=self.normals_xy[kept],
            sigmas_m=self.sigmas_m[kept],
        )  # fmt: skip

    def residuals(self, T_odom_body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) metres across the surface from seen to expected, and (N, 6) their Jacobians by the right perturbation.

        l = R_level_body s with s = R_odom_body^T (W - p): dl = R_level_body ([s]x dtheta - dt), first two rows, along
        the normal.
        """
        points_body = (self.points_odom - T_odom_body[:3, 3]) @ T_odom_body[:3, :3]
        expected = points_body @ self.R_level_body.T
        normals_body = self.normals_xy @ self.R_level_body[:2]
        jacobians = np.concatenate([np.cross(normals_body, points_body), -normals_body], axis=1)
        return np.einsum("na,na->n", self.normals_xy, expected[:, :2] - self.seen_xy), jacobians

    def linearise(self, T_odom_body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hessian (6, 6) and gradient (6,) with a Cauchy kernel, capped at what independent matches would tell."""
        if not len(self.seen_xy):
            return np.zeros((6, 6)), np.zeros(6)
        residuals, jacobians = self.residuals(T_odom_body)
        weights = 1.0 / (1.0 + (residuals / _KERNEL_M) ** 2) / (SIGMA_M**2 + self.sigmas_m**2)
        told = np.einsum("n,na,nb->ab", weights, self.normals_xy, self.normals_xy) * SIGMA_M**2
        facing_alike = np.einsum("na,ab,nb->n", self.normals_xy, told, self.normals_xy)  # matches' worth
        weights *= np.minimum(1.0, _INDEPENDENT / facing_alike)
        hessian = np.einsum("n,ni,nj->ij", weights, jacobians, jacobians)
        return hessian, np.einsum("n,ni,n->i", weights, jacobians, residuals)

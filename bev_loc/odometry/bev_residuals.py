"""BEV residuals: pixels of the scan's image matched to the local map's image, as normal equations of the pose.

The correct form of BEV-LIO's residual (arXiv 2502.19242): metres on both sides, map pixels lifted by their
mean height, the scan's pixel in the fixed axes its image was made with.
"""

from dataclasses import dataclass

import numpy as np

from ..geometry import so3

SIGMA_M = 0.25  # of one pixel match per axis: quantisation and what the two images saw differently
_KERNEL_M = 0.5
_INDEPENDENT = 20.0  # matches' worth of information at most: neighbours share quantisation and scene
_AGREE_M = 0.4  # a pixel
_FEW, _MOST = 8, 0.6  # fewer matches, or a smaller share of them that agrees, are chance
_GATE = 9.21  # squared Mahalanobis length at 99 % of two degrees of freedom


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BevMatches:
    """N places of the map with the pixels, in metres, at which the scan's image shows them."""

    points_odom: np.ndarray  # (N, 3) map pixels, lifted by their mean height
    seen_xy: np.ndarray  # (N, 2) metres in the image's axes from the body's origin
    R_level_body: np.ndarray  # (3, 3) the fixed turn with which the scan's image was made

    def gated(self, T_odom_body: np.ndarray, covariance: np.ndarray) -> "BevMatches":
        """The matches that a pose with this covariance (6, 6) makes plausible."""
        residuals, jacobians = self.residuals(T_odom_body)
        expected = jacobians @ covariance @ jacobians.transpose(0, 2, 1) + SIGMA_M**2 * np.eye(2)
        distance_2 = np.einsum("ni,nij,nj->n", residuals, np.linalg.inv(expected), residuals)
        return self._subset(distance_2 < _GATE)

    def agreeing(self, T_odom_body: np.ndarray) -> "BevMatches":
        """The matches that tell the same shift of the image, if they are the most and not few; else none.

        Where a tunnel or a hedge repeats itself, a handful of patches is found a pixel or two off, each elsewhere.
        """
        residuals, _ = self.residuals(T_odom_body)
        if len(residuals) < _FEW:
            return self._subset(np.zeros(len(residuals), bool))
        kept = (np.abs(residuals - np.median(residuals, axis=0)) < _AGREE_M).all(1)
        enough = kept.sum() >= max(_FEW, _MOST * len(kept))
        return self._subset(kept & enough)

    def _subset(self, kept: np.ndarray) -> "BevMatches":
        return BevMatches(points_odom=self.points_odom[kept], seen_xy=self.seen_xy[kept], R_level_body=self.R_level_body)

    def residuals(self, T_odom_body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 2) metres from seen to expected, and (N, 2, 6) their Jacobians by the pose's right perturbation.

        l = R_level_body s with s = R_odom_body^T (W - p): dl = R_level_body ([s]x dtheta - dt), first two rows.
        """
        points_body = (self.points_odom - T_odom_body[:3, 3]) @ T_odom_body[:3, :3]
        expected = points_body @ self.R_level_body.T
        jacobians = np.empty((len(points_body), 2, 6))
        for n, point in enumerate(points_body):
            jacobians[n, :, :3] = self.R_level_body[:2] @ so3.hat(point)
        jacobians[:, :, 3:] = -self.R_level_body[:2]
        return expected[:, :2] - self.seen_xy, jacobians

    def linearise(self, T_odom_body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hessian (6, 6) and gradient (6,) with a Cauchy kernel, capped at what independent matches would tell."""
        if not len(self.seen_xy):
            return np.zeros((6, 6)), np.zeros(6)
        residuals, jacobians = self.residuals(T_odom_body)
        weights = 1.0 / (1.0 + (residuals**2).sum(1) / _KERNEL_M**2)
        weights *= min(1.0, _INDEPENDENT / len(weights)) / SIGMA_M**2
        hessian = np.einsum("n,nai,naj->ij", weights, jacobians, jacobians)
        return hessian, np.einsum("n,nai,na->i", weights, jacobians, residuals)

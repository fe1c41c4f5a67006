"""Planar pose of one image in another as the verifier finds it, scored on what the query saw.

Where the verifier goes on with the clouds, images alone can be laid on each other to a fraction of a pixel.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..config import BevConfig, VerifyConfig
from ..records import BevImage
from ..verify.correlation import Correlator, Spectra, structure_of
from ..verify.match import Corners, describe, mutual
from ..verify.planar import PlanarMatch
from ..verify.planar_refine import refine
from ..verify.ransac import fit_rigid
from ..verify.visible import Visibility


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageFeatures:
    """What is computed once per image."""

    corners: Corners
    spectra: Spectra
    visible: np.ndarray  # (S, S) float32


class ImageMatcher:
    """Aligns images of one grid by correlation and by corners; the better score on the common view wins."""

    def __init__(self, bev: BevConfig, verify: VerifyConfig) -> None:
        self._bev, self._verify = bev, verify
        self._correlator, self._visibility = Correlator(bev), Visibility(bev)

    def warm_up(self, image: BevImage) -> None:
        """One comparison, so that compilation is in nobody's time."""
        features = self.features(image)
        self.match(features, features, np.random.default_rng(0))

    def features(self, image: BevImage) -> ImageFeatures:
        """The parts of an image that every comparison with it needs."""
        return ImageFeatures(
            corners=describe(image, self._bev),
            spectra=self._correlator.spectra(structure_of(image)),
            visible=self._visibility.mask(image),
        )

    def match(self, match: ImageFeatures, query: ImageFeatures, rng: np.random.Generator) -> PlanarMatch:
        """The query's pose in the match's levelled frame."""
        found = [self._correlator.align(match.spectra, query.spectra)]
        pairs = mutual(match.corners, query.corners)
        fit = fit_rigid(pairs.match_xy_m, pairs.query_xy_m, self._verify.inlier_distance_m, rng)
        if fit is not None:
            x_m, y_m, yaw_rad = map(float, fit.x_y_yaw)
            found.append(PlanarMatch(method="keypoints", x_m=x_m, y_m=y_m, yaw_rad=yaw_rad, inliers=fit.inliers))
        return max((self._scored(match, query, planar) for planar in found), key=lambda planar: planar.score)

    def refined(self, match: ImageFeatures, query: ImageFeatures, planar: PlanarMatch) -> PlanarMatch:
        """The pose that the whole images agree on best, near the one found."""
        return refine(self._correlator, match.spectra, query.spectra, planar)

    def _scored(self, match: ImageFeatures, query: ImageFeatures, planar: PlanarMatch) -> PlanarMatch:
        x_y_yaw = planar.x_m, planar.y_m, planar.yaw_rad
        return replace(planar, score=self._correlator.score(match.spectra, query.spectra, *x_y_yaw, query.visible))

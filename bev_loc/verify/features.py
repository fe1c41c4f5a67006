"""What of a keyframe's image is compared: computed once, for neighbouring queries meet the same candidates."""

from collections import OrderedDict
from dataclasses import dataclass

from ..config import BevConfig
from ..records import Keyframe
from .correlation import Correlator, Spectra
from .match import Corners, describe

REMEMBERED = 64  # keyframes whose features are kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Of one keyframe's image."""

    keyframe: Keyframe
    corners: Corners
    spectra: Spectra


class KnownFeatures:
    """Of the keyframes that were asked for last."""

    def __init__(self, bev: BevConfig, correlator: Correlator) -> None:
        self._bev, self._correlator = bev, correlator
        self._features: OrderedDict[int, Features] = OrderedDict()

    def of(self, keyframe: Keyframe) -> Features:
        """The features of this keyframe; another one of the same id does not share them."""
        known = self._features.get(keyframe.id)
        if known is None or known.keyframe is not keyframe:
            known = Features(
                keyframe=keyframe,
                corners=describe(keyframe.image, self._bev),
                spectra=self._correlator.spectra(keyframe.image),
            )
            self._features[keyframe.id] = known
        self._features.move_to_end(keyframe.id)
        while len(self._features) > REMEMBERED:
            self._features.popitem(last=False)
        return known

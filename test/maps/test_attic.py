"""Packed keyframes come out as they went in, and take a fraction of the memory."""

import numpy as np
from maps_made import made_bundle

from bev_loc.maps import attic
from bev_loc.maps.attic import Attic


def test_a_keyframe_comes_out_bit_by_bit_and_unread_ones_stay_packed() -> None:
    keyframes = made_bundle().keyframes
    store = Attic()
    for n in range(attic.AS_THEY_ARE + 5):
        store[n] = keyframes[n % 5]
    out = store[0]  # long pushed out
    assert out is not keyframes[0]
    for name in ("points_kf", "descriptor", "T_odom_kf", "R_level_kf"):
        np.testing.assert_array_equal(getattr(out, name), getattr(keyframes[0], name))
    np.testing.assert_array_equal(out.image.counts, keyframes[0].image.counts)
    np.testing.assert_array_equal(out.image.mean_height_m, keyframes[0].image.mean_height_m)
    assert len(store) == attic.AS_THEY_ARE + 5 and 3 in store and 9999 not in store

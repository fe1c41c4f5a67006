"""A small map, made as the localizer makes it."""

import numpy as np

from bev_loc.config import BevConfig, KeyframeConfig, PlaceConfig
from bev_loc.geometry import se3
from bev_loc.maps.bundle import MapBundle
from bev_loc.maps.contents import entry
from bev_loc.place.describe import make_describer
from bev_loc.place.keyframes import KeyframeStore
from bev_loc.records import Closure, Odometry, OdometryHealth

BEV = BevConfig(range_m=20.0)


def made_bundle(count: int = 5) -> MapBundle:
    """A small map, made as the localizer makes it."""
    rng = np.random.default_rng(1)
    store = KeyframeStore(KeyframeConfig(), BEV, make_describer(PlaceConfig(), BEV), submap_keyframes=1)
    health = OdometryHealth(points_in=1, points_used=1, matches=1, rmse_m=0.1, iterations=1)
    entries = []
    for id in range(count):
        odometry = Odometry(
            stamp_ns=1_700_000_000_123_456_789 + id,
            T_odom_base=se3.from_xyz_rpy((2.1 * id, 0.3, 0.1, 0.02, -0.03, 0.1 * id)),
            covariance=np.eye(6),
            points_base=rng.uniform(-25, 25, (4000, 3)).astype(np.float32) * np.float32([1, 1, 0.1]),
            health=health,
        )
        keyframe = store.make(odometry, id=id, session=0)
        store.add(keyframe)
        entries.append(entry(keyframe, se3.from_se2(1e-9, 0.0, 1e-3) @ keyframe.T_odom_kf))
    closures = (
        Closure(
            query_id=count - 1,
            match_id=0,
            accepted=True,
            reason="accepted",
            method="keypoints",
            T_match_query=se3.from_se2(2.0, 0.1, 0.4),
            information=np.diag(np.arange(1.0, 7.0)),
            descriptor_distance=0.25,
            inliers=31,
            score=0.5,
            overlap=0.7,
            rmse_m=0.11,
        ),
    )
    return MapBundle(
        entries=tuple(entries), keyframes=store.all(), closures=closures, bev=BEV, describer="fourier_mellin"
    )

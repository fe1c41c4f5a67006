"""What place descriptors learn from: clouds that are drawn under several headings, and where."""

import numpy as np
import pytest

pytest.importorskip("open3d", reason="open3d absent: pip install 'bev_loc[sim]'")

from bev_loc.evaluation import corruptions  # noqa: E402
from bev_loc.evaluation.simulated_images import clouds_along  # noqa: E402
from bev_loc.sim.options import parse  # noqa: E402
from bev_loc.sim.simulation import simulate  # noqa: E402
from bev_loc.training.place_data import SPACING_M, draw_along  # noqa: E402

DRIVE = "carpark,seconds=5,imu=0,lidar=os1-64"


def test_a_cloud_is_drawn_anew_under_each_heading_and_a_seed_gives_the_same_headings():
    simulation = simulate(parse(DRIVE))
    one, again, other = (draw_along(simulation, 2, False, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.pictures, again.pictures)
    assert (one.pictures != other.pictures).any()
    where_m = [cloud.T_world_level[:2, 3] for cloud in clouds_along(simulation, SPACING_M)]
    np.testing.assert_array_equal(one.positions_m, np.repeat(where_m, 2, axis=0))
    assert len(where_m) > 2 and one.clouds.tolist() == np.repeat(np.arange(len(where_m)), 2).tolist()
    headings_rad = np.random.default_rng(3).uniform(0.0, 2.0 * np.pi, 2 * len(where_m))
    for n in range(0, len(one.pictures), 2):
        first, second = one.pictures[n : n + 2]
        turned = corruptions.turn(first, np.degrees(headings_rad[n] - headings_rad[n + 1]))  # to the left of it is clockwise
        agree = np.corrcoef(second.ravel(), turned.ravel())[0, 1]
        assert 0.8 < agree < 0.95  # the same place, and yet another picture than the turned one

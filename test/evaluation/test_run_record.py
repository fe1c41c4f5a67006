import numpy as np
import pytest

from bev_loc.evaluation.run_record import RunRecord, Thinned
from bev_loc.records import Odometry, OdometryHealth, State, Step


def step(stamp_ns: int, *, pose: bool = True, state: State = State.TRACKING, reasons: tuple[str, ...] = ()) -> Step:
    T = np.eye(4)
    T[0, 3] = stamp_ns
    health = OdometryHealth(points_in=1, points_used=1, matches=1, rmse_m=0.1, iterations=1, reasons=reasons)
    odometry = Odometry(stamp_ns=stamp_ns, T_odom_base=T, covariance=np.eye(6), points_base=np.zeros((0, 3), np.float32), health=health)
    return Step(stamp_ns=stamp_ns, state=state, odometry=odometry if pose else None, T_map_odom=None, reasons=reasons,
                stage_s=(("odometry", 0.25),))  # fmt: skip


def test_an_empty_record_has_no_figures_and_no_faults():
    record = RunRecord()
    assert record.path_length_m == 0.0 and record.median_ms_per_scan is None and record.dropped_by_reason == {}
    assert record.odometry[1].shape == (0, 4, 4)


def test_poses_drops_and_states_are_booked():
    record = RunRecord()
    for stamp, pose, state in [(1, True, State.SEARCHING), (2, False, State.SEARCHING), (5, True, State.TRACKING)]:
        record.add_step(step(stamp, pose=pose, state=state, reasons=("few points",)), "a.bin", 0.5)
    assert record.stamps_ns == [1, 5] and record.path_length_m == pytest.approx(4.0)
    assert record.dropped_by_reason == {"few points": 1} and record.dropped[0].where == "a.bin"
    assert record.warnings == {"few points": 2}
    assert record.states == [(1, State.SEARCHING), (5, State.TRACKING)]
    assert record.median_ms_per_scan == 500.0 and record.stage_s == {"odometry": [0.25] * 3}


@pytest.mark.parametrize("count", [0, 3, 10, 11, 1000])
def test_thinning_keeps_few_items_spread_over_all(count):
    kept = Thinned(10)
    for item in range(count):
        kept.add(item)
    assert len(kept.items) <= 10 and len(kept.items) >= min(count, 5)
    gaps = np.diff(kept.items)
    assert len(set(gaps)) <= 1, "evenly"
    assert count == 0 or (kept.items[0] == 0 and count - kept.items[-1] <= max(2 * gaps.max(initial=1), 1))

"""The verifier on two real laps of one street, and against another city.

Reference: cross-lap poses by GICP in both directions (`crosslap_pairs.csv`).
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache, partial

import cv2
import numpy as np
import pytest
from real_data import RealData

from bev_loc.bev.raster import rasterise
from bev_loc.clouds.voxels import downsample
from bev_loc.config import BevConfig, PlaceConfig, VerifyConfig
from bev_loc.geometry import se3, so3
from bev_loc.place.describe import make_describer
from bev_loc.place.index import PlaceIndex
from bev_loc.records import Candidate, Closure, Keyframe
from bev_loc.verify.verifier import Verifier

BEV = BevConfig()
DESCRIBER = make_describer(PlaceConfig(), BEV)
LAP2 = 1000  # added to the ids of the second lap
CITY = 5000


@dataclass(frozen=True, eq=False)
class Laps:
    """Both laps and what is known about their relation."""

    keyframes: dict[int, Keyframe]
    first: np.ndarray  # (P,) ids of lap 1
    second: np.ndarray  # (P,) ids of lap 2
    T_first_second: np.ndarray  # (P, 4, 4)
    time_s: dict[int, float]  # of every keyframe of both laps


def _keyframe(id: int, points: np.ndarray, T_odom_kf: np.ndarray) -> Keyframe:
    ranges_m = np.linalg.norm(points, axis=1)
    points = points[(ranges_m > 2.0) & (ranges_m < 100.0)]
    R_level_kf = so3.level(T_odom_kf[:3, :3])
    image = rasterise(points @ R_level_kf.T.astype(np.float32), BEV)
    return Keyframe(
        id=id,
        session=0,
        stamp_ns=id,
        T_odom_kf=T_odom_kf,
        R_level_kf=R_level_kf,
        points_kf=downsample(points, 0.4),
        image=image,
        descriptor=DESCRIBER.describe(image),
        path_m=0.0,
    )


@pytest.fixture(scope="module")
def laps(data: RealData) -> Laps:
    folder = data / "mulran_riverside02"
    keyframes, time_s = {}, {}
    for name, offset in (("lap1", 0), ("lap2", LAP2)):
        archive = np.load(folder / f"{name}.npz")
        time_s |= {offset + n: float(t) for n, t in enumerate(archive["time_s"])}
        points, start = archive["points_cm"].astype(np.float32) / 100, archive["start"]
        for n, rows in enumerate(archive["T_odom_lidar"]):
            U, _, Vt = np.linalg.svd(rows[:, :3])
            T_odom_kf = se3.from_parts(U @ Vt, rows[:, 3])
            keyframes[offset + n] = _keyframe(offset + n, points[start[n] : start[n + 1]], T_odom_kf)
    table = np.loadtxt(folder / "crosslap_pairs.csv", delimiter=",")
    T = np.tile(np.eye(4), (len(table), 1, 1))
    T[:, :3] = table[:, 4:].reshape(-1, 3, 4)
    return Laps(
        keyframes=keyframes, first=table[:, 0].astype(int), second=table[:, 1].astype(int) + LAP2, T_first_second=T,
        time_s=time_s,
    )  # fmt: skip


def _submap(laps: Laps, id: int) -> np.ndarray:
    T_kf_odom = se3.inverse(laps.keyframes[id].T_odom_kf)
    near = [laps.keyframes[n] for n in range(id - 2, id + 3) if n in laps.keyframes]
    return np.concatenate([se3.apply(T_kf_odom @ kf.T_odom_kf, kf.points_kf) for kf in near])


def test_given_both_keyframes_of_a_known_pair_its_pose_is_found(laps: Laps):
    """Required: within 0.3 m and 1 degree for 95 % of the 135 pairs."""
    verifier = Verifier(VerifyConfig(), BEV)
    right, accepted = 0, 0
    for i, j, T in zip(laps.first, laps.second, laps.T_first_second, strict=True):
        candidate = Candidate(query_id=int(j), match_id=int(i), distance=0.0)
        closure = verifier.verify(candidate, laps.keyframes[j], laps.keyframes[i], _submap(laps, i))
        accepted += closure.accepted
        if closure.T_match_query is not None:
            shift_m, turn_rad = se3.distance(T, closure.T_match_query)
            right += closure.accepted and shift_m < 0.3 and turn_rad < np.radians(1.0)
    print(f"{right} of {len(laps.first)} pairs right, {accepted} accepted")
    assert right >= 0.98 * len(laps.first)


def _away(laps: Laps, closure: Closure) -> np.ndarray:
    """(P,) keyframes between a closure and each row of the table."""
    return np.maximum(np.abs(laps.first - closure.match_id), np.abs(laps.second - closure.query_id))


def _by_odometry(laps: Laps, closure: Closure, row: int) -> np.ndarray:
    """T_match_query as a row says it, carried over by both odometries."""
    pose = {id: kf.T_odom_kf for id, kf in laps.keyframes.items()}
    T_match_first = se3.inverse(pose[closure.match_id]) @ pose[laps.first[row]]
    T_second_query = se3.inverse(pose[laps.second[row]]) @ pose[closure.query_id]
    return T_match_first @ laps.T_first_second[row] @ T_second_query


NOWHERE = np.zeros((0, 3), np.float32)


@cache
def _speed_m_s(laps: Laps, id: int) -> float | None:
    """How fast the vehicle is from `id` to the next keyframe, by registering the two; None where they share too little."""
    if id + 1 not in laps.keyframes:
        return None
    candidate = Candidate(query_id=id + 1, match_id=id, distance=0.0)
    lenient = Verifier(VerifyConfig(min_overlap=0.2), BEV)
    closure = lenient.verify(candidate, laps.keyframes[id + 1], laps.keyframes[id], NOWHERE)
    if not closure.accepted:
        return None
    return float(np.linalg.norm(closure.T_match_query[:3, 3])) / (laps.time_s[id + 1] - laps.time_s[id])


def _way_m(laps: Laps, begin: int, end: int) -> float:
    """Metres driven from `begin` to `end`: registered steps, and where two share too little the speed around them."""
    if begin > end:
        return -_way_m(laps, end, begin)
    total = 0.0
    for id in range(begin, end):
        speed = _speed_m_s(laps, id)
        if speed is None:
            around = [s for n in range(id - 8, id + 9) if n in laps.keyframes and (s := _speed_m_s(laps, n)) is not None]
            speed = float(np.median(around))
        total += speed * (laps.time_s[id + 1] - laps.time_s[id])
    return total


def _by_way(laps: Laps, closure: Closure, confirmed: dict[tuple[int, int], np.ndarray]) -> bool:
    """Whether the nearest confirmed pair says the same once both are carried along the road; a repeat is 10 m off.

    Both laps drive the road the same way, towards -x of their lidars. Neither odometry enters: lap 1's slips by
    20 m near keyframes 167 to 173, lap 2's has twice the scale from keyframe 216 on.
    """
    first, second = min(confirmed, key=lambda p: abs(p[0] - closure.match_id) + abs(p[1] - closure.query_id))
    ahead_m = -confirmed[first, second][0, 3] + _way_m(laps, second, closure.query_id)
    expected_m = ahead_m - _way_m(laps, first, closure.match_id)
    return abs(-closure.T_match_query[0, 3] - expected_m) < 2.0 + 0.05 * abs(_way_m(laps, first, closure.match_id))


@pytest.mark.slow
def test_every_accepted_closure_between_the_laps_agrees_with_the_table(laps: Laps):
    """Retrieval by descriptor, then verification; within 2 m and 5 degrees of the nearest row of the table.

    Rows are carried over at most 3 keyframes by the laps' odometries. These are wrong by up to 20 m a
    keyframe in places: rows there contradict each other. What disagrees must agree when the same steps
    are registered instead.
    """
    verifier, index = Verifier(VerifyConfig(), BEV), PlaceIndex(DESCRIBER.dimension)
    for id in sorted(id for id in laps.keyframes if id < LAP2):
        index.add(id, laps.keyframes[id].descriptor)
    accepted, reasons = [], Counter()
    for query in (laps.keyframes[id] for id in sorted(laps.keyframes) if id >= LAP2):
        candidates = index.search(query.id, query.descriptor, PlaceConfig().candidates)
        closures = verifier.verify_best(candidates, query, laps.keyframes.__getitem__, partial(_submap, laps))
        accepted += [closure for closure in closures if closure.accepted]
        reasons.update(closure.reason for closure in closures)
    rows = zip(laps.first.tolist(), laps.second.tolist(), laps.T_first_second, strict=True)
    confirmed = {(i, j): T for i, j, T in rows}
    by_odometry, doubtful, strangers = 0, [], []
    for closure in accepted:
        away = _away(laps, closure)
        nearest = [_by_odometry(laps, closure, row) for row in np.flatnonzero(away == away.min())]
        errors = [se3.distance(T, closure.T_match_query) for T in nearest]
        if away.min() > 3:
            strangers.append(closure)
        elif any(shift_m < 2.0 and turn_rad < np.radians(5.0) for shift_m, turn_rad in errors):
            by_odometry += 1
            confirmed.setdefault((closure.match_id, closure.query_id), closure.T_match_query)
        else:
            assert away.min() > 0, "a row of the table itself is contradicted"
            doubtful.append(closure)
    for closure in [*doubtful, *doubtful[::-1]]:  # what is confirmed helps its neighbours, from both sides
        if _by_way(laps, closure, confirmed):
            confirmed[closure.match_id, closure.query_id] = closure.T_match_query
    open_pairs = [(c.match_id, c.query_id - LAP2) for c in doubtful if (c.match_id, c.query_id) not in confirmed]
    print(
        f"accepted {len(accepted)}: {by_odometry} by odometry, "
        f"{len(doubtful) - len(open_pairs)} by the way driven, open {open_pairs}, "
        f"without a row {[(c.match_id, c.query_id - LAP2) for c in strangers]}; {dict(reasons)}"
    )
    assert open_pairs == [] and by_odometry >= 130
    assert len({c.query_id for c in accepted} & set(laps.second.tolist())) >= 0.95 * len(laps.second)
    assert (np.diff([c.match_id for c in accepted]) >= -2).all()  # both laps drive the same way


@pytest.fixture(scope="module")
def city(data: RealData) -> list[Keyframe]:
    folder = data / "hdl64_city"
    last_line = (folder / "velodyne_config.txt").read_text().strip().splitlines()[-1]
    elevation = -np.radians([float(word) for word in last_line.replace(",", " ").split()[5:69]])[:, None]
    azimuth = np.pi - (np.arange(870) + 0.5) * 2 * np.pi / 870
    keyframes = []
    for n, path in enumerate(sorted((folder / "data").glob("*.png"))[::20]):
        ranges_m = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32) / 500.0
        flat_m, up_m, seen = ranges_m * np.cos(elevation), ranges_m * np.sin(elevation), ranges_m > 0
        points = np.stack([flat_m * np.cos(azimuth), flat_m * np.sin(azimuth), up_m], -1)[seen].astype(np.float32)
        keyframes.append(_keyframe(CITY + n, points, np.eye(4)))
    return keyframes


def test_two_cities_are_never_taken_for_each_other(laps: Laps, city: list[Keyframe]):
    street = [kf for id, kf in laps.keyframes.items() if id % 10 == 0]
    verifier, closures = Verifier(VerifyConfig(), BEV), []
    for queries, places in ((street, city), (city, street)):
        index, by_id = PlaceIndex(DESCRIBER.dimension), {kf.id: kf for kf in places}
        for kf in places:
            index.add(kf.id, kf.descriptor)
        for query in queries:
            candidates = index.search(query.id, query.descriptor, 4)
            closures += verifier.verify_best(candidates, query, by_id.__getitem__, lambda id, by_id=by_id: by_id[id].points_kf)
    assert len(closures) == 4 * (len(street) + len(city))
    assert [c for c in closures if c.accepted] == []

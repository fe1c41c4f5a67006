"""The local map: a hash of voxels, each with a bounded number of spread points, around the vehicle."""

import numpy as np
from numba import njit

from ..clouds.voxels import EMPTY, pack, slot_of

POINTS_PER_VOXEL = 20
LAYER_FACTORS = (1.0, 3.0)


class LayeredMap:
    """The same points in layers of growing voxels: fine ones for detail, coarse ones where a lidar is sparse."""

    def __init__(self, voxel_m: float, radius_m: float) -> None:
        self.layers = tuple(LocalMap(factor * voxel_m, radius_m) for factor in LAYER_FACTORS)

    def clear(self) -> None:
        """Forget everything."""
        for layer in self.layers:
            layer.clear()

    def add(self, points_odom: np.ndarray, centre_odom: np.ndarray) -> None:
        """Insert (N, 3) float32 points; forget what is farther than the radius from `centre_odom`."""
        for layer in self.layers:
            layer.add(points_odom, centre_odom)


class LocalMap:
    """Points in the odom frame, found by voxel; memory is bounded by `radius_m`.

    A voxel keeps at most `POINTS_PER_VOXEL` points, no two nearer than an even spread of them on a
    surface through the voxel, as in KISS-ICP (Vizzo et al. 2023, section III-C).
    """

    def __init__(self, voxel_m: float, radius_m: float) -> None:
        self.voxel_m = voxel_m
        self.radius_m = radius_m
        self._spacing_2 = voxel_m**2 / POINTS_PER_VOXEL
        self._centre: np.ndarray | None = None
        self._allocate(1 << 12)

    def clear(self) -> None:
        """Forget everything."""
        self.table_keys.fill(EMPTY)
        self._used[0] = 0

    def __len__(self) -> int:
        """Number of occupied voxels."""
        return int(self._used[0])

    def _allocate(self, voxels: int) -> None:
        self.table_keys = np.full(2 * voxels, EMPTY)
        self.table_blocks = np.zeros(2 * voxels, np.int32)
        self._keys = np.zeros(voxels, np.int64)
        self.counts = np.zeros(voxels, np.int32)
        self.points = np.zeros((voxels, POINTS_PER_VOXEL, 3), np.float32)
        self._used = np.zeros(1, np.int64)

    def add(self, points_odom: np.ndarray, centre_odom: np.ndarray) -> None:
        """Insert (N, 3) float32 points; forget what is farther than the radius from `centre_odom`."""
        if self._centre is None:
            self._centre = centre_odom.copy()
        if np.linalg.norm(centre_odom - self._centre) > 0.1 * self.radius_m:
            self._centre = centre_odom.copy()
            self._forget_far()
        done = 0
        while True:  # a full pool stops the insertion: grow, go on
            done = _insert(
                points_odom, done, self.voxel_m, self._spacing_2,
                self.table_keys, self.table_blocks, self._keys, self.counts, self.points, self._used,
            )  # fmt: skip
            if done == len(points_odom):
                return
            self._grow()

    def _forget_far(self) -> None:
        used = int(self._used[0])
        self._used[0] = _keep_near(self._keys, self.counts, self.points, used, self._centre, self.radius_m**2)
        _index(self._keys[: self._used[0]], self.table_keys, self.table_blocks)

    def _grow(self) -> None:
        keys, counts, points = self._keys, self.counts, self.points
        self._allocate(2 * len(keys))
        self._keys[: len(keys)], self.counts[: len(keys)], self.points[: len(keys)] = keys, counts, points
        self._used[0] = len(keys)
        _index(keys, self.table_keys, self.table_blocks)

    def cloud(self) -> np.ndarray:
        """(N, 3) float32 copy of every point."""
        used = int(self._used[0])
        return self.points[:used][np.arange(POINTS_PER_VOXEL) < self.counts[:used, None]]


@njit(cache=True)
def _index(keys, table_keys, table_blocks):
    mask = len(table_keys) - 1
    table_keys[:] = EMPTY
    for block in range(len(keys)):
        slot = slot_of(keys[block], mask)
        while table_keys[slot] != EMPTY:
            slot = (slot + 1) & mask
        table_keys[slot] = keys[block]
        table_blocks[slot] = block


@njit(cache=True)
def _keep_near(keys, counts, points, used, centre, radius_2):
    """Number of voxels kept, of the first `used`: they move up to the front, in order."""
    kept = 0
    for block in range(used):
        dx = points[block, 0, 0] - centre[0]
        dy = points[block, 0, 1] - centre[1]
        dz = points[block, 0, 2] - centre[2]
        if dx * dx + dy * dy + dz * dz <= radius_2:
            if kept < block:
                keys[kept], counts[kept] = keys[block], counts[block]
                for m in range(counts[kept]):  # by coordinate: a row at once takes longer
                    for axis in range(3):
                        points[kept, m, axis] = points[block, m, axis]
            kept += 1
    return kept


@njit(cache=True)
def _insert(new, start, voxel_m, spacing_2, table_keys, table_blocks, keys, counts, points, used):
    """Index of the first point not inserted: len(new), or less when the pool of voxels is full."""
    mask = len(table_keys) - 1
    scale = 1.0 / voxel_m
    for n in range(start, new.shape[0]):
        x, y, z = new[n, 0], new[n, 1], new[n, 2]
        key = pack(int(np.floor(x * scale)), int(np.floor(y * scale)), int(np.floor(z * scale)))
        slot = slot_of(key, mask)
        there = table_keys[slot]
        while there != EMPTY and there != key:
            slot = (slot + 1) & mask
            there = table_keys[slot]
        if there == EMPTY:
            if used[0] == len(keys):
                return n
            block = used[0]
            used[0] += 1
            table_keys[slot], table_blocks[slot] = key, block
            keys[block], counts[block] = key, 0
        block = table_blocks[slot]
        count = counts[block]
        if count == POINTS_PER_VOXEL:
            continue
        some = points[block]
        free = True
        for m in range(count):
            dx, dy, dz = some[m, 0] - x, some[m, 1] - y, some[m, 2] - z
            if dx * dx + dy * dy + dz * dz < spacing_2:
                free = False
                break
        if free:
            some[count, 0], some[count, 1], some[count, 2] = x, y, z
            counts[block] = count + 1
    return new.shape[0]


def _neighbour_order() -> np.ndarray:
    """(27, 3) steps to a voxel and its neighbours, nearest first, so that far ones can be skipped."""
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
    return steps[np.argsort((steps**2).sum(1), kind="stable")].astype(np.int64)


_STEPS = _neighbour_order()
_KEY_STEPS = pack.py_func(*_STEPS.T) - pack.py_func(0, 0, 0)  # what a step changes a key by


@njit(cache=True)
def nearest(
    query: np.ndarray,
    voxel_m: float,
    max_distance_2: float,
    table_keys: np.ndarray,
    table_blocks: np.ndarray,
    counts: np.ndarray,
    points: np.ndarray,
    found_points: np.ndarray,
    found_d2: np.ndarray,
    gaps_2: np.ndarray,
) -> int:
    """Number of map points found among the K nearest to `query` (3,), nearest first.

    Fills found_points (K, 3) and found_d2 (K,) in place; gaps_2 (3, 3) is room to work in. Exact within
    `max_distance_2` as long as that is at most one voxel: the voxel of the query and its 26 neighbours are searched.
    """
    wanted = len(found_d2)
    found = 0
    mask = len(table_keys) - 1
    scale = 1.0 / voxel_m
    qx, qy, qz = query[0], query[1], query[2]
    ci, cj, ck = int(np.floor(qx * scale)), int(np.floor(qy * scale)), int(np.floor(qz * scale))
    home = pack(ci, cj, ck)
    for axis, inside in enumerate((qx - ci * voxel_m, qy - cj * voxel_m, qz - ck * voxel_m)):
        gaps_2[axis, 0], gaps_2[axis, 1], gaps_2[axis, 2] = inside * inside, 0.0, (voxel_m - inside) ** 2
    worst = max_distance_2
    for s in range(27):
        if gaps_2[0, _STEPS[s, 0] + 1] + gaps_2[1, _STEPS[s, 1] + 1] + gaps_2[2, _STEPS[s, 2] + 1] >= worst:
            continue
        key = home + _KEY_STEPS[s]
        slot = slot_of(key, mask)
        there = table_keys[slot]
        while there != EMPTY and there != key:
            slot = (slot + 1) & mask
            there = table_keys[slot]
        if there == EMPTY:
            continue
        block = table_blocks[slot]
        some = points[block]
        for m in range(counts[block]):
            x, y, z = some[m, 0], some[m, 1], some[m, 2]
            dx, dy, dz = x - qx, y - qy, z - qz
            d2 = dx * dx + dy * dy + dz * dz
            if d2 >= worst:
                continue
            place = found if found < wanted else wanted - 1
            while place > 0 and found_d2[place - 1] > d2:
                found_d2[place] = found_d2[place - 1]
                found_points[place, 0] = found_points[place - 1, 0]  # by coordinate: a row at once takes twice as long
                found_points[place, 1] = found_points[place - 1, 1]
                found_points[place, 2] = found_points[place - 1, 2]
                place -= 1
            found_d2[place] = d2
            found_points[place, 0], found_points[place, 1], found_points[place, 2] = x, y, z
            if found < wanted:
                found += 1
            if found == wanted:
                worst = found_d2[wanted - 1]
    return found

"""Furnishes streets: houses in lots, kerbs, parked cars, trees, poles, each only where it is free."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from . import assets
from .building import building
from .meshes import Material, Mesh, merge, moved, ribbon
from .polyline import lengths, offset, resampled, tangents
from .terrain import Ground, ground_mesh

FREE, PAVEMENT, CARRIAGEWAY, DRIVEN, TAKEN = range(5)
_CELL_M = 0.5
_KERB_M = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The habits of a neighbourhood; probabilities are per lot or per place."""

    road_half_m: float = 5.7  # to the kerb, parking included
    driven_half_m: float = 3.1  # kept free for driving
    pavement_m: float = 2.4
    kerb: bool = True
    setback_m: tuple[float, float] = (0.0, 5.0)
    lot_m: tuple[float, float] = (8.0, 18.0)
    depth_m: tuple[float, float] = (8.0, 13.0)
    floors: tuple[int, int] = (2, 5)
    house: float = 0.88
    terraced: float = 0.5  # no gap to the next house
    garden: float = 0.6  # hedge, wall or shrubs in front of a setback
    tree: float = 0.4
    tree_spacing_m: float = 9.0
    car: float = 0.62
    pole_spacing_m: float = 24.0
    clutter: float = 0.35  # chance of a sign, a cabinet, a person every 14 m

    def on(self, street: "Style") -> "Style":
        """These habits beside a street of another width."""
        return replace(self, road_half_m=street.road_half_m, driven_half_m=street.driven_half_m, pavement_m=street.pavement_m)


class Layout:
    """A rectangle of land that fills up; every method adds meshes and marks the place as taken."""

    def __init__(
        self, ground: Ground, low: np.ndarray, high: np.ndarray,
        rngs: tuple[np.random.Generator, np.random.Generator, np.random.Generator], foliage: float,
    ) -> None:  # fmt: skip
        self.ground, self.low, self.high, self.foliage = ground, np.asarray(low, float), np.asarray(high, float), foliage
        self.rng, self.rng_cars, self.rng_plants = rngs
        self.parts: list[Mesh] = []
        self.level = np.zeros(tuple(np.ceil((self.high - self.low) / _CELL_M).astype(int) + 1), np.uint8)

    def draw(self, streets: list[np.ndarray], style: Style) -> None:
        """Marks carriageways, crossings and pavements of (N, 2) centre lines; call it before furnishing."""
        for street in streets:
            self._band(street, style.road_half_m + style.pavement_m, PAVEMENT)
        crossed = np.zeros_like(self.level)
        for street in streets:
            rows, columns = self._cells(_across(street, style.road_half_m))
            crossed.ravel()[np.unique(rows * self.level.shape[1] + columns)] += 1
        self.level[crossed == 1] = CARRIAGEWAY
        self.level[crossed > 1] = DRIVEN
        for street in streets:
            self._band(street, style.driven_half_m, DRIVEN)

    def furnish(self, street: np.ndarray, style: Style) -> None:
        """Everything along both sides of one street."""
        for side in (1.0, -1.0):
            if style.kerb:
                self._kerb(street, side, style)
            self._houses(street, side, style)
            self._roadside(street, side, style)
            self._parked(street, side, style)

    def place(self, mesh: Mesh, xy: np.ndarray, yaw_rad: float, sink_m: float = 0.0) -> None:
        """Puts a mesh on the ground, whatever is there."""
        z = float(self.ground.height(np.atleast_2d(xy))[0]) - sink_m
        self.parts.append(moved(mesh, (xy[0], xy[1], z), yaw_rad))

    def take(self, xy: np.ndarray, yaw_rad: float, box: tuple[float, float, float, float], allowed: int) -> bool:
        """Marks the rectangle (x0, x1, y0, y1 in its own axes) as taken if all of it is at most `allowed`."""
        x0, x1, y0, y1 = box
        x, y = np.meshgrid(np.arange(x0, x1 + 0.2, 0.4), np.arange(y0, y1 + 0.2, 0.4))
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        spots = np.stack([xy[0] + c * x - s * y, xy[1] + s * x + c * y], -1).reshape(-1, 2)
        if (spots < self.low).any() or (spots > self.high).any():
            return False
        cells = self._cells(spots)
        if self.level[cells].max() > allowed:
            return False
        self.level[cells] = TAKEN
        return True

    def line(self, points: np.ndarray, profile: list[tuple[float, float]], material: int) -> None:
        """A wall, rail or tube: (left, up) profile points swept along a polyline, on the ground of that line."""
        even = resampled(points, 4.0)
        z = self.ground.height(even)
        edges = [np.column_stack([offset(even, left), z + up]) for left, up in profile]
        self.parts += [ribbon(a, b, material) for a, b in zip(edges[:-1], edges[1:])]

    def scatter(self, count: int, clear_m: float = 1.0) -> None:
        """Trees and shrubs at random free places away from streets."""
        for _ in range(count):
            xy, is_tree = self.rng.uniform(self.low + 3, self.high - 3), self.rng.random() < 0.5
            if self.take(xy, 0.0, (-clear_m, clear_m, -clear_m, clear_m), FREE):
                plant = assets.tree if is_tree else assets.bush
                self.place(plant(self._plant(), self.foliage), xy, 0.0)

    def mesh(self, cell_m: float) -> Mesh:
        """The ground and all that stands on it."""

        def paint(xy: np.ndarray) -> np.ndarray:
            return np.where(self.level[self._cells(xy)] >= CARRIAGEWAY, Material.ASPHALT, Material.GRASS)

        return merge([ground_mesh(self.ground, self.low, self.high, cell_m, paint), *self.parts])

    def _plant(self) -> np.random.Generator:
        """A generator per plant, so that its trunk is the same in every season."""
        return np.random.default_rng(self.rng_plants.integers(2**62))

    def _cells(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = np.round((xy - self.low) / _CELL_M).astype(int)
        at = np.clip(at, 0, np.array(self.level.shape) - 1)
        return at[:, 0], at[:, 1]

    def _band(self, street: np.ndarray, half_m: float, code: int) -> None:
        cells = self._cells(_across(street, half_m))
        self.level[cells] = np.maximum(self.level[cells], code)

    def _kerb(self, street: np.ndarray, side: float, style: Style) -> None:
        line = resampled(street, 2.5)
        edge, back = offset(line, side * style.road_half_m), offset(line, side * (style.road_half_m + style.pavement_m))
        probe = np.concatenate([offset(line, side * (style.road_half_m + 0.6)), back])
        open_ = (self.level[self._cells(probe)] < CARRIAGEWAY).reshape(2, -1).all(0)
        keep = np.repeat(open_[:-1] & open_[1:], 2)
        low, top, far = (np.column_stack([p, self.ground.height(p) + h]) for p, h in ((edge, -0.1), (edge, _KERB_M), (back, _KERB_M)))
        for mesh in (
            ribbon(low, top, Material.CONCRETE),
            ribbon(top, far, Material.CONCRETE),
            ribbon(far, far - [0, 0, 0.4], Material.CONCRETE),
        ):
            self.parts.append(Mesh(vertices=mesh.vertices, triangles=mesh.triangles[keep], materials=mesh.materials[keep]))

    def _houses(self, street: np.ndarray, side: float, style: Style) -> None:
        """Lot after lot; a lot's front looks at the street. On the left side lots run against the street."""
        line, rng = street if side > 0 else street[::-1], self.rng
        way, heading = lengths(line), tangents(line)
        at, setback = rng.uniform(0, 4), rng.uniform(*style.setback_m)
        while at < way[-1] - 4:
            wide, deep = rng.uniform(*style.lot_m), rng.uniform(*style.depth_m)
            floors = int(rng.integers(style.floors[0], style.floors[1] + 1))
            if rng.random() > style.terraced:
                setback = rng.uniform(*style.setback_m)
            build = rng.random() < style.house
            middle = min(at + 0.5 * wide, way[-1])
            k = int(np.searchsorted(way, middle).clip(0, len(way) - 1))
            yaw = float(np.arctan2(heading[k, 1], heading[k, 0]))
            left = np.array([-heading[k, 1], heading[k, 0]])
            corner = line[k] - 0.5 * wide * heading[k] + (style.road_half_m + style.pavement_m + setback) * left
            if build and not self.take(corner, yaw, (0.4, wide - 0.4, 0.4, deep), FREE):
                at += 2.5
                continue
            if build:
                self.place(building(wide, deep, floors, rng), corner, yaw, sink_m=0.1)
                self._yard(corner, yaw, wide, deep)
            self._garden(corner, yaw, wide, setback, style)
            at += wide + (0.0 if rng.random() < style.terraced else rng.uniform(1.0, 6.0))

    def _yard(self, corner: np.ndarray, yaw: float, wide: float, deep: float) -> None:
        """Sheds, trees and shrubs behind a house."""
        rng, along, across = self.rng, np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
        for kind in rng.choice(4, size=int(rng.integers(1, 5))):
            spot = corner + rng.uniform(0, wide) * along + (deep + rng.uniform(2, 14)) * across
            half = (1.0, 0.5, 1.6, 0.4)[kind]
            if self.take(spot, yaw, (-half, half, -half, half), FREE):
                parts = (lambda: assets.tree(self._plant(), self.foliage), lambda: assets.bush(self._plant(), self.foliage),
                         lambda: assets.shed(rng), lambda: assets.fence(rng, rng.uniform(3, 10)))  # fmt: skip
                self.place(parts[kind](), spot, yaw)

    def _garden(self, corner: np.ndarray, yaw: float, wide: float, setback: float, style: Style) -> None:
        rng = self.rng
        if setback < 1.0 or rng.random() > style.garden:
            return
        across = np.array([-np.sin(yaw), np.cos(yaw)])
        front = corner - (setback - 0.5) * across
        if self.take(front, yaw, (0.5, wide - 1.5, -0.2, 0.2), FREE):
            part = assets.hedge(self._plant(), wide - 2.0) if rng.random() < 0.55 else assets.fence(rng, wide - 2.0)
            self.place(part, front + 0.5 * np.array([np.cos(yaw), np.sin(yaw)]), yaw)
        for _ in range(int(rng.integers(0, 7))):
            spot = front + np.array([np.cos(yaw), np.sin(yaw)]) * rng.uniform(1, max(1.1, wide - 1)) + across * rng.uniform(0.6, setback)
            if self.take(spot, yaw, (-0.3, 0.3, -0.3, 0.3), FREE):
                plant = assets.tree if setback > 3.5 and rng.random() < 0.3 else assets.bush
                self.place(plant(self._plant(), self.foliage), spot, 0.0)

    def _roadside(self, street: np.ndarray, side: float, style: Style) -> None:
        rng = self.rng
        self._every(
            street, side, style.road_half_m + 1.0, style.tree_spacing_m, style.tree, 0.35, lambda: assets.tree(self._plant(), self.foliage)
        )
        self._every(street, side, style.road_half_m + 0.8, style.pole_spacing_m, 0.9, 0.2, lambda: assets.lamp(rng))
        for kind in (assets.sign, assets.cabinet, assets.person):
            self._every(
                street, side, style.road_half_m + rng.uniform(0.9, style.pavement_m - 0.3), 14.0, style.clutter, 0.2, partial(kind, rng)
            )

    def _every(
        self, street: np.ndarray, side: float, off_m: float, spacing_m: float, chance: float, half_m: float, make: Callable[[], Mesh]
    ) -> None:
        """`make()` about every `spacing_m`, `off_m` from the centre line."""
        line = offset(resampled(street, 0.5), side * off_m)
        heading = tangents(line)
        at = self.rng.uniform(0, spacing_m)
        while at < 0.5 * len(line) - 1:
            k = int(2 * at)
            yaw = float(np.arctan2(heading[k, 1], heading[k, 0])) + (np.pi if side > 0 else 0.0)
            if self.rng.random() < chance and self.take(line[k], yaw, (-half_m, half_m, -half_m, half_m), PAVEMENT):
                self.place(make(), line[k], yaw)
            at += spacing_m * self.rng.uniform(0.8, 1.2)

    def _parked(self, street: np.ndarray, side: float, style: Style) -> None:
        rng = self.rng_cars
        line = offset(resampled(street, 0.5), side * (style.road_half_m - 1.05))
        heading, at = tangents(line), rng.uniform(0, 6)
        while at < 0.5 * len(line) - 3:
            k = int(2 * at)
            yaw = float(np.arctan2(heading[k, 1], heading[k, 0])) + (np.pi if side > 0 else 0.0)
            if rng.random() < style.car and self.take(line[k], yaw, (-2.4, 2.4, -0.8, 0.8), CARRIAGEWAY):
                self.place(assets.car(rng), line[k] + rng.normal(0, 0.08, 2), yaw + rng.normal(0, 0.02))
            at += rng.uniform(5.3, 6.6)


def _across(street: np.ndarray, half_m: float) -> np.ndarray:
    """(M, 2) points that cover the band around a polyline more finely than the cells."""
    line = resampled(street, 0.4)
    return np.concatenate([offset(line, off) for off in np.arange(-half_m, half_m + 0.2, 0.4)])

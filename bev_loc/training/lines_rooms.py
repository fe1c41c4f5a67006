"""Indoor scenes: walls with doors, windows and pictures, and furniture made of boxes."""

import numpy as np

from .lines_scene import Builder, Material, Scene, Vector

X, Y, Z = np.eye(3)


def room(build: Builder) -> Scene:
    """A room seen from inside."""
    u = build.uniform
    size = np.array([u(3.0, 9.0), u(3.0, 7.0), u(2.3, 3.6)])
    lx, ly, lz = size
    wall = build.material(0.35, 0.95, 0.35, 0.35)
    walls = ((0 * X, lx * X), (lx * X, ly * Y), (lx * X + ly * Y, -lx * X), (ly * Y, -ly * Y))
    for o, along in walls:
        own = wall if build.chance(0.8) else build.material(0.15, 0.95, 0.5, 0.6)
        build.quad(o, along, lz * Z, own)
        _furnish_wall(build, o, along, lz, own)
    _floor_and_ceiling(build, size)
    for _ in range(int(build.rng.integers(3, 11))):
        _piece(build, size)
    for _ in range(int(build.rng.integers(0, 7))):
        _round_thing(build, np.array([u(0.3, lx - 0.3), u(0.3, ly - 0.3), u(0.1, 1.7)]), u(0.1, 0.35))
    eye = np.array([u(0.1, 0.9) * lx, u(0.1, 0.9) * ly, u(0.8, 1.8)])
    middle = np.array([lx, ly]) * build.rng.uniform(0.2, 0.8, 2)
    if np.linalg.norm(middle - eye[:2]) < 1.5:
        eye[:2] = np.array([lx, ly]) * build.rng.choice([0.08, 0.92], 2)
    yaw = np.arctan2(*(middle - eye[:2])[::-1])
    lights = np.stack([np.array([u(0, lx), u(0, ly), u(0.5, lz - 0.1)]) for _ in range(int(build.rng.integers(1, 5)))])
    tints = build.rng.normal(0.5, 0.2, (len(lights), 1)) * build.rng.normal(1, 0.12, (len(lights), 3))
    return build.look(
        eye, yaw, build.rng.normal(0, 0.08), build.rng.normal(0, 0.025), u(0.5, 1.0),
        lights=lights, light_colours=np.abs(tints) / len(lights) ** 0.5,
        sun=_direction(build), sun_strength=u(0.0, 0.25), ambient=u(0.15, 0.6),
        sky=build.rng.uniform(0.5, 1.0, (2, 3)), sky_texture=0, cloudiness=0.1,
    )  # fmt: skip


def _direction(build: Builder) -> np.ndarray:
    direction = build.rng.normal(size=3) * [1, 1, 0.4] + [0, 0, 1]
    return direction / np.linalg.norm(direction)


def _floor_and_ceiling(build: Builder, size: np.ndarray) -> None:
    u, (lx, ly, lz) = build.uniform, size
    floor = build.material(0.1, 0.8, 0.4, 0.85)
    build.quad(0 * X, lx * X, ly * Y, floor)
    if build.chance(0.3):  # tiles big enough to be structure
        side = u(0.4, 1.2)
        build.grid(0 * X, lx * X, ly * Y, int(lx / side) + 1, int(ly / side) + 1, u(0.006, 0.02), floor.shade(u(0.3, 0.7)))
    if build.chance(0.35):
        _window_of(build, 0 * X, lx * X, ly * Y, build.material(0.1, 0.9, 0.8, 0.9), 2)  # a rug
    for _ in range(int(build.rng.integers(0, 4))):  # light and shade on the floor: no structure
        corners = np.array([lx, ly]) * np.clip(build.rng.uniform(0, 1, 2) + build.rng.normal(0, 0.2, (4, 2)), 0, 1)
        shape = hull(corners)
        build.polygon(np.c_[shape, np.zeros(len(shape))], floor.shade(u(0.5, 1.9)), level=1, edges=False)
    ceiling = build.material(0.6, 1.0, 0.1, 0.15)
    build.quad(lz * Z, lx * X, ly * Y, ceiling)
    if build.chance(0.15):  # beams
        for k in range(1, int(build.rng.integers(3, 8))):
            y, beam = k * ly / 8, build.material(0.1, 0.8)
            build.box([0, y, lz], lx * X, u(0.08, 0.2) * Y, -u(0.1, 0.25) * Z, beam)
    if build.chance(0.3):  # a strip along the foot of two walls
        strip, height = build.material(0.3, 1.0, 0.2, 0.1), u(0.06, 0.15)
        build.box(0 * X, lx * X, 0.02 * Y, height * Z, strip)
        build.box(0 * X, 0.02 * X, ly * Y, height * Z, strip)
    for _ in range(int(build.rng.integers(0, 6))):
        _round_thing(build, np.array([u(0, lx), u(0, ly), lz - 0.03]), u(0.03, 0.1), bright=True)


def hull(points: np.ndarray) -> np.ndarray:
    """Three or four corners in order around their middle, convex."""
    centre = points.mean(axis=0)
    around = points[np.argsort(np.arctan2(*(points - centre).T[::-1]))]
    turn = np.roll(around, -1, 0) - around
    following = np.roll(turn, -1, 0)
    convex = (turn[:, 0] * following[:, 1] - turn[:, 1] * following[:, 0] > 0).all()
    return around if convex else around[:3]


def _furnish_wall(build: Builder, o: np.ndarray, along: np.ndarray, height: float, wall: Material) -> None:
    length = np.linalg.norm(along)
    inwards = np.cross(Z, along / length)
    at = build.uniform(0.1, 0.8)
    while at < length - 0.6:
        width = build.uniform(0.4, min(2.2, length - at - 0.1))
        kind = build.rng.choice(["window", "door", "picture", "panels", "shelf", "column", "nothing"])
        place = o + at / length * along
        side = width * along / length
        if kind == "window":
            low, high = build.uniform(0.4, 1.2), build.uniform(1.6, height - 0.1)
            window(build, place + low * Z, side, (high - low) * Z, inwards)
        elif kind == "door":
            window(build, place, min(1.0, 1.1 / width) * side, build.uniform(1.9, height - 0.1) * Z, inwards, door=True)
        elif kind == "picture":
            _window_of(build, place + build.uniform(0.8, 1.2) * Z, side, build.uniform(0.4, 1.0) * Z,
                       build.material(0.1, 0.9, 0.9, 0.9), 1)  # fmt: skip
        elif kind == "panels":
            high = build.uniform(0.8, height)
            build.quad(place + 0.02 * inwards, side, high * Z, build.material(0.2, 1.0, 0.4, 0.4))
            build.grid(place + 0.02 * inwards, side, high * Z, int(build.rng.integers(1, 5)), int(build.rng.integers(1, 5)),
                       build.uniform(0.004, 0.02), wall.shade(build.uniform(0.2, 0.7)))  # fmt: skip
        elif kind == "shelf":
            _shelf(build, place, side, build.uniform(0.2, 0.4) * inwards, build.uniform(0.8, height - 0.2))
        elif kind == "column":
            build.box(place, min(width, 0.4) / width * side, build.uniform(0.1, 0.4) * inwards, height * Z, wall, faces="sides")
        at += width + build.uniform(0.05, 0.8)


def _window_of(build: Builder, o: Vector, a: Vector, b: Vector, material: Material, level: int) -> None:
    """A picture or rug with a border, somewhere on the parallelogram."""
    low, high = build.rng.uniform(0.0, 0.35, 2), build.rng.uniform(0.6, 1.0, 2)
    build.decal(o, a, b, (*low, *high), build.material(0.05, 1.0, 0.5, 0.1), level)
    border = build.uniform(0.03, 0.15) * (high - low)
    build.decal(o, a, b, (*(low + border), *(high - border)), material, level + 1)


def window(build: Builder, o: np.ndarray, a: np.ndarray, b: np.ndarray, out: np.ndarray, door: bool = False) -> None:
    """A frame that stands out, with panes or panels in a grid; `out` is the wall's normal."""
    u, width, height = build.uniform, np.linalg.norm(a), np.linalg.norm(b)
    frame = build.material(0.05, 1.0, 0.4, 0.15)
    depth = u(0.01, 0.08)
    build.box(o, a, depth * out, b, frame)
    o = o + depth * out
    columns, rows = (int(build.rng.integers(1, 3)), int(build.rng.integers(1, 5))) if door else build.rng.integers(1, 5, 2)
    if door and build.chance(0.4):
        columns = rows = 1
    bar, rim = u(0.02, 0.07), u(0.03, 0.12)
    glass = door and build.chance(0.3) or not door
    pane = build.material(0.5, 1.3, 0.4, 0.7) if glass and build.chance(0.7) else build.material(0.03, 0.9, 0.3, 0.5)
    pane = pane if glass else frame.shade(u(0.75, 1.25))
    cell_w, cell_h = (width - 2 * rim + bar) / columns, (height - 2 * rim + bar) / rows
    if cell_w < 2 * bar or cell_h < 2 * bar:
        return
    for c in range(columns):
        for r in range(rows):
            left, low = rim + c * cell_w, rim + r * cell_h
            cell = (left / width, low / height, (left + cell_w - bar) / width, (low + cell_h - bar) / height)
            build.decal(o, a, b, cell, pane, 1)
    if door:
        _round_thing(build, o + 0.9 * a + 0.48 * b + 0.05 * out, 0.04)


def _shelf(build: Builder, o: np.ndarray, a: np.ndarray, out: np.ndarray, height: float) -> None:
    material, thick = build.material(0.1, 1.0), build.uniform(0.02, 0.05)
    along = a / np.linalg.norm(a)
    for end in (o, o + a - thick * along):
        build.box(end, thick * along, out, height * Z, material)
    for z in np.linspace(0.05, height - thick, int(build.rng.integers(2, 7))):
        build.box(o + z * Z, a, out, thick * Z, material)
        for _ in range(int(build.rng.integers(0, 4))):
            place = o + z * Z + build.uniform(0.05, 0.8) * a + 0.3 * out
            if build.chance(0.5):
                build.box(place, build.uniform(0.03, 0.15) * along, 0.5 * out, build.uniform(0.08, 0.25) * Z, build.material(0.1, 0.9, 0.8))
            else:
                _round_thing(build, place + 0.1 * Z + 0.4 * out, build.uniform(0.05, 0.12))


def _piece(build: Builder, size: np.ndarray) -> None:
    """Furniture: cabinet, table, sofa, bed, or plain boxes; parallel to the walls more often than not."""
    u = build.uniform
    turn = build.rng.choice([0, 0.5, 1, 1.5]) * np.pi + (build.rng.normal(0, 0.4) if build.chance(0.3) else 0.0)
    a, b = np.array([np.cos(turn), np.sin(turn), 0]), np.array([-np.sin(turn), np.cos(turn), 0])
    width, depth, height = u(0.5, 2.2), u(0.4, 1.1), u(0.35, 1.1)
    o = np.array([u(0.05, 0.95) * size[0], u(0.05, 0.95) * size[1], 0.0])
    material = build.material(0.05, 0.95, 0.6, 0.5)
    kind = build.rng.choice(["cabinet", "table", "sofa", "boxes", "counter"])
    if kind in ("cabinet", "counter"):
        height = u(0.7, 2.0) if kind == "cabinet" else u(0.8, 1.0)
        build.box(o, width * a, depth * b, height * Z, material)
        joint = material.shade(u(0.2, 0.6)) if build.chance(0.8) else material.shade(1.5)
        for origin, side in ((o, width * a), (o + depth * b, width * a)):
            columns, rows = int(build.rng.integers(1, 5)), int(build.rng.integers(1, 5))
            build.grid(origin, side, height * Z, columns, rows, u(0.005, 0.02), joint)
        if kind == "counter":
            rim = u(0.0, 0.05)
            slab = (o - rim * (a + b) + height * Z, (width + 2 * rim) * a, (depth + 2 * rim) * b)
            build.box(*slab, u(0.02, 0.08) * Z, build.material(0.05, 1.0))
            if build.chance(0.5):  # a hob or a sink
                build.decal(o + (height + 0.08) * Z, width * a, depth * b, (0.2, 0.2, 0.6, 0.8), build.material(0.02, 0.4), 1)
    elif kind == "table":
        leg, top = u(0.03, 0.08), u(0.02, 0.06)
        build.box(o + height * Z, width * a, depth * b, top * Z, material)
        for s, t in ((0, 0), (width - leg, 0), (0, depth - leg), (width - leg, depth - leg)):
            build.box(o + s * a + t * b, leg * a, leg * b, height * Z, material)
    elif kind == "sofa":
        seat, arm, back = u(0.3, 0.5), u(0.1, 0.3), u(0.15, 0.3)
        build.box(o, width * a, depth * b, seat * Z, material)
        build.box(o + (depth - back) * b, width * a, back * b, (seat + u(0.2, 0.6)) * Z, material)
        for s in (0.0, width - arm):
            build.box(o + s * a, arm * a, depth * b, (seat + u(0.1, 0.3)) * Z, material)
        for _ in range(int(build.rng.integers(0, 4))):
            centre = o + u(0.2, 0.8) * width * a + (depth - back - 0.1) * b + (seat + 0.2) * Z
            build.blob(centre, u(0.15, 0.3), build.material(0.1, 0.9, 0.8).colour, "cushion")
    else:
        build.box(o, width * a, depth * b, height * Z, material)
        if build.chance(0.6):
            build.box(o + 0.1 * width * a + height * Z, u(0.2, 0.7) * width * a, 0.7 * depth * b, u(0.1, 0.5) * Z, build.material())


def _round_thing(build: Builder, centre: np.ndarray, radius_m: float, bright: bool = False) -> None:
    colour = np.full(3, 1.2) if bright else build.material(0.05, 0.95, 0.8).colour
    build.blob(centre, radius_m, colour, "leaf" if not bright and build.chance(0.35) else "round")

"""Outdoor scenes: houses and streets, steps, and heaps of boxes."""

import numpy as np

from .lines_rooms import hull, window
from .lines_scene import Builder, Scene

X, Y, Z = np.eye(3)


def street(build: Builder) -> Scene:
    """Some buildings on open ground."""
    u = build.uniform
    ground = build.material(0.1, 0.7, 0.5, 1.0)
    build.quad(-60 * (X + Y), 120 * X, 120 * Y, ground, edges=False)
    build.line([60, -60, 0], [60, 60, 0])  # the horizon, where nothing hides it
    if build.chance(0.6):  # a road, and its kerbs
        turn, width = u(0, np.pi), u(3, 8)
        a, b = np.array([np.cos(turn), np.sin(turn), 0]), np.array([-np.sin(turn), np.cos(turn), 0])
        build.quad(u(3, 10) * X - 60 * a, 120 * a, width * b, build.material(0.15, 0.6, 0.2, 0.9), 1)
    for _ in range(int(build.rng.integers(2, 6))):
        distance = u(5, 25)
        _building(build, np.array([distance, u(-0.7, 0.5) * distance - 3, 0.0]))
    for _ in range(int(build.rng.integers(0, 4))):
        _fence(build, np.array([u(4, 14), u(-8, 8), 0.0]))
    for _ in range(int(build.rng.integers(1, 12))):
        height = u(0.3, 4)
        foliage = np.array([0.25, 0.4, 0.15]) * u(0.3, 1.8) * build.rng.uniform(0.7, 1.3, 3)
        build.blob([u(3, 25), u(-12, 12), height], u(0.3, 2.0), foliage, "leaf")
    for _ in range(int(build.rng.integers(0, 16))):  # trees along the horizon
        build.blob([55, u(-45, 45), u(0, 4)], u(3, 9), np.array([0.2, 0.3, 0.15]) * u(0.3, 1.5), "leaf")
    for _ in range(int(build.rng.integers(0, 3))):
        _steps(build, np.array([u(4, 10), u(-4, 4), 0.0]))
    return _look(build, np.array([0, 0, u(0.8, 4.0)]), build.rng.normal(0, 0.35), build.rng.normal(0.06, 0.08))


def heap(build: Builder) -> Scene:
    """Boxes and slabs, at every angle, on a textured ground or in the air."""
    u = build.uniform
    build.quad(-30 * (X + Y), 60 * X, 60 * Y, build.material(0.1, 0.9, 0.5, 0.9), edges=False)
    build.line([30, -30, 0], [30, 30, 0])
    for _ in range(int(build.rng.integers(6, 24))):
        R, _ = np.linalg.qr(build.rng.normal(size=(3, 3)))
        if build.chance(0.6):
            turn = u(0, np.pi)
            R = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1.0]])
        distance = u(2.0, 8.0)
        o = np.array([distance, u(-0.6, 0.4) * distance, u(0, 2.0) if build.chance(0.4) else 0.0])
        a, b, c = R.T * np.exp(build.rng.uniform(np.log(0.15), np.log(2.5), 3))[:, None]
        build.box(o, a, b, c, build.material(0.05, 0.95, 0.8, 0.6))
        if build.chance(0.3):
            build.grid(o, a, c, int(build.rng.integers(1, 6)), int(build.rng.integers(1, 6)), 0.02, build.material())
    for _ in range(int(build.rng.integers(0, 10))):
        kind = str(build.rng.choice(["leaf", "round", "cushion"]))
        build.blob([u(2, 8), u(-3, 3), u(0.1, 1.8)], u(0.1, 0.6), build.material(0.05, 0.95, 0.8).colour, kind)
    if build.chance(0.3):
        _steps(build, np.array([u(2.5, 6), u(-3, 2), 0.0]))
    return _look(build, np.array([0, 0, u(0.5, 3.0)]), build.rng.normal(0, 0.25), -u(0.0, 0.4))


def flat(build: Builder) -> Scene:
    """Triangles and quadrangles without depth, over each other, on a textured ground."""
    u = build.uniform
    build.quad(9 * X - 20 * (Y + Z), 40 * Y, 40 * Z, build.material(0.05, 0.95, 0.6, 0.9), edges=False)
    for k in range(int(build.rng.integers(3, 22))):
        x, size = 8.9 - 0.05 * k, u(0.4, 3.5)
        outline = build.rng.uniform(-5, 5, 2) * [1.0, 0.8] + size * build.rng.uniform(-1, 1, (4, 2))
        outline = hull(outline)[: int(build.rng.integers(3, 5))]
        material = build.material(0.05, 0.95, 0.8, 0.6)
        corners = np.c_[np.full(len(outline), x), outline]
        build.polygon(corners, material)
        if len(outline) == 4 and build.chance(0.3):
            a = corners[1] - corners[0]
            build.quad(corners[0] - 0.02 * X, a, corners[3] - corners[0], material)
            build.grid(corners[0] - 0.02 * X, a, corners[3] - corners[0], *build.rng.integers(1, 7, 2), u(0.01, 0.1), build.material())
    for _ in range(int(build.rng.integers(0, 8))):
        kind = str(build.rng.choice(["leaf", "round", "cushion"]))
        build.blob([7.5, u(-4, 4), u(-3, 3)], u(0.2, 1.2), build.material(0.05, 0.95, 0.8).colour, kind)
    return _look(build, 0 * X, 0.0, 0.0)


def _look(build: Builder, eye: np.ndarray, yaw: float, pitch: float) -> Scene:
    u = build.uniform
    sun = build.rng.normal(size=3) * [1, 1, 0.3] + [-0.3, 0, 0.8]
    return build.look(
        eye, yaw, pitch, build.rng.normal(0, 0.03), u(0.6, 1.3),
        lights=np.array([[u(-2, 6), u(-5, 5), u(3, 8)]]), light_colours=build.rng.uniform(0, 0.4, (1, 3)),
        sun=sun / np.linalg.norm(sun), sun_strength=u(0.2, 0.9), ambient=u(0.2, 0.6),
        sky=np.clip(build.rng.uniform(0.2, 1.1) * build.rng.uniform(0.7, 1.2, (2, 3)), 0, 1.2),
        sky_texture=int(build.rng.integers(len(build.bank))), cloudiness=u(0, 0.5),
    )  # fmt: skip


def _building(build: Builder, o: np.ndarray) -> None:
    u = build.uniform
    turn = build.rng.normal(0, 0.6)
    a, b = np.array([np.cos(turn), np.sin(turn), 0]), np.array([-np.sin(turn), np.cos(turn), 0])
    width, depth, height = u(3, 12), u(3, 14), u(2.6, 10)
    wall = build.material(0.15, 0.95, 0.4, 0.6)
    build.box(o, width * a, depth * b, height * Z, wall)
    for origin, side, out in ((o, depth * b, -a), (o, width * a, -b), (o + depth * b, width * a, b)):
        if build.chance(0.85):
            _windows(build, origin, side, height, out)
        if build.chance(0.3):  # ledges, or cladding in wide bands
            for z in np.arange(u(0.5, 2.5), height, u(0.6, 3.0)):
                build.box(origin + z * Z, side, u(0.02, 0.3) * out, u(0.03, 0.25) * Z, wall.shade(u(0.6, 1.3)))
    top = o + height * Z
    if build.chance(0.45):  # a pitched roof
        rise, over = u(0.8, 3.0), u(0.0, 0.5)
        roof = build.material(0.1, 0.7, 0.6, 0.7)
        ridge = 0.5 * depth * b + rise * Z
        build.quad(top - over * a, (width + 2 * over) * a, ridge, roof)
        build.quad(top - over * a + depth * b, (width + 2 * over) * a, ridge - depth * b, roof)
        for end in (top, top + width * a):
            build.polygon(np.stack([end, end + depth * b, end + ridge]), wall)
    elif build.chance(0.6):  # an overhanging slab
        over = u(0.05, 0.8)
        build.box(top - over * (a + b), (width + 2 * over) * a, (depth + 2 * over) * b, u(0.1, 0.5) * Z, build.material(0.1, 0.95))
    if build.chance(0.4):
        build.box(top + u(0.1, 0.8) * depth * b, u(0.4, 1.0) * a, u(0.4, 1.0) * b, u(0.8, 3.0) * Z, build.material(0.1, 0.8))
    if build.chance(0.5):  # an annex
        beside = o - u(0.5, 3) * a + u(-0.3, 0.7) * depth * b
        build.box(beside, u(2, 5) * a, u(2, 5) * b, u(0.4, 0.9) * height * Z, build.material(0.15, 0.95))


def _windows(build: Builder, o: np.ndarray, side: np.ndarray, height: float, out: np.ndarray) -> None:
    u, length = build.uniform, np.linalg.norm(side)
    along = side / length
    columns, floors = int(build.rng.integers(1, 7)), max(1, int(height / u(2.4, 3.4)))
    width, tall = u(0.4, 0.85) * length / columns, u(0.35, 0.7) * height / floors
    low = u(0.1, 0.3) * height / floors
    state = build.rng.bit_generator.state
    for floor in range(floors):
        for column in range(columns):
            if build.chance(0.85):
                kept, build.rng.bit_generator.state = build.rng.bit_generator.state, state  # all windows alike
                place = o + (column + 0.1) * length / columns * along + (floor * height / floors + low) * Z
                window(build, place, width * along, tall * Z, out)
                build.rng.bit_generator.state = kept
    if build.chance(0.5):
        window(build, o + u(0.1, 0.7) * side, min(1.1, 0.25 * length) * along, min(2.2, 0.9 * height) * Z, out, door=True)


def _fence(build: Builder, o: np.ndarray) -> None:
    u, turn = build.uniform, build.uniform(0, np.pi)
    a, b = np.array([np.cos(turn), np.sin(turn), 0]), np.array([-np.sin(turn), np.cos(turn), 0])
    height, length, material = u(0.5, 2.0), u(2, 8), build.material(0.1, 0.9, 0.3, 0.4)
    if build.chance(0.5):
        build.box(o, length * a, u(0.1, 0.4) * b, height * Z, material)
        return
    for s in np.arange(0, length, u(0.4, 2.0)):
        build.box(o + s * a, 0.08 * a, 0.08 * b, height * Z, material)
    for z in np.linspace(0.3 * height, height, int(build.rng.integers(2, 5))):
        build.box(o + z * Z, length * a, 0.05 * b, -0.07 * Z, material)


def _steps(build: Builder, o: np.ndarray) -> None:
    u, turn = build.uniform, build.uniform(0, 2 * np.pi)
    a, b = np.array([np.cos(turn), np.sin(turn), 0]), np.array([-np.sin(turn), np.cos(turn), 0])
    rise, run, width, material = u(0.12, 0.2), u(0.22, 0.4), u(0.8, 4.0), build.material(0.2, 0.9, 0.3, 0.5)
    for k in range(int(build.rng.integers(3, 12))):
        build.box(o + k * run * b, width * a, run * b, (k + 1) * rise * Z, material)

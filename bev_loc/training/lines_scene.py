"""What a rendered scene is made of, and a builder that puts boxes, panels and blobs into it. z is up, metres."""

from dataclasses import dataclass

import cv2
import numpy as np

Vector = np.ndarray | tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blob:
    """Something without straight edges, facing the camera."""

    centre: np.ndarray  # (3,) world
    radius_m: float
    mask: np.ndarray  # (S, S) float32, above 0.5 inside
    pattern: np.ndarray  # (S, S, 3) float32, multiplies the colour
    colour: np.ndarray  # (3,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Faces, lines, blobs, lights and the camera. Frames: world, and cam (x right, y down, z forward)."""

    corners: np.ndarray  # (F, 4, 3) convex, world; unused ones repeat the last
    counts: np.ndarray  # (F,) corners of each face
    axes: np.ndarray  # (F, 2, 3) texture pixels per metre along world directions
    colours: np.ndarray  # (F, 3) 0..1
    textures: np.ndarray  # (F,) into the bank
    amplitudes: np.ndarray  # (F,) 0: plain
    levels: np.ndarray  # (F,) decals lie on lower levels
    lines: np.ndarray  # (L, 2, 3) world: what is to be detected where it is visible
    blobs: tuple[Blob, ...]
    lights: np.ndarray  # (J, 3) world
    light_colours: np.ndarray  # (J, 3)
    sun: np.ndarray  # (3,) towards it, world, unit
    sun_strength: float
    ambient: float
    bank: np.ndarray  # (T, S, S, 3) float32, mean 1
    sky: np.ndarray  # (2, 3) top and bottom
    sky_texture: int
    cloudiness: float
    exposure: float  # mean brightness of the picture
    focal: float  # in image widths
    R_world_cam: np.ndarray  # (3, 3)
    t_world_cam: np.ndarray  # (3,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """Colour and texture of a face."""

    colour: np.ndarray  # (3,)
    texture: int = 0
    amplitude: float = 0.0
    pixels_per_m: float = 100.0

    def shade(self, factor: float) -> "Material":
        """The same, brighter or darker."""
        return Material(colour=self.colour * factor, texture=self.texture, amplitude=self.amplitude,
                        pixels_per_m=self.pixels_per_m)  # fmt: skip


class Builder:
    """Collects faces, lines and blobs; everything random comes from `rng`."""

    def __init__(self, rng: np.random.Generator, bank: np.ndarray) -> None:
        self.rng = rng
        self.bank = bank
        self.faces: list[tuple] = []
        self.lines: list[tuple[np.ndarray, np.ndarray]] = []
        self.blobs: list[Blob] = []

    def uniform(self, low: float, high: float) -> float:
        """A number between the two."""
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        """True so often."""
        return bool(self.rng.random() < probability)

    def material(self, low: float = 0.1, high: float = 0.95, saturation: float = 0.4, texture: float = 0.5) -> Material:
        """A random one: brightness between low and high, at most so colourful, textured with that probability."""
        grey = self.uniform(low, high)
        colour = np.clip(grey * (1 + saturation * self.rng.uniform(-1, 1, 3) * self.rng.random() ** 2), 0.02, 1.0)
        if not self.chance(texture):
            return Material(colour=colour)
        return Material(
            colour=colour,
            texture=int(self.rng.integers(len(self.bank))),
            amplitude=self.uniform(0.1, 1.0) ** 1.5,
            pixels_per_m=float(np.exp(self.rng.uniform(np.log(80), np.log(400)))),
        )

    def line(self, p: Vector, q: Vector) -> None:
        """An edge that counts."""
        self.lines.append((np.asarray(p, float), np.asarray(q, float)))

    def polygon(self, corners: np.ndarray, material: Material, level: int = 0, edges: bool = True) -> None:
        """A convex face of three or four corners; its outline counts if `edges`."""
        corners = np.asarray(corners, float)
        n = len(corners)
        a = corners[1] - corners[0]
        a = a / max(np.linalg.norm(a), 1e-9)
        b = corners[n - 1] - corners[0]
        b = b - (b @ a) * a
        b = b / max(np.linalg.norm(b), 1e-9)
        padded = np.concatenate([corners, np.repeat(corners[-1:], 4 - n, axis=0)])
        self.faces.append((padded, n, np.stack([a, b]) * material.pixels_per_m, material, level))
        if edges:
            for k in range(n):
                self.line(corners[k], corners[(k + 1) % n])

    def quad(self, o: Vector, a: Vector, b: Vector, material: Material, level: int = 0, edges: bool = True) -> None:
        """The parallelogram at corner `o` with sides a and b."""
        o, a, b = np.asarray(o, float), np.asarray(a, float), np.asarray(b, float)
        self.polygon(np.stack([o, o + a, o + a + b, o + b]), material, level, edges)

    def decal(self, o: Vector, a: Vector, b: Vector, window: tuple[float, float, float, float], material: Material,
              level: int = 1, edges: bool = True) -> None:  # fmt: skip
        """A rectangle (u0, v0, u1, v1 in 0..1) on the parallelogram o, a, b."""
        o, a, b = np.asarray(o, float), np.asarray(a, float), np.asarray(b, float)
        u0, v0, u1, v1 = window
        self.quad(o + u0 * a + v0 * b, (u1 - u0) * a, (v1 - v0) * b, material, level, edges)

    def grid(self, o: Vector, a: Vector, b: Vector, columns: int, rows: int, gap_m: float, material: Material,
             level: int = 1) -> None:  # fmt: skip
        """Dark joints that divide a parallelogram; each joint counts once, over its whole length."""
        o, a, b = np.asarray(o, float), np.asarray(a, float), np.asarray(b, float)
        for n, along, across in ((columns, a, b), (rows, b, a)):
            half = 0.5 * gap_m / max(np.linalg.norm(along), 1e-9)
            for k in range(1, n):
                start = o + (k / n) * along
                self.quad(start - half * along, 2 * half * along, across, material, level, edges=False)
                self.line(start, start + across)

    def box(self, o: Vector, a: Vector, b: Vector, c: Vector, material: Material, *, faces: str = "all") -> None:
        """The parallelepiped at corner `o`; `faces`: all, or 'sides' without top and bottom."""
        o, a, b, c = (np.asarray(v, float) for v in (o, a, b, c))
        far = o + a + b + c
        self.quad(o, a, c, material)
        self.quad(o, b, c, material)
        self.quad(far, -a, -c, material)
        self.quad(far, -b, -c, material)
        if faces == "all":
            self.quad(o, a, b, material, edges=False)
            self.quad(far, -a, -b, material, edges=False)

    def blob(self, centre: Vector, radius_m: float, colour: np.ndarray, kind: str) -> None:
        """A 'leaf' cluster, or a smooth 'round' or 'cushion' shape."""
        mask, pattern = _blob_image(self.rng, kind)
        self.blobs.append(
            Blob(centre=np.asarray(centre, float), radius_m=radius_m, mask=mask, pattern=pattern, colour=colour)
        )

    def look(self, t_world_cam: Vector, yaw: float, pitch: float, roll: float, focal: float, **light) -> Scene:
        """The finished scene seen from there; yaw about z from x, pitch up, focal in image widths."""
        cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        forward = np.array([cy * cp, sy * cp, sp])
        right = np.array([sy, -cy, 0.0])
        down = np.cross(forward, right)
        turned = np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right
        corners, counts, axes, materials, levels = zip(*self.faces)
        return Scene(
            corners=np.stack(corners), counts=np.array(counts), axes=np.stack(axes),
            colours=np.stack([m.colour for m in materials]).astype(np.float32),
            textures=np.array([m.texture for m in materials]), amplitudes=np.array([m.amplitude for m in materials]),
            levels=np.array(levels), lines=np.array(self.lines).reshape(-1, 2, 3), blobs=tuple(self.blobs), bank=self.bank,
            R_world_cam=np.stack([*turned, forward], axis=1), t_world_cam=np.asarray(t_world_cam, float), focal=focal,
            exposure=self.uniform(0.25, 0.6), **light,
        )  # fmt: skip


def _blob_image(rng: np.random.Generator, kind: str, side: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Mask (S, S) and shading (S, S, 3)."""
    mask = np.zeros((side, side), np.float32)
    pattern = np.ones((side, side, 3), np.float32)
    if kind == "leaf":
        for _ in range(int(rng.integers(25, 110))):
            centre = rng.normal(side / 2, side / 6.5, 2)
            size = rng.uniform(1.5, side / rng.uniform(6, 14), 2)
            ellipse = (tuple(map(float, centre)), tuple(map(float, 2 * size)), float(rng.uniform(0, 180)))
            tone = tuple(map(float, rng.uniform(0.35, 1.5) * rng.uniform(0.9, 1.1, 3)))
            cv2.ellipse(mask, ellipse, 1.0, -1)
            cv2.ellipse(pattern, ellipse, tone, -1)
        return mask, pattern
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    if kind == "cushion":  # a square with round corners and bulging sides
        power = rng.uniform(2.5, 6)
        radius = (np.abs(np.cos(angle)) ** power + np.abs(np.sin(angle)) ** power) ** (-1 / power)
        radius = radius * (1 + 0.06 * np.sin(angle * rng.integers(2, 5) + rng.uniform(0, 6)))
    else:
        radius = 1 + sum(rng.normal(0, 0.12 / k) * np.sin(k * angle + rng.uniform(0, 6)) for k in range(2, 6))
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.5, 1.0)
    outline = np.stack([radius * np.cos(angle), stretch * radius * np.sin(angle)], axis=1)
    outline = outline @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    outline *= 0.48 * side / np.abs(outline).max()
    cv2.fillPoly(mask, [np.round(outline + side / 2).astype(np.int32)], 1.0)
    rows, columns = np.mgrid[0:side, 0:side] / side - 0.5
    direction = rng.uniform(0, 2 * np.pi)
    pattern *= (1 + 0.8 * (rows * np.sin(direction) + columns * np.cos(direction)))[..., None].astype(np.float32)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), side / rng.uniform(6, 30))
    pattern *= (1 + 0.15 * noise / max(noise.std(), 1e-6))[..., None]
    return mask, pattern

"""A z-buffer for planar faces and blobs: the image of a scene and exactly which parts of its edges are seen."""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from .lines_scene import Scene

_OVERSAMPLE = 2  # pixels are averaged 2 x 2: straight edges without stairs
_CONTRAST = 3.5 / 255.0  # an edge with less between its two sides cannot be seen, and is not a label
_MIN_LENGTH_PX = 9.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rendering:
    """A labelled picture."""

    image: np.ndarray  # (H, W, 3) uint8, RGB
    segments: np.ndarray  # (N, 4) float32, x1 y1 x2 y2, pixel centres are whole numbers


def render(scene: Scene, height: int, width: int) -> Rendering:
    """`scene` through its camera; labels are the visible parts of its lines that have contrast."""
    h, w = height * _OVERSAMPLE, width * _OVERSAMPLE
    f = scene.focal * w
    corners_cam = (scene.corners - scene.t_world_cam) @ scene.R_world_cam
    inverse_z = np.zeros((h, w), np.float32)
    ids = np.full((h, w), -1, np.int32)
    planes = _rasterise(corners_cam, scene.counts, scene.levels, f, inverse_z, ids)
    colours = _background(scene, h, w)
    lights_cam = (scene.lights - scene.t_world_cam) @ scene.R_world_cam
    _shade(
        colours, inverse_z, ids, planes, corners_cam[:, 0], scene.axes @ scene.R_world_cam, scene.colours,
        scene.textures, scene.amplitudes, scene.bank, lights_cam, scene.light_colours, scene.sun @ scene.R_world_cam,
        scene.sun_strength, scene.ambient, f,
    )  # fmt: skip
    _paint_blobs(scene, colours, inverse_z, f)
    small = cv2.resize(_exposed(colours, scene.exposure), (width, height), interpolation=cv2.INTER_AREA)
    lines_cam = (scene.lines - scene.t_world_cam) @ scene.R_world_cam
    softened = cv2.GaussianBlur(small, (0, 0), 0.8)
    pieces = _visible(lines_cam, inverse_z, softened, f / _OVERSAMPLE, _OVERSAMPLE, _CONTRAST, _MIN_LENGTH_PX)
    return Rendering(image=np.round(small * 255.0).astype(np.uint8), segments=without_doubles(pieces))


def _background(scene: Scene, h: int, w: int) -> np.ndarray:
    """(h, w, 3) sky: two colours from top to bottom with clouds."""
    ramp = np.linspace(0.0, 1.0, h, dtype=np.float32)[:, None, None]
    sky = scene.sky[0] * (1 - ramp) + scene.sky[1] * ramp
    clouds = cv2.resize(scene.bank[scene.sky_texture], (w, h), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(sky * (1 + scene.cloudiness * (clouds - 1)), dtype=np.float32)


def _exposed(colours: np.ndarray, mean: float) -> np.ndarray:
    """As a camera would meter it: scaled to that mean, highlights clipped."""
    middle = np.clip(colours, 0.0, np.quantile(colours[::8, ::8], 0.95)).mean()
    return np.clip(colours * np.float32(mean / max(float(middle), 1e-3)), 0.0, 1.0)


def _paint_blobs(scene: Scene, colours: np.ndarray, inverse_z: np.ndarray, f: float) -> None:
    """Round things (leaves, cushions, lamps): flat masks at the depth of their centre, never labelled."""
    h, w = inverse_z.shape
    for blob in scene.blobs:
        x, y, z = (blob.centre - scene.t_world_cam) @ scene.R_world_cam
        if z < 0.3:
            continue
        side = int(2 * blob.radius_m * f / z)
        if not 4 <= side <= 2 * w:
            continue
        mask = cv2.resize(blob.mask, (side, side), interpolation=cv2.INTER_LINEAR)
        left, top = int(x * f / z + w / 2 - side / 2), int(y * f / z + h / 2 - side / 2)
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, w), min(top + side, h)
        if x0 >= x1 or y0 >= y1:
            continue
        window = np.s_[y0:y1, x0:x1]
        seen = (mask[y0 - top : y1 - top, x0 - left : x1 - left] > 0.5) & (inverse_z[window] < 1 / z)
        pattern = cv2.resize(blob.pattern, (side, side))[y0 - top : y1 - top, x0 - left : x1 - left]
        colours[window][seen] = (blob.colour * pattern)[seen]
        inverse_z[window][seen] = 1 / z


@njit(cache=True)
def _rasterise(corners, counts, levels, f, inverse_z, ids):
    """Nearest face per pixel; returns (F, 3) with 1/z = plane @ ((u - cx)/f, (v - cy)/f, 1)."""
    h, w = inverse_z.shape
    planes = np.zeros((len(corners), 3))
    xs, ys = np.empty(10), np.empty(10)
    for i in range(len(corners)):
        n = counts[i]
        a, b = corners[i, 1] - corners[i, 0], corners[i, n - 1] - corners[i, 0]
        normal = np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])
        offset = normal @ corners[i, 0]
        if abs(offset) < 1e-9:
            continue
        plane = normal / offset
        planes[i] = plane
        m = _project(corners[i, :n], f, w, h, xs, ys)
        if m < 3:
            continue
        lift = 1.0 + 1e-3 * levels[i]  # decals win over what they lie on
        for row in range(max(0, int(np.ceil(ys[:m].min() - 0.5))), min(h, int(np.floor(ys[:m].max() - 0.5)) + 1)):
            y = row + 0.5
            left, right = 1e9, -1e9
            for k in range(m):
                y0, y1 = ys[k], ys[(k + 1) % m]
                if (y0 <= y) != (y1 <= y):
                    x = xs[k] + (y - y0) / (y1 - y0) * (xs[(k + 1) % m] - xs[k])
                    left, right = min(left, x), max(right, x)
            first, last = max(0, int(np.ceil(left - 0.5))), min(w - 1, int(np.floor(right - 0.5)))
            base = plane[1] * (y - h / 2) / f + plane[2]
            for column in range(first, last + 1):
                value = (plane[0] * (column + 0.5 - w / 2) / f + base) * lift
                if value > inverse_z[row, column]:
                    inverse_z[row, column] = value
                    ids[row, column] = i
    return planes


@njit(cache=True)
def _project(polygon, f, w, h, xs, ys):
    """Clip at the near plane and project into xs, ys; the number of corners."""
    near, m, n = 0.05, 0, len(polygon)
    for k in range(n):
        p, q = polygon[k], polygon[(k + 1) % n]
        if p[2] >= near:
            xs[m], ys[m] = p[0] / p[2] * f + w / 2, p[1] / p[2] * f + h / 2
            m += 1
        if (p[2] >= near) != (q[2] >= near):
            s = (near - p[2]) / (q[2] - p[2])
            xs[m] = (p[0] + s * (q[0] - p[0])) / near * f + w / 2
            ys[m] = (p[1] + s * (q[1] - p[1])) / near * f + h / 2
            m += 1
    return m


@njit(cache=True, fastmath=True)
def _shade(colours, inverse_z, ids, planes, origins, axes, bases, textures, amplitudes, bank, lights, light_colours,
           sun, sun_strength, ambient, f):  # fmt: skip
    """Lambert under point lights and a sun, times a texture that fades where it gets finer than pixels."""
    h, w = ids.shape
    size = bank.shape[1]
    for row in range(h):
        for column in range(w):
            i = ids[row, column]
            if i < 0:
                continue
            x, y = (column + 0.5 - w / 2) / f, (row + 0.5 - h / 2) / f
            a, b, c = planes[i, 0], planes[i, 1], planes[i, 2]
            z = 1.0 / (a * x + b * y + c)
            px, py, pz = x * z, y * z, z
            length = np.sqrt(a * a + b * b + c * c)
            nx, ny, nz = -a / length, -b / length, -c / length  # towards the camera
            ox, oy, oz = px - origins[i, 0], py - origins[i, 1], pz - origins[i, 2]
            u = (axes[i, 0, 0] * ox + axes[i, 0, 1] * oy + axes[i, 0, 2] * oz) % size
            v = (axes[i, 1, 0] * ox + axes[i, 1, 1] * oy + axes[i, 1, 2] * oz) % size
            u0, v0 = int(u) % size, int(v) % size
            u1, v1 = (u0 + 1) % size, (v0 + 1) % size
            fu, fv = u - int(u), v - int(v)
            per_pixel = np.sqrt(axes[i, 0, 0] ** 2 + axes[i, 0, 1] ** 2 + axes[i, 0, 2] ** 2) * z / f
            amplitude = amplitudes[i] / max(1.0, per_pixel / 1.5)
            shine = ambient + sun_strength * max(0.0, nx * sun[0] + ny * sun[1] + nz * sun[2])
            for k in range(3):
                light = shine
                for j in range(len(lights)):
                    lx, ly, lz = lights[j, 0] - px, lights[j, 1] - py, lights[j, 2] - pz
                    distance = np.sqrt(lx * lx + ly * ly + lz * lz) + 1e-6
                    cosine = (nx * lx + ny * ly + nz * lz) / distance
                    light += light_colours[j, k] * max(0.0, cosine) / (0.3 + 0.15 * distance * distance)
                t = bank[textures[i]]
                tile = (t[v0, u0, k] * (1 - fu) + t[v0, u1, k] * fu) * (1 - fv) + (
                    t[v1, u0, k] * (1 - fu) + t[v1, u1, k] * fu
                ) * fv
                colours[row, column, k] = bases[i, k] * light * (1.0 + amplitude * (tile - 1.0))


@njit(cache=True)
def _visible(lines, inverse_z, image, f, oversample, contrast, min_length):
    """(N, 4) runs of each line (L, 2, 3 in the camera) that nothing hides and whose two sides differ."""
    h, w = image.shape[:2]
    near = 0.05
    found = np.empty((8 * len(lines) + 8, 4), np.float32)
    count = 0
    for i in range(len(lines)):
        p, q = lines[i, 0].copy(), lines[i, 1].copy()
        if p[2] < near and q[2] < near:
            continue
        if p[2] < near:
            p = p + (near - p[2]) / (q[2] - p[2]) * (q - p)
        if q[2] < near:
            q = q + (near - q[2]) / (p[2] - q[2]) * (p - q)
        x0, y0, x1, y1 = p[0] / p[2] * f + w / 2, p[1] / p[2] * f + h / 2, q[0] / q[2] * f + w / 2, q[1] / q[2] * f + h / 2
        # Liang-Barsky against the image
        low, high = 0.0, 1.0
        for d, start, most in ((x1 - x0, x0, w - 1.0), (y1 - y0, y0, h - 1.0)):
            if abs(d) < 1e-9:
                if start < 0 or start > most:
                    high = -1.0
                continue
            s0, s1 = -start / d, (most - start) / d
            low, high = max(low, min(s0, s1)), min(high, max(s0, s1))
        length = np.hypot(x1 - x0, y1 - y0)
        if high <= low or length * (high - low) < min_length:
            continue
        steps = int(length * (high - low)) + 1
        nx, ny = -(y1 - y0) / length, (x1 - x0) / length
        begin, end, gap = -1, -1, 0
        for k in range(steps + 1):
            s = low + (high - low) * k / steps
            x, y = x0 + s * (x1 - x0), y0 + s * (y1 - y0)
            value = (1 - s) / p[2] + s / q[2]
            seen = _is_seen(inverse_z, x * oversample, y * oversample, value) and _has_contrast(image, x, y, nx, ny, contrast)
            if seen:
                begin = k if begin < 0 else begin
                end, gap = k, 0
            else:
                gap += 1
            if begin >= 0 and (gap > 7 or k == steps):
                if (end - begin) / steps * length * (high - low) >= min_length and count < len(found):
                    for m, at in ((0, begin), (2, end)):
                        s = low + (high - low) * at / steps
                        found[count, m], found[count, m + 1] = x0 + s * (x1 - x0) - 0.5, y0 + s * (y1 - y0) - 0.5
                    count += 1
                begin = -1
    return found[:count]


@njit(cache=True)
def _is_seen(inverse_z, x, y, value):
    h, w = inverse_z.shape
    nearest = 1e9
    for row in range(max(0, int(y) - 1), min(h, int(y) + 2)):
        for column in range(max(0, int(x) - 1), min(w, int(x) + 2)):
            nearest = min(nearest, inverse_z[row, column])
    return nearest <= value * 1.006 + 1e-4


@njit(cache=True)
def _has_contrast(image, x, y, nx, ny, contrast):
    h, w = image.shape[:2]
    r0, c0 = min(max(int(y - 2 * ny), 0), h - 1), min(max(int(x - 2 * nx), 0), w - 1)
    r1, c1 = min(max(int(y + 2 * ny), 0), h - 1), min(max(int(x + 2 * nx), 0), w - 1)
    r, c = min(max(int(y), 0), h - 1), min(max(int(x), 0), w - 1)
    for k in range(3):
        a, b, m = image[r0, c0, k], image[r1, c1, k], image[r, c, k]
        if abs(a - b) > contrast or abs(m - 0.5 * (a + b)) > contrast:  # a step, or a ridge
            return True
    return False


@njit(cache=True)
def without_doubles(segments, distance_px=3.0):
    """The segments without those that run along a longer one: a person draws such a pair once."""
    n = len(segments)
    lengths = np.empty(n)
    for i in range(n):
        lengths[i] = np.hypot(segments[i, 2] - segments[i, 0], segments[i, 3] - segments[i, 1])
    order = np.argsort(-lengths, kind="mergesort")
    kept = np.zeros(n, np.bool_)
    for i in order:
        covered = 0
        for k in range(11):
            x = segments[i, 0] + k / 10 * (segments[i, 2] - segments[i, 0])
            y = segments[i, 1] + k / 10 * (segments[i, 3] - segments[i, 1])
            for j in range(n):
                if kept[j] and _runs_along(segments[i], segments[j], lengths[i], lengths[j]):
                    dx, dy = (segments[j, 2] - segments[j, 0]) / lengths[j], (segments[j, 3] - segments[j, 1]) / lengths[j]
                    along = (x - segments[j, 0]) * dx + (y - segments[j, 1]) * dy
                    across = abs((y - segments[j, 1]) * dx - (x - segments[j, 0]) * dy)
                    if across < distance_px and -2.0 <= along <= lengths[j] + 2.0:
                        covered += 1
                        break
        kept[i] = covered < 8
    return segments[kept]


@njit(cache=True)
def _runs_along(a, b, length_a, length_b):
    cross = (a[2] - a[0]) * (b[3] - b[1]) - (a[3] - a[1]) * (b[2] - b[0])
    return abs(cross) < 0.12 * length_a * length_b

"""Regions of one direction on line maps: LSD's growing (von Gioi et al. 2010) on the doubled angle, split into parallel lines."""

import numpy as np
from numba import njit


@njit(cache=True)
def grow(heat, tangent, local_mean, min_heat, ridge, max_turn, max_heat_step, min_cells):
    """Regions of one direction: labels (h, w), -1 outside, and (N, 8) weighted moments."""
    h, w = heat.shape
    labels = np.full((h, w), -1, np.int32)
    seeds = _seeds(heat, tangent, local_mean, min_heat, ridge)
    allowed = np.zeros((h, w), np.bool_)
    for s in seeds:
        allowed[s // w, s % w] = True
    moments = np.zeros((len(seeds) // min_cells + 8, 8))
    queue = np.empty(len(seeds) + 1, np.int64)
    across = np.empty(len(seeds) + 1)
    count = 0
    for s in seeds:
        if not allowed[s // w, s % w]:
            continue
        size = _region(s, heat, tangent, allowed, queue, max_turn, max_heat_step)
        if size < min_cells or count + 8 > len(moments):
            continue
        count = _split(queue, size, across, heat, tangent, labels, moments, count, min_cells)
    return labels, moments[:count]


@njit(cache=True)
def _seeds(heat, tangent, local_mean, min_heat, ridge):
    """Cells that may belong to a line, hottest first (counting sort): hot, and not far below a neighbour across the line."""
    h, w = heat.shape
    step_of = np.full(h * w, -1, np.int32)
    steps = np.zeros(1026, np.int64)
    for row in range(h):
        for column in range(w):
            value = heat[row, column]
            if value <= min_heat or value <= local_mean[row, column] + 0.01:
                continue
            angle = 0.5 * np.arctan2(tangent[1, row, column], tangent[0, row, column])
            nx, ny = -np.sin(angle), np.cos(angle)
            beside = max(sample(heat, column + nx, row + ny), sample(heat, column - nx, row - ny))
            if value < ridge * beside:
                continue
            step = 1024 - int(min(value, 1.0) * 1023)
            step_of[row * w + column] = step
            steps[step + 1] += 1
    total = np.cumsum(steps)
    seeds = np.empty(total[-1], np.int64)
    for pixel in range(h * w):
        step = step_of[pixel]
        if step >= 0:
            seeds[total[step]] = pixel
            total[step] += 1
    return seeds


@njit(cache=True)
def _region(seed, heat, tangent, allowed, queue, max_turn, max_heat_step):
    """8-neighbour growing; the cells are queue[:size] and are taken out of `allowed`."""
    h, w = heat.shape
    allowed[seed // w, seed % w] = False
    queue[0] = seed
    size, head = 1, 0
    total_heat = heat[seed // w, seed % w]
    c, s = total_heat * tangent[0, seed // w, seed % w], total_heat * tangent[1, seed // w, seed % w]
    while head < size:
        row, column = queue[head] // w, queue[head] % w
        head += 1
        for r in range(max(0, row - 1), min(h, row + 2)):
            for k in range(max(0, column - 1), min(w, column + 2)):
                if not allowed[r, k] or abs(heat[r, k] - total_heat / size) > max_heat_step:
                    continue
                length = np.hypot(c, s) + 1e-9
                own = np.hypot(tangent[0, r, k], tangent[1, r, k]) + 1e-9
                du = (tangent[0, r, k] / own - c / length) ** 2 + (tangent[1, r, k] / own - s / length) ** 2
                if du > max_turn:
                    continue
                allowed[r, k] = False
                queue[size] = r * w + k
                size += 1
                total_heat += heat[r, k]
                c += heat[r, k] * tangent[0, r, k]
                s += heat[r, k] * tangent[1, r, k]
    return size


@njit(cache=True)
def _split(cells, size, across, heat, tangent, labels, moments, count, min_cells):
    """One region, or several where its profile across the axis has valleys: parallel lines that touch."""
    h, w = heat.shape
    whole = np.zeros(8)
    for i in range(size):
        _add(whole, cells[i], heat, tangent, w)
    x, y, dx, dy, spread = axis(whole)
    low, high = 1e9, -1e9
    for i in range(size):
        across[i] = (cells[i] // w - y) * dx - (cells[i] % w - x) * dy
        low, high = min(low, across[i]), max(high, across[i])
    bins = int((high - low) / 0.5) + 1
    profile = np.zeros(bins)
    for i in range(size):
        profile[int((across[i] - low) / 0.5)] += heat[cells[i] // w, cells[i] % w]
    part = np.zeros(bins, np.int64)
    parts = 1
    if spread > 0.8 and bins >= 7:
        smooth = np.empty(bins)
        for b in range(bins):
            smooth[b] = 0.5 * profile[b] + 0.25 * (profile[max(b - 1, 0)] + profile[min(b + 1, bins - 1)])
        peak, valley, where = smooth[0], smooth[0], 0
        for b in range(1, bins):  # cut where the profile rises again to twice its least value
            if smooth[b] < valley:
                valley, where = smooth[b], b
            elif valley < 0.5 * peak and smooth[b] > 2.0 * valley + 1e-6 and smooth[b] > 0.25 * smooth.max():
                part[where:] += 1
                parts += 1
                peak, valley, where = smooth[b], smooth[b], b
            if smooth[b] > peak:
                peak, valley, where = smooth[b], smooth[b], b
    if parts > 4 or count + parts >= len(moments):
        parts = 1
        part[:] = 0
    for p in range(parts if parts > 1 else 0):  # what fills a valley belongs to neither side
        top = 0.0
        for b in range(bins):
            if part[b] == p:
                top = max(top, profile[b])
        for b in range(bins):
            if part[b] == p and profile[b] < 0.5 * top:
                part[b] = -1
    for p in range(parts):
        total, number = np.zeros(8), 0
        for i in range(size):
            if part[int((across[i] - low) / 0.5)] == p:
                _add(total, cells[i], heat, tangent, w)
                number += 1
        if number < min_cells:
            continue
        for i in range(size):
            if part[int((across[i] - low) / 0.5)] == p:
                labels[cells[i] // w, cells[i] % w] = count
        moments[count] = total
        count += 1
    return count


@njit(cache=True)
def _add(moments, cell, heat, tangent, w):
    row, column = cell // w, cell % w
    weight = heat[row, column]
    moments[0] += weight
    moments[1] += weight * column
    moments[2] += weight * row
    moments[3] += weight * column * column
    moments[4] += weight * column * row
    moments[5] += weight * row * row
    moments[6] += weight * tangent[0, row, column]
    moments[7] += weight * tangent[1, row, column]


@njit(cache=True)
def axis(m):
    """Weighted mean, principal direction, and deviation across it."""
    x, y = m[1] / m[0], m[2] / m[0]
    xx, xy, yy = m[3] / m[0] - x * x, m[4] / m[0] - x * y, m[5] / m[0] - y * y
    half, root = 0.5 * (xx + yy), np.sqrt(0.25 * (xx - yy) ** 2 + xy * xy)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    if root < 0.3 * half:  # nearly round: the learned tangents know better
        angle = 0.5 * np.arctan2(m[7], m[6])
    return x, y, np.cos(angle), np.sin(angle), np.sqrt(max(half - root, 0.0))


@njit(cache=True)
def extremes_of(labels, moments):
    """(N, 2) least and greatest position along each region's axis."""
    n = len(moments)
    extremes = np.empty((n, 2))
    extremes[:, 0], extremes[:, 1] = 1e9, -1e9
    axes = np.empty((n, 4))
    for i in range(n):
        axes[i, 0], axes[i, 1], axes[i, 2], axes[i, 3], _ = axis(moments[i])
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            i = labels[row, column]
            if i >= 0:
                along = (column - axes[i, 0]) * axes[i, 2] + (row - axes[i, 1]) * axes[i, 3]
                extremes[i, 0], extremes[i, 1] = min(extremes[i, 0], along), max(extremes[i, 1], along)
    return extremes


@njit(cache=True)
def sample(image, x, y):
    """Bilinear value; outside: that of the border."""
    h, w = image.shape
    x, y = min(max(x, 0.0), w - 1.001), min(max(y, 0.0), h - 1.001)
    i, j = int(y), int(x)
    fy, fx = y - i, x - j
    return (image[i, j] * (1 - fx) + image[i, j + 1] * fx) * (1 - fy) + (image[i + 1, j] * (1 - fx) + image[i + 1, j + 1] * fx) * fy

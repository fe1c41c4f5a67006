"""Convolutions that turn their filters instead of the image: the cyclic group of eight turns (Cohen and Welling 2016).

A field is eight channels, one per orientation of its filter. When the image turns by 45 degrees, the
channels of a field move on by one and their maps turn: exactly at quarter turns, nearly in between.
Side lengths must stay odd so that the middle pixel keeps its place.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

ORIENTATIONS = 8
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))  # around the middle of a 3 x 3 filter


def turns(side: int) -> np.ndarray:
    """(8, side^2, side^2) matrices: row-major filter -> the filter turned counter-clockwise by n * 45 degrees."""
    step = _ring_step() if side == 3 else _bilinear_step(side)
    places = np.arange(side * side).reshape(side, side)
    quarter = np.eye(side * side)[np.rot90(places).ravel()]
    quarters = [np.linalg.matrix_power(quarter, n) for n in range(4)]
    return np.stack([quarters[n // 2] @ (step if n % 2 else np.eye(side * side)) for n in range(ORIENTATIONS)])


def _ring_step() -> np.ndarray:
    """An eighth of a turn of a 3 x 3 filter moves its ring on by one."""
    step = np.eye(9)
    for n, (row, col) in enumerate(_RING):
        next_row, next_col = _RING[(n + 1) % len(_RING)]
        step[3 * row + col] = np.eye(9)[3 * next_row + next_col]
    return step


def _bilinear_step(side: int) -> np.ndarray:
    middle, step = side // 2, np.zeros((side * side, side * side))
    half = np.sqrt(0.5)
    for row in range(side):
        for col in range(side):
            r, c = row - middle, col - middle
            if r * r + c * c > (middle + 0.5) ** 2:
                continue  # corners leave the disc when they turn
            from_row, from_col = half * (r + c) + middle, half * (c - r) + middle
            for near_row in (int(np.floor(from_row)), int(np.floor(from_row)) + 1):
                for near_col in (int(np.floor(from_col)), int(np.floor(from_col)) + 1):
                    weight = (1 - abs(from_row - near_row)) * (1 - abs(from_col - near_col))
                    if weight > 0 and 0 <= near_row < side and 0 <= near_col < side:
                        step[row * side + col, near_row * side + near_col] += weight
    return step


class GroupConv(nn.Module):
    """Fields to fields; with `lift`, a one-channel image to fields."""

    def __init__(self, fields_in: int, fields_out: int, side: int, *, stride: int = 1, lift: bool = False) -> None:
        super().__init__()
        self.stride, self.side, self.orientations_in = stride, side, 1 if lift else ORIENTATIONS
        fan_in = fields_in * self.orientations_in * side * side
        shape = (fields_out, fields_in, self.orientations_in, side, side)
        self.weight = nn.Parameter(torch.randn(shape) * (2.0 / fan_in) ** 0.5)
        self.register_buffer("turns", torch.from_numpy(turns(side)).float(), persistent=False)

    def filters(self) -> Tensor:
        """(fields_out * 8, fields_in * orientations_in, side, side): the weights in all orientations."""
        outs, ins, orientations, side, _ = self.weight.shape
        flat = self.weight.reshape(outs, ins, orientations, side * side)
        turned = torch.einsum("nqp,oikp->noikq", self.turns, flat)
        if orientations > 1:  # orientation j of the input meets weight j - n in the output's orientation n
            turned = torch.stack([torch.roll(turned[n], n, dims=2) for n in range(ORIENTATIONS)])
        return turned.permute(1, 0, 2, 3, 4).reshape(outs * ORIENTATIONS, ins * orientations, side, side)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, fields_out * 8, H', W')."""
        return functional.conv2d(x, self.filters(), stride=self.stride, padding=self.side // 2)


class FieldNorm(nn.Module):
    """Batch normalisation with one mean and deviation per field, so that no orientation is special."""

    def __init__(self, fields: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(fields)

    def forward(self, x: Tensor) -> Tensor:
        """(N, fields * 8, H, W) -> the same."""
        count, channels, height, width = x.shape
        grouped = x.reshape(count, channels // ORIENTATIONS, ORIENTATIONS * height, width)
        return self.norm(grouped).reshape(x.shape)


class GroupBlock(nn.Module):
    """Two group convolutions around a shortcut."""

    def __init__(self, fields_in: int, fields_out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first = GroupConv(fields_in, fields_out, 3, stride=stride)
        self.first_norm = FieldNorm(fields_out)
        self.second = GroupConv(fields_out, fields_out, 3)
        self.second_norm = FieldNorm(fields_out)
        same = stride == 1 and fields_in == fields_out
        self.shortcut = None if same else GroupConv(fields_in, fields_out, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, fields_in * 8, H, W) -> (N, fields_out * 8, H', W')."""
        inner = functional.relu(self.first_norm(self.first(x)))
        inner = self.second_norm(self.second(inner))
        return functional.relu(inner + (x if self.shortcut is None else self.shortcut(x)))

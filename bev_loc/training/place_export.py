"""The trained equivariant REIN as plain convolutions in an ONNX file: filters turned once, normalisation folded in."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import DependencyError
from ..place.rein_cyclic import SIDE_PX, CyclicRein
from ..place.rein_groups import ORIENTATIONS, FieldNorm, GroupBlock, GroupConv


def fold(conv: GroupConv, norm: FieldNorm | None) -> nn.Conv2d:
    """One plain convolution that does the same."""
    filters = conv.filters().detach()
    plain = nn.Conv2d(filters.shape[1], filters.shape[0], conv.side, stride=conv.stride, padding=conv.side // 2)
    scale, shift = torch.ones(len(filters)), torch.zeros(len(filters))
    if norm is not None:
        inner = norm.norm
        factor = (inner.weight / (inner.running_var + inner.eps).sqrt()).detach()
        scale = factor.repeat_interleave(ORIENTATIONS)
        shift = (inner.bias - inner.running_mean * factor).detach().repeat_interleave(ORIENTATIONS)
    plain.weight.data, plain.bias.data = filters * scale[:, None, None, None], shift
    return plain


class FoldedBlock(nn.Module):
    """A GroupBlock in plain convolutions."""

    def __init__(self, block: GroupBlock) -> None:
        super().__init__()
        self.first, self.second = fold(block.first, block.first_norm), fold(block.second, block.second_norm)
        self.shortcut = None if block.shortcut is None else fold(block.shortcut, None)

    def forward(self, x: Tensor) -> Tensor:
        """As GroupBlock's."""
        inner = self.second(functional.relu(self.first(x)))
        return functional.relu(inner + (x if self.shortcut is None else self.shortcut(x)))


class FoldedRein(nn.Module):
    """A CyclicRein in plain convolutions."""

    def __init__(self, network: CyclicRein) -> None:
        super().__init__()
        self.lift, self.head = fold(network.lift, network.lift_norm), fold(network.head, None)
        self.blocks = nn.Sequential(*(FoldedBlock(block) for block in network.blocks))
        self.pooling = network.pooling

    def forward(self, images: Tensor) -> Tensor:
        """As CyclicRein's."""
        x = self.head(self.blocks(functional.relu(self.lift(images))))
        count, channels, height, width = x.shape
        x = x.reshape(count, channels // ORIENTATIONS, ORIENTATIONS, height, width).amax(2)
        return self.pooling(functional.normalize(x, dim=1), images)


def export(network: CyclicRein, path: Path) -> None:
    """Writes the file that `place/learned.py` reads."""
    try:
        import onnx  # noqa: F401  torch's exporter needs it
    except ImportError:
        raise DependencyError("exporting the network needs onnx: pip install 'onnx>=1.16'") from None
    folded = FoldedRein(network.cpu().eval()).eval()
    image = torch.zeros((1, 1, SIDE_PX, SIDE_PX))
    torch.onnx.export(
        folded, (image,), str(path), dynamo=False, opset_version=17, input_names=["structure"], output_names=["rings"]
    )

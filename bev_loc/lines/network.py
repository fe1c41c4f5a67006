"""LSDNet: a light U-Net from a picture to line heat, doubled-angle tangents and end points. Only training needs torch.

After LSDNet (METHODS: trainable second life of LSD); the angle is regressed as (cos 2t, sin 2t), which has no
jump at 180 degrees, and a fourth channel marks where segments end.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 2  # the maps have one cell for 2 x 2 pixels; cell i is centred on pixel 2 i + 0.5
MULTIPLE = 32  # sides that the network takes


class LineNet(nn.Module):
    """(N, 3, H, W) RGB in 0..1 -> (N, 4, H/2, W/2): heat logit, cos 2t, sin 2t, end-point logit."""

    def __init__(self, channels: tuple[int, int, int, int, int] = (16, 32, 56, 80, 112)) -> None:
        super().__init__()
        a, b, c, d, e = channels
        self.down = nn.ModuleList(
            [
                _block(3, a, 2),
                nn.Sequential(_block(a, b, 2), _block(b, b)),
                nn.Sequential(_block(b, c, 2), _block(c, c)),
                nn.Sequential(_block(c, d, 2), _block(d, d), _block(d, d)),
                nn.Sequential(_block(d, e, 2), _block(e, e)),
            ]
        )
        self.narrow = nn.ModuleList([nn.Conv2d(e, d, 1), nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)])
        self.fuse = nn.ModuleList([_block(d, d), _block(c, c), _block(b, b), _block(a, a)])
        self.head = nn.Conv2d(a, 4, 1)
        nn.init.constant_(self.head.bias[0], -2.5)  # lines are rare, ends rarer: start there
        nn.init.constant_(self.head.bias[3], -4.0)

    def forward(self, image: Tensor) -> Tensor:
        """Raw maps; `Exported` makes them what the second stage reads."""
        levels = []
        for down in self.down:
            image = down(image)
            levels.append(image)
        up = levels.pop()
        for narrow, fuse in zip(self.narrow, self.fuse):
            wider = functional.interpolate(narrow(up), scale_factor=2.0, mode="nearest")
            up = fuse(levels.pop() + wider)
        return self.head(up)


class Exported(nn.Module):
    """What the shipped file holds: (1, H, W, 3) uint8 RGB -> (1, 4, H/2, W/2) heat, cos 2t, sin 2t, ends; 0..1."""

    def __init__(self, network: LineNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Scaling and layout live in the file: nothing to get wrong around it."""
        maps = self.network(image.permute(0, 3, 1, 2).to(torch.float32) * (1.0 / 255.0))
        return torch.cat([torch.sigmoid(maps[:, :1]), maps[:, 1:3], torch.sigmoid(maps[:, 3:])], dim=1)


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )

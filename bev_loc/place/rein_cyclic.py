"""The small equivariant REIN: group convolutions, and NetVLAD over three soft rings around the sensor.

Rotation is exact in the features, so nothing has to be encoded eight times; rings keep near and far
apart, which one sum over the image would mix, and a ring that the sensor did not see is left out of
the comparison instead of speaking against it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .rein_groups import ORIENTATIONS, FieldNorm, GroupBlock, GroupConv
from .structure import MOST_COUNT

SIDE_PX = 129  # rows and columns of the input: 25.6 m around the sensor
CELL_M = 0.4
STRIDE = 4
RING_RADII_M = (3.0, 11.0, 19.0)
RING_WIDTH_M = 2.5
CLUSTERS = 32
CHANNELS = 64  # of a local feature
LEAST_STRUCTURE = 0.01  # share of the cells in a ring's core with structure, below which the ring was not seen


class CyclicRein(nn.Module):
    """About 0.1 million parameters; 129 x 129 in, one unit or zero vector per ring out."""

    def __init__(self, lifted: int = 8, fields: int = 12, channels: int = CHANNELS, clusters: int = CLUSTERS) -> None:
        super().__init__()
        self.lift = GroupConv(1, lifted, 7, stride=2, lift=True)
        self.lift_norm = FieldNorm(lifted)
        self.blocks = nn.Sequential(
            GroupBlock(lifted, fields, stride=2), GroupBlock(fields, fields), GroupBlock(fields, fields)
        )
        self.head = GroupConv(fields, channels, 1)
        self.pooling = RingVlad(channels, clusters)

    def features(self, images: Tensor) -> Tensor:
        """(N, 1, 129, 129) structure in 0..1 -> (N, channels, 33, 33) of unit length per pixel, whatever the heading."""
        x = self.blocks(functional.relu(self.lift_norm(self.lift(images))))
        x = self.head(x)
        count, channels, height, width = x.shape
        x = x.reshape(count, channels // ORIENTATIONS, ORIENTATIONS, height, width).amax(2)
        return functional.normalize(x, dim=1)

    def pictures(self, counts: Tensor) -> Tensor:
        """(N, 1, 129, 129) counts -> as the network takes them, in 0..1."""
        return (counts / MOST_COUNT).clamp(max=1.0)

    def parts(self, features: Tensor, images: Tensor) -> Tensor:
        """Features and the images that they are of -> (N, rings, clusters * channels)."""
        return self.pooling(features, images)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 129, 129) structure in 0..1 -> (N, rings, clusters * channels)."""
        return self.parts(self.features(images), images)


class RingVlad(nn.Module):
    """NetVLAD (Arandjelovic 2016) of the cells near structure, once per ring."""

    def __init__(self, channels: int, clusters: int) -> None:
        super().__init__()
        self.assign = nn.Conv2d(channels, clusters, 1)
        self.centroids = nn.Parameter(0.1 * torch.randn(clusters, channels))
        self.assign.weight.data *= 8.0
        self.register_buffer("rings", ring_weights(), persistent=False)

    def forward(self, features: Tensor, images: Tensor) -> Tensor:
        """(N, C, 33, 33) and (N, 1, 129, 129) -> (N, rings, clusters * C)."""
        structure = functional.max_pool2d((images > 0.04).float(), 5, STRIDE, padding=2)
        near = functional.max_pool2d(structure, 3, 1, padding=1).flatten(2)  # (N, 1, P): empty sectors have no say
        weights = self.rings.flatten(1)[None] * near  # (N, rings, P)
        assignment = functional.softmax(self.assign(features).flatten(2), dim=1)  # (N, K, P)
        weighted = weights[:, :, None] * assignment[:, None]  # (N, rings, K, P)
        sums = weighted.flatten(1, 2) @ features.flatten(2).transpose(1, 2)  # (N, rings * K, C)
        sums = sums.reshape(*weighted.shape[:3], -1)
        residuals = sums - weighted.sum(-1, keepdim=True) * self.centroids
        residuals = functional.normalize(residuals, dim=3).flatten(2)
        core = (self.rings.flatten(1) > 0.5).float()
        seen = (core * structure.flatten(2)).sum(-1, keepdim=True) > LEAST_STRUCTURE * core.sum(-1)[:, None]
        return functional.normalize(residuals, dim=2) * seen


def ring_weights() -> Tensor:
    """(rings, 33, 33) soft membership of each feature cell."""
    side = (SIDE_PX - 1) // STRIDE + 1
    along = (torch.arange(side) - side // 2) * STRIDE * CELL_M
    radius_m = torch.hypot(along[:, None], along[None, :])
    centres = torch.tensor(RING_RADII_M)[:, None, None]
    return torch.exp(-0.5 * ((radius_m - centres) / RING_WIDTH_M) ** 2)

"""REIN as BEVPlace++ publishes it (arXiv 2408.01841): a ResNet-34 trunk on eight turned images, and NetVLAD.

For comparison and for upstream's checkpoints; it needs torch and costs eighty times the default descriptor.
"""

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigError
from ..records import BevImage
from .projection import weights_hash

TURNS = 8
CLUSTERS, CHANNELS = 64, 128
GREY_LEVELS = 256.0
_NUMPY_NUMBERS = [np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType, type(np.float64(0)),
                  np.core.multiarray.scalar if np.__version__ < "2" else np._core.multiarray.scalar]  # fmt: skip
_PREFIXES = ("rem.encoder.", "pooling.")


class _Basic(nn.Module):
    """ResNet's basic block (He et al. 2016); the names are those of upstream's checkpoints."""

    def __init__(self, planes_in: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(planes_in, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride > 1 or planes_in != planes:
            self.downsample = nn.Sequential(nn.Conv2d(planes_in, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(inner + (x if self.downsample is None else self.downsample(x)))


class _Rem(nn.Module):
    """The rotation-equivariant module: encode eight turned images at once, turn the features back, take the maximum."""

    def __init__(self) -> None:
        super().__init__()
        stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        first = nn.Sequential(*(_Basic(64, 64, 1) for _ in range(3)))
        second = nn.Sequential(*(_Basic(64 if n == 0 else 128, 128, 2 if n == 0 else 1) for n in range(4)))
        self.encoder = nn.Sequential(*stem, first, second)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, S, S) -> (N, 128, S / 8, S / 8)."""
        angles = [2.0 * np.pi * n / TURNS for n in range(TURNS)]
        turned = torch.cat([_turned(images, angle) for angle in angles])
        encoded = self.encoder(turned.expand(-1, 3, -1, -1)).chunk(TURNS)  # the trunk is one for colour pictures
        return torch.stack([_turned(maps, -angle) for maps, angle in zip(encoded, angles)]).amax(0)


class _NetVlad(nn.Module):
    """Aggregation of local features (Arandjelovic et al. 2016)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(CHANNELS, CLUSTERS, 1, bias=False)
        self.centroids = nn.Parameter(torch.rand(CLUSTERS, CHANNELS))

    def forward(self, features: Tensor) -> Tensor:
        assignment = functional.softmax(self.conv(features).flatten(2), dim=1)  # (N, clusters, P)
        sums = assignment @ features.flatten(2).transpose(1, 2)
        residuals = sums - assignment.sum(2, keepdim=True) * self.centroids
        return functional.normalize(functional.normalize(residuals, dim=2).flatten(1), dim=1)


class Rein(nn.Module):
    """1.36 million parameters; `rem` and `pooling` are named as upstream names them."""

    def __init__(self) -> None:
        super().__init__()
        self.rem, self.pooling = _Rem(), _NetVlad()

    def pictures(self, counts: Tensor) -> Tensor:
        """(N, 1, S, S) counts -> as the network takes them: each image over its own maximum."""
        return counts * (255.0 / GREY_LEVELS) / counts.amax((1, 2, 3), keepdim=True).clamp(min=1.0)

    def features(self, images: Tensor) -> Tensor:
        """(N, 1, S, S) in 0..1 -> (N, 128, S / 4, S / 4) of unit length per pixel."""
        side = [images.shape[2] // 4, images.shape[3] // 4]
        features = functional.interpolate(self.rem(images), side, mode="bilinear", align_corners=True)
        return functional.normalize(features, dim=1)

    def parts(self, features: Tensor, images: Tensor) -> Tensor:
        """(N, 128, P, Q) -> (N, 1, 8192): one part, of unit length."""
        return self.pooling(features)[:, None]

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, S, S) in 0..1 -> (N, 8192) of unit length."""
        return self.pooling(self.features(images))

    def local_features(self, images: Tensor, pixels_rc: Tensor) -> Tensor:
        """(P, 128) of unit length at (P, 2) rows and columns of one image (1, 1, S, S): never a full-size map."""
        features = self.rem(images)
        last = torch.tensor([images.shape[3] - 1, images.shape[2] - 1])
        grid = (2.0 * pixels_rc.flip(1) / last - 1.0)[None, None].to(features)
        sampled = functional.grid_sample(features, grid, mode="bilinear", align_corners=True)
        return functional.normalize(sampled[0, :, 0].T, dim=1)


def _turned(maps: Tensor, angle_rad: float) -> Tensor:
    """Counter-clockwise about the middle; bicubic, zeros from outside."""
    cosine, sine = float(np.cos(angle_rad)), float(np.sin(angle_rad))
    theta = torch.tensor([[cosine, -sine, 0.0], [sine, cosine, 0.0]], device=maps.device)  # float32 in mixed precision too
    grid = functional.affine_grid(theta.expand(len(maps), 2, 3), list(maps.shape), align_corners=True)
    return functional.grid_sample(maps, grid, mode="bicubic", padding_mode="zeros", align_corners=True)


def load_upstream(path: Path) -> Rein:
    """The network with the weights of an upstream checkpoint; ConfigError when the file is none."""
    if not path.is_file():
        raise ConfigError(f"place.checkpoint: {path} is no file; name a BEVPlace++ checkpoint")
    try:
        with torch.serialization.safe_globals(_NUMPY_NUMBERS):  # upstream stores its recall beside the weights
            saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ConfigError(f"place.checkpoint: {path} cannot be read as a torch checkpoint ({reason})") from None
    state = saved.get("state_dict", saved) if isinstance(saved, dict) else {}
    state = {name.removeprefix("module."): value for name, value in state.items()}
    state = {name: value for name, value in state.items() if name.startswith(_PREFIXES)}
    network = Rein()
    missing = [name for name in network.state_dict() if name not in state and not name.endswith("num_batches_tracked")]
    if missing:
        raise ConfigError(f"place.checkpoint: {path} lacks {missing[0]} and {len(missing) - 1} more; name a BEVPlace++ checkpoint")
    network.load_state_dict(state, strict=False)
    return network.eval()


class UpstreamRein:
    """Describer with an upstream checkpoint."""

    dimension = CLUSTERS * CHANNELS

    def __init__(self, path: Path) -> None:
        self._network = load_upstream(path)
        self.name = f"bevplace-{weights_hash((), path)}"

    def describe(self, image: BevImage) -> np.ndarray:
        """(8192,) float32 of unit length; zeros for an empty image."""
        if not image.counts.any():
            return np.zeros(self.dimension, np.float32)
        counts = torch.from_numpy(image.counts.astype(np.float32))[None, None]
        with torch.inference_mode():
            return self._network(self._network.pictures(counts))[0].numpy()

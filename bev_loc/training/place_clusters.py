"""The first NetVLAD clusters of the paper's REIN, from its own local features (Arandjelovic et al. 2016, section 3.1)."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..place.rein import CLUSTERS, Rein
from .place_batches import PlaceBatches
from .place_loop import counts_of

FEATURES, BATCHES = 10_000, 8
ROUNDS = 20  # of k-means
SECOND_SHARE = 0.01  # of the second nearest cluster in the assignment, in the mean
MOST_SHARPNESS = 50.0  # an untrained trunk's features hardly differ: their clusters would be told apart too sharply


def initialise(network: Rein, batches: PlaceBatches, seed: int, device: str) -> None:
    """Sets centroids and assignment in place."""
    network.to(device).train()
    rng, rows = np.random.default_rng([seed, 0, 0]), []
    with torch.no_grad():
        for _ in range(BATCHES):
            images = network.pictures(counts_of(batches.draw(rng)).to(device))
            features = network.features(images).flatten(2).transpose(1, 2).flatten(0, 1)
            rows.append(features[torch.from_numpy(rng.integers(len(features), size=FEATURES // BATCHES)).to(device)])
        features = torch.cat(rows)
        centroids = _centroids(features, rng)
        directions = functional.normalize(centroids, dim=1)
        best, second = (features @ directions.T).topk(2, dim=1).values.T
        sharpness = min(-np.log(SECOND_SHARE) / float((best - second).mean()), MOST_SHARPNESS)
        network.pooling.centroids.copy_(centroids)
        network.pooling.conv.weight.copy_(sharpness * directions[:, :, None, None])


def _centroids(features: Tensor, rng: np.random.Generator) -> Tensor:
    """(CLUSTERS, C) of (N, C) by k-means; a cluster that nobody is nearest to stays where it is."""
    centroids = features[torch.from_numpy(rng.choice(len(features), CLUSTERS, replace=False)).to(features.device)].clone()
    for _ in range(ROUNDS):
        nearest = torch.cdist(features, centroids).argmin(1)
        member = functional.one_hot(nearest, CLUSTERS).to(features)
        counts = member.sum(0)[:, None]
        centroids = torch.where(counts > 0, member.T @ features / counts.clamp(min=1.0), centroids)
    return centroids

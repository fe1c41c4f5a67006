"""The exported networks give what the trained one gives: folded in float32, and calibrated in int8."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch absent: pip install 'bev_loc[train]'")
pytest.importorskip("onnx", reason="onnx absent: pip install 'bev_loc[train]'")

from bev_loc.place import projection  # noqa: E402
from bev_loc.place.rein_cyclic import SIDE_PX, CyclicRein  # noqa: E402
from bev_loc.place.ring_network import INPUT, open_network  # noqa: E402
from bev_loc.training.export_int8 import quantise  # noqa: E402
from bev_loc.training.place_export import export  # noqa: E402


@pytest.fixture(scope="module")
def streets() -> list[np.ndarray]:
    """Images (1, 1, S, S) of walls in 0..1."""
    rng, images = np.random.default_rng(0), []
    for _ in range(12):
        image = np.zeros((1, 1, SIDE_PX, SIDE_PX), np.float32)
        for _ in range(40):
            row, col, length = *rng.integers(0, SIDE_PX, 2), int(rng.integers(5, 40))
            if rng.random() < 0.5:
                image[0, 0, row, col : col + length] = rng.integers(1, 11) / 10
            else:
                image[0, 0, row : row + length, col] = rng.integers(1, 11) / 10
        images.append(image)
    return images


@pytest.fixture(scope="module")
def network() -> CyclicRein:
    """Random weights, and normalisation as training leaves it: not the identity."""
    torch.manual_seed(3)
    network = CyclicRein(lifted=4, fields=4, channels=16, clusters=8)
    for name, values in network.named_buffers():
        if name.endswith("running_mean"):
            values.normal_(0.0, 0.1)
        if name.endswith("running_var"):
            values.uniform_(0.5, 2.0)
    return network.eval()


def _rings(model: Path, images: list[np.ndarray]) -> np.ndarray:
    network = open_network(model)
    return np.concatenate([network.run(None, {INPUT: image})[0] for image in images])


def test_the_folded_network_gives_the_trained_ones_numbers(network, streets, tmp_path):
    with torch.inference_mode():
        expected = network(torch.from_numpy(np.concatenate(streets))).numpy()
    export(network, tmp_path / "network.onnx")
    np.testing.assert_allclose(_rings(tmp_path / "network.onnx", streets), expected, atol=2e-5)


def test_int8_of_the_shipped_network_is_smaller_and_describes_images_it_has_not_seen_alike(streets, tmp_path):
    small = tmp_path / "int8.onnx"
    quantise(projection.NETWORK, streets[:8], small)
    assert small.stat().st_size < 0.4 * projection.NETWORK.stat().st_size
    exact, coarse = _rings(projection.NETWORK, streets[8:]), _rings(small, streets[8:])
    seen = np.linalg.norm(exact, axis=2) > 0.5
    np.testing.assert_array_equal(np.linalg.norm(coarse, axis=2) > 0.5, seen)
    likeness = (exact * coarse).sum(2)[seen]
    assert likeness.min() > 0.97
    others = (exact * np.roll(coarse, 1, axis=0)).sum(2)
    assert others.max() < likeness.min()

"""Training of place descriptors by several processes, in stages, and of the paper's network."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch absent: pip install 'bev_loc[train]'")

from bev_loc.errors import DependencyError  # noqa: E402
from bev_loc.place.rein import CHANNELS, CLUSTERS, Rein, load_upstream  # noqa: E402
from bev_loc.place.rein_cyclic import CyclicRein  # noqa: E402
from bev_loc.training.device import require  # noqa: E402
from bev_loc.training.place import PlaceOptions, run  # noqa: E402
from bev_loc.training.place_batches import Batch, PlaceBatches  # noqa: E402
from bev_loc.training.place_clusters import initialise  # noqa: E402
from bev_loc.training.place_data import PlaceData  # noqa: E402
from bev_loc.training.place_loop import PlaceTraining, train  # noqa: E402

CREW = """
import sys
from pathlib import Path
import torch
from bev_loc.place.rein_cyclic import CyclicRein
from bev_loc.training import crew
from bev_loc.training.place_batches import PlaceBatches
from bev_loc.training.place_data import load
from bev_loc.training.place_loop import PlaceTraining, train

folder, us = Path(sys.argv[1]), crew.join("cpu")
torch.manual_seed(0)
network = CyclicRein(2, 2, 8, 4)
train(network, PlaceBatches(load(folder / "set.npz")), PlaceTraining(steps=2), folder / f"{us.size}.pt", lambda text: None, us)
torch.save(network.state_dict(), folder / f"{us.rank}_of_{us.size}.pth")
"""


@pytest.fixture(scope="module")
def data() -> PlaceData:
    """30 frames of noise, ten metres apart."""
    rng = np.random.default_rng(0)
    pictures = np.where(rng.random((30, 151, 151)) < 0.07, rng.integers(30, 256, (30, 151, 151)), 0).astype(np.uint8)
    positions_m = np.column_stack([10.0 * np.arange(30), np.zeros(30)])
    return PlaceData(pictures=pictures, positions_m=positions_m, drives=np.zeros(30, int), clouds=np.full(30, -1))


def test_two_processes_under_torchrun_end_with_one_network_that_saw_both_their_batches(data, tmp_path):
    data.save(tmp_path / "set.npz")
    (tmp_path / "crew.py").write_text(CREW)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    call = [sys.executable, *launcher, str(tmp_path / "crew.py"), str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    torch.manual_seed(0)
    alone = CyclicRein(2, 2, 8, 4)
    train(alone, PlaceBatches(data), PlaceTraining(steps=2), tmp_path / "1.pt", lambda text: None)
    first, second = (torch.load(tmp_path / f"{rank}_of_2.pth") for rank in (0, 1))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=0, rtol=0, msg=name)
    assert (alone.lift.weight != first["lift.weight"]).any()
    kept = torch.load(tmp_path / "2.pt")["network"]
    torch.testing.assert_close(kept["lift_norm.norm.running_mean"], second["lift_norm.norm.running_mean"])


def test_a_stage_ends_at_a_checkpoint_when_its_time_is_over_and_the_next_one_goes_on(data, tmp_path):
    training, said = PlaceTraining(steps=4, save_every=2, most_s=10.0), []
    seconds = iter((0.0, 11.0, 100.0))
    batches, network = PlaceBatches(data), CyclicRein(2, 2, 8, 4)
    assert not train(network, batches, training, tmp_path / "a.pt", said.append, clock=lambda: next(seconds))
    assert torch.load(tmp_path / "a.pt")["step"] == 2
    assert train(CyclicRein(2, 2, 8, 4), batches, training, tmp_path / "a.pt", said.append, clock=lambda: next(seconds))
    assert [text.split(":")[0] for text in said] == ["step 2 of 4", "step 4 of 4"]


class _OneImage(PlaceBatches):
    """Real batches cut to one image: the paper's network takes seconds for a whole one."""

    def draw(self, rng: np.random.Generator) -> Batch:
        batch = super().draw(rng)
        return Batch(pictures=batch.pictures[:1], positions_m=batch.positions_m[:1])


def test_the_first_clusters_of_the_papers_network_are_means_of_its_features(data):
    torch.manual_seed(0)
    network = Rein()
    initialise(network, _OneImage(data), 0, "cpu")
    centroids, weights = network.pooling.centroids.detach(), network.pooling.conv.weight.detach()[:, :, 0, 0]
    assert centroids.shape == (CLUSTERS, CHANNELS) and (centroids.norm(dim=1) <= 1.0).all()
    assert (centroids.norm(dim=1) > 0.5).all()  # means of unit vectors that are near each other
    cosine = torch.nn.functional.cosine_similarity(weights, centroids)
    torch.testing.assert_close(cosine, torch.ones(CLUSTERS))


@pytest.mark.bench
def test_the_papers_network_is_trained_to_a_checkpoint_with_upstreams_names(data, tmp_path):
    (tmp_path / "out").mkdir()
    data.save(tmp_path / "out" / "training_set.npz")
    options = PlaceOptions(
        images=tmp_path, poses=tmp_path, out=tmp_path / "out", frames=30, worlds=0, threads=2, descriptor="bevplace",
        training=PlaceTraining(steps=2),
    )  # fmt: skip
    [weights] = run(options, lambda text: None)
    assert not load_upstream(weights).training


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    require("cpu")
    with pytest.raises(DependencyError, match="--device cpu"):
        require("cuda")

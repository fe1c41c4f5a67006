"""Training of the place descriptor: the loss by hand, seeded batches, an interrupted run that ends like an unbroken one."""

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch absent: pip install 'bev_loc[train]'")

from bev_loc.errors import OutputError, SourceError  # noqa: E402
from bev_loc.evaluation.bev_folder import to_image  # noqa: E402
from bev_loc.place.rein_cyclic import CyclicRein  # noqa: E402
from bev_loc.place.ring_network import open_network, rings  # noqa: E402
from bev_loc.training.place import PlaceOptions, run  # noqa: E402
from bev_loc.training.place_batches import SPOTS, VIEWS, ZONES, PlaceBatches  # noqa: E402
from bev_loc.training.place_data import PlaceData, load  # noqa: E402
from bev_loc.training.place_loop import TEMPERATURE, PlaceTraining, contrast, train  # noqa: E402
from bev_loc.training.place_projection import learn  # noqa: E402


@pytest.fixture(scope="module")
def batches() -> PlaceBatches:
    """60 frames of noise, ten metres apart."""
    rng = np.random.default_rng(0)
    pictures = np.where(rng.random((60, 151, 151)) < 0.07, rng.integers(30, 256, (60, 151, 151)), 0).astype(np.uint8)
    positions_m = np.column_stack([10.0 * np.arange(60), np.zeros(60)])
    return PlaceBatches(PlaceData(pictures=pictures, positions_m=positions_m, drives=np.zeros(60, int), clouds=np.full(60, -1)))


def test_the_loss_is_infonce_over_every_positive():
    rings = torch.nn.functional.normalize(torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0)), dim=2)
    positions_m = torch.tensor([[0.0, 0.0], [3.0, 0.0], [6.5, 0.0], [50.0, 0.0]])
    s = torch.einsum("ird,jrd->ij", rings, rings).numpy() / 3 / TEMPERATURE

    def term(i: int, p: int, negatives: list[int]) -> float:
        return float(-np.log(np.exp(s[i, p]) / (np.exp(s[i, p]) + np.exp(s[i, negatives]).sum())))

    expected = [term(0, 1, [3]), (term(1, 0, [3]) + term(1, 2, [3])) / 2, term(2, 1, [3]), 0.0]  # 6.5 m is neither
    assert contrast(rings, positions_m).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_a_ring_that_one_image_did_not_see_does_not_count():
    rings = torch.nn.functional.normalize(torch.randn(3, 3, 5, generator=torch.Generator().manual_seed(1)), dim=2)
    rings[0, 2] = 0.0
    positions_m = torch.tensor([[0.0, 0.0], [1.0, 0.0], [90.0, 0.0]])
    s = torch.einsum("ird,jrd->ijr", rings, rings).numpy()
    two, three = s[..., :2].mean(-1) / TEMPERATURE, s.mean(-1) / TEMPERATURE
    expected = [np.log1p(np.exp(two[0, 2] - two[0, 1])), np.log1p(np.exp(three[1, 2] - two[1, 0])), 0.0]
    assert contrast(rings, positions_m).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_a_batch_is_zones_of_neighbouring_spots_and_a_function_of_its_seed(batches):
    one, again, other = (batches.draw(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.pictures.shape == (ZONES * SPOTS * VIEWS, 129, 129)
    np.testing.assert_array_equal(one.pictures, again.pictures)
    assert (one.pictures != other.pictures).any()
    views = one.positions_m.reshape(-1, VIEWS, 2)
    assert (np.linalg.norm(views[:, 0] - views[:, 1], axis=1) < 4.0).all()


def test_an_interrupted_run_ends_like_an_unbroken_one(batches, tmp_path):
    training = PlaceTraining(steps=4, save_every=2)

    def trained(name: str, interrupted: bool) -> dict[str, torch.Tensor]:
        def say(text: str) -> None:
            if interrupted and "step 2 " in text:
                raise KeyboardInterrupt

        torch.manual_seed(0)
        network = CyclicRein(2, 2, 8, 4)
        if interrupted:
            with pytest.raises(KeyboardInterrupt):
                train(network, batches, training, tmp_path / name, say)
            network = CyclicRein(2, 2, 8, 4)
        train(network, batches, training, tmp_path / name, lambda text: None)
        return network.state_dict()

    straight, resumed = trained("a.pt", False), trained("b.pt", True)
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value, atol=0, rtol=0, msg=name)


def test_the_projection_keeps_what_differs_between_places_and_not_what_damage_changes():
    rng = np.random.default_rng(0)
    places = rng.normal(size=80)
    positions_m = np.column_stack([10.0 * np.arange(80), np.zeros(80)])
    data = PlaceData(pictures=np.zeros((80, 151, 151), np.uint8), positions_m=positions_m, drives=np.zeros(80, int), clouds=np.full(80, -1))
    calls = iter(range(10_000))

    def parts_of(counts: np.ndarray) -> np.ndarray:
        n = next(calls)  # of each place: as it is, turned, lightly and twice heavily changed
        place, view = n // 5, n % 5
        return np.array([[places[place], 0.0 if view == 0 else 5.0 * rng.normal(), 1.0]])

    [(mean, basis)] = learn(data, 1, parts_of, [1], seed=0)
    assert mean.shape == (3,) and abs(basis[0, 0]) > 10 * abs(basis[1, 0])


def test_the_turn_of_a_cloud_is_its_other_drawing_and_half_of_its_views_are_not_turned_as_pictures():
    rng = np.random.default_rng(0)
    pictures = np.where(rng.random((120, 151, 151)) < 0.05, 255, 0).astype(np.uint8)
    positions_m = np.column_stack([10.0 * np.arange(60).repeat(2), np.zeros(120)])
    data = PlaceData(pictures=pictures, positions_m=positions_m, drives=np.zeros(120, int), clouds=np.arange(60).repeat(2))
    seen = []

    def parts_of(counts: np.ndarray) -> np.ndarray:
        seen.append(counts)
        return np.random.default_rng(len(seen)).normal(size=(1, 3))

    learn(data, 1, parts_of, [1], seed=0)
    assert len(seen) == 60 * 5  # of each cloud: a drawing, another one, a light view and two heavy ones
    for n in range(60):
        for view in range(2):
            np.testing.assert_array_equal(seen[5 * n + view], to_image(pictures[2 * n + view]).counts)
    light = seen[2::5]
    kept = np.mean([not np.isin(counts, range(1, 10)).any() for counts in light])  # nothing between nothing and all
    assert 0.3 < kept < 0.7


def test_what_turns_change_in_the_real_drive_weighs_more_than_what_they_change_in_drawn_clouds():
    rng = np.random.default_rng(0)
    places = 0.5 * rng.normal(size=(120, 2))
    positions_m = np.column_stack([10.0 * np.concatenate([np.arange(60), 60 + np.arange(60).repeat(2)]), np.zeros(180)])
    clouds = np.concatenate([np.full(60, -1), np.arange(60).repeat(2)])
    data = PlaceData(pictures=np.zeros((180, 151, 151), np.uint8), positions_m=positions_m, drives=np.zeros(180, int), clouds=clouds)
    calls = iter(range(10_000))

    def parts_of(counts: np.ndarray) -> np.ndarray:
        place, view = divmod(next(calls), 5)  # as it is, turned, lightly and twice heavily changed
        turn = 0.5 * rng.normal() * (view == 1)
        real = place < 60
        return np.array([[places[place, 0] + turn * real, places[place, 1] + turn * (not real), 1.0]])

    [(_, basis)] = learn(data, 1, parts_of, [2], seed=0)
    kept = np.linalg.norm(basis, axis=1)
    assert kept[1] > 2 * kept[0]


def test_a_second_view_may_come_from_another_drive_through_the_same_place():
    pictures = np.zeros((40, 151, 151), np.uint8)
    pictures[:20, 75, 75], pictures[20:, 75, 75] = 100, 200
    positions_m = np.column_stack([np.tile(12.0 * np.arange(20), 2), np.repeat([0.0, 3.5], 20)])
    data = PlaceData(pictures=pictures, positions_m=positions_m, drives=np.repeat([0, 1], 20), clouds=np.full(40, -1))
    batch = PlaceBatches(data).draw(np.random.default_rng(0))
    pairs = batch.positions_m.reshape(-1, VIEWS, 2)[:, :, 1]
    assert (pairs[:, 0] != pairs[:, 1]).any() and (pairs[:, 0] == pairs[:, 1]).any()


def test_a_training_set_is_one_file(tmp_path):
    data = PlaceData(pictures=np.ones((3, 5, 5), np.uint8), positions_m=np.ones((3, 2)), drives=np.arange(3), clouds=np.array([-1, 0, 0]))
    data.save(tmp_path / "set.npz")
    again = load(tmp_path / "set.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["set.npz"]
    np.testing.assert_array_equal(again.pictures, data.pictures)
    assert again.drawn.tolist() == [False, True, True]
    whole = (tmp_path / "set.npz").read_bytes()
    for damaged in (b"no archive", b"", whole[: len(whole) // 2]):
        (tmp_path / "set.npz").write_bytes(damaged)
        with pytest.raises(SourceError, match="set.npz"):
            load(tmp_path / "set.npz")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve pictures of noise with poses, ten metres apart."""
    rng = np.random.default_rng(0)
    (tmp_path / "imgs").mkdir()
    for n in range(12):
        picture = np.where(rng.random((151, 151)) < 0.07, rng.integers(30, 256, (151, 151)), 0).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "imgs" / f"{n:06d}.png"), picture)
    poses = np.tile(np.eye(4)[:3], (12, 1, 1))
    poses[:, 0, 3] = 10.0 * np.arange(12)
    np.savetxt(tmp_path / "pose.txt", poses.reshape(12, 12))
    return tmp_path


def _options(folder: Path, name: str, descriptor: str, frames: int = 10) -> PlaceOptions:
    return PlaceOptions(
        images=folder / "imgs", poses=folder / "pose.txt", out=folder / name, frames=frames, worlds=0, threads=1,
        descriptor=descriptor, training=PlaceTraining(steps=2),
    )  # fmt: skip


def test_the_default_is_learned_by_one_call_and_the_same_call_gives_the_same_file(folder):
    def learned(name: str, frames: int = 10) -> bytes:
        [file] = run(_options(folder, name, "spectral", frames), lambda text: None)
        return file.read_bytes()

    assert learned("one") == learned("two") == learned("one")
    with pytest.raises(OutputError, match="frames=10, not 8"):
        learned("one", frames=8)
    assert len(load(folder / "one" / "training_set.npz").pictures) == 10
    with np.load(folder / "one" / "projection.npz") as file:
        assert sorted(name for name in file.files if name.startswith("basis")) == ["basis_inner", "basis_presence", "basis_whole"]


def test_one_call_makes_the_network_in_float_and_in_int8_and_the_projections_of_all_parts(folder):
    model, coarse, projection = run(_options(folder, "all", "fused"), lambda text: None)
    assert coarse.stat().st_size < 0.4 * model.stat().st_size
    picture = cv2.imread(str(folder / "imgs" / "000011.png"), cv2.IMREAD_GRAYSCALE)
    exact, rough = (rings(open_network(file), to_image(picture).counts) for file in (model, coarse))
    assert ((exact * rough).sum(1) > 0.9).all()
    with np.load(projection) as file:
        assert file["basis_far"].shape[0] == exact.shape[1] and len([name for name in file.files if name.startswith("mean")]) == 6

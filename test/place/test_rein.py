"""The equivariant network, the paper's, and upstream's checkpoints: exactness where it is promised."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from real_data import RealData

from bev_loc.bev.raster import rasterise
from bev_loc.config import BevConfig, PlaceConfig
from bev_loc.errors import ConfigError
from bev_loc.evaluation import corruptions
from bev_loc.evaluation.bev_folder import GRID, to_image, to_picture
from bev_loc.place import projection, spectral
from bev_loc.place.describe import make_describer
from bev_loc.place.structure import structure
from bev_loc.records import BevImage

torch = pytest.importorskip("torch", reason="torch absent: pip install 'bev_loc[train]'")
from torch.nn import functional  # noqa: E402

from bev_loc.place.rein import Rein, load_upstream  # noqa: E402
from bev_loc.place.rein_cyclic import CyclicRein  # noqa: E402
from bev_loc.place.rein_groups import GroupConv, turns  # noqa: E402

LEARNED = ("spectral", "rein", "fused")


def _counts(seed: int, margin: int = 32) -> np.ndarray:
    """Walls as (129, 129) counts, none in the margin."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((129, 129), np.uint8)
    for _ in range(25):
        a, b = rng.integers(margin, 129 - margin, (2, 2))
        cv2.line(picture, tuple(map(int, a)), tuple(map(int, b)), int(rng.integers(1, 11)))
    return picture


def _image(counts: np.ndarray) -> BevImage:
    return BevImage(counts=counts, mean_height_m=np.full(counts.shape, np.nan, np.float32))


def test_eight_turns_of_a_filter_are_none():
    for side in (1, 3):
        steps = turns(side)
        np.testing.assert_allclose(steps[1] @ steps[7], np.eye(side * side), atol=1e-12)


def test_a_filter_turned_twice_by_45_degrees_is_rot90():
    kernel = np.random.default_rng(0).normal(size=(7, 7))
    np.testing.assert_allclose((turns(7)[2] @ kernel.ravel()).reshape(7, 7), np.rot90(kernel))


def test_turning_the_image_turns_the_fields_and_moves_their_orientations_on():
    torch.manual_seed(0)
    lift, group = GroupConv(1, 2, 7, stride=2, lift=True), GroupConv(2, 3, 3)
    image = torch.randn(1, 1, 33, 33)
    with torch.no_grad():
        straight, turned = (group(lift(x)) for x in (image, torch.rot90(image, 1, (2, 3))))
    fields = straight.reshape(1, 3, 8, *straight.shape[2:])
    moved = torch.rot90(fields, 1, (3, 4)).roll(2, dims=2).reshape(straight.shape)
    torch.testing.assert_close(turned, moved, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ("fourier_mellin", *LEARNED))
def test_a_quarter_turn_moves_the_descriptor_by_less_than_a_hundred_thousandth(kind):
    describer = make_describer(PlaceConfig(descriptor=kind), GRID)
    counts = _counts(1)
    here = describer.describe(_image(counts))
    assert here.shape == (describer.dimension,) and np.linalg.norm(here) == pytest.approx(1.0, abs=1e-5)
    limit = 2e-3 if kind == "fourier_mellin" else 1e-5
    for quarters in (1, 2, 3):
        there = describer.describe(_image(np.ascontiguousarray(np.rot90(counts, quarters))))
        assert np.linalg.norm(here - there) < limit


def test_a_turn_by_any_angle_hardly_moves_the_default_descriptor():
    describer = make_describer(PlaceConfig(), GRID)
    pictures = [to_picture(_counts(seed, margin=20)) for seed in range(4)]
    here = np.stack([describer.describe(to_image(picture)) for picture in pictures])
    for degrees in (7.3, 33.0, 45.0, 201.4):
        turned = np.stack([describer.describe(to_image(corruptions.turn(picture, degrees))) for picture in pictures])
        likeness = turned @ here.T
        assert np.diag(likeness).min() > 0.98 and (likeness - np.eye(4)).max() < 0.5


@pytest.mark.parametrize("kind", LEARNED)
def test_an_empty_image_has_a_zero_descriptor_and_a_sparse_one_a_finite_one(kind):
    describer = make_describer(PlaceConfig(descriptor=kind), GRID)
    assert not describer.describe(_image(np.zeros((129, 129), np.uint8))).any()
    one = np.zeros((129, 129), np.uint8)
    one[60, 70] = 3
    assert np.isfinite(describer.describe(_image(one))).all()


@pytest.mark.parametrize("kind", LEARNED)
def test_descriptors_fit_the_index_and_their_name_carries_the_weights(kind):
    describer = make_describer(PlaceConfig(descriptor=kind), BevConfig())
    assert describer.dimension <= 512
    assert describer.name.startswith(f"{kind}-") and len(describer.name) == len(kind) + 9


def test_a_wider_image_is_described_by_its_middle():
    wide = np.zeros((201, 201), np.uint8)
    wide[36:165, 36:165] = _counts(2)
    wide[5, 5] = 9
    narrow, far = (make_describer(PlaceConfig(descriptor="fused"), bev) for bev in (GRID, BevConfig()))
    np.testing.assert_array_equal(narrow.describe(_image(_counts(2))), far.describe(_image(wide)))


def test_a_narrower_image_is_described_as_if_nothing_were_beyond():
    near = _counts(2, margin=44)
    wide, narrow = (make_describer(PlaceConfig(descriptor="spectral"), bev) for bev in (GRID, BevConfig(range_m=10.0)))
    np.testing.assert_array_equal(wide.describe(_image(near)), narrow.describe(_image(near[39:90, 39:90])))


def test_ground_counts_little_and_structure_grows_with_height():
    alone = np.zeros((13, 41, 41), np.uint8)
    alone[:, 20, 20] = wide = np.arange(13)
    said = np.array([structure(counts, 0.7)[20, 20] for counts in alone])
    assert said[0] == 0.0 and said[1] < 0.05 * said[10] and (np.diff(said[:11]) > 0).all()
    middle = [structure(np.full((41, 41), count), 0.7)[20, 20] for count in wide]
    assert middle[1] < 0.1 and (np.diff(middle[:11]) > 0).all()
    np.testing.assert_allclose(middle[10:], 1.0, atol=1e-6)


def test_a_grid_that_the_weights_do_not_fit_is_refused():
    with pytest.raises(ConfigError, match="fourier_mellin for other grids"):
        make_describer(PlaceConfig(descriptor="fused"), BevConfig(cell_m=0.2))


def test_what_the_sensor_did_not_see_is_left_out():
    counts = _counts(3, margin=5)
    rows, cols = np.mgrid[-64:65, -64:65]
    near = np.where(np.hypot(rows, cols) < 15.0 / 0.4, counts, 0)
    np.testing.assert_array_equal(spectral.supported(counts), [True, True, True])
    np.testing.assert_array_equal(spectral.supported(near), [False, True, False])
    np.testing.assert_array_equal(spectral.supported((counts > 0).astype(np.uint8)), [False, False, True])
    describer = make_describer(PlaceConfig(descriptor="spectral"), GRID)
    first = projection.shipped()["whole"].basis.shape[1]
    assert not describer.describe(_image(near.astype(np.uint8)))[:first].any()


def test_folded_convolutions_are_the_network():
    from bev_loc.training.place_export import FoldedRein

    torch.manual_seed(1)
    network = CyclicRein().train()
    images = torch.from_numpy(np.stack([_counts(seed) for seed in range(4)]).astype(np.float32) / 10)[:, None]
    network(images)  # moves the running means of the normalisation
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(FoldedRein(network)(images), network(images), atol=1e-5, rtol=0)


def _reference(state: dict, image: torch.Tensor) -> torch.Tensor:
    """REIN's formula written out once more, with SciPy-free primitives and the checkpoint's own names."""

    def norm(x, name):
        keys = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(state[f"{name}.{key}"] for key in keys), eps=1e-5)

    def encode(x):
        x = functional.conv2d(x.repeat(1, 3, 1, 1), state["rem.encoder.0.weight"], stride=2, padding=3)
        x = functional.max_pool2d(functional.relu(norm(x, "rem.encoder.1")), 3, 2, 1)
        for layer, blocks, first_stride in ((4, 3, 1), (5, 4, 2)):
            for n in range(blocks):
                name, stride = f"rem.encoder.{layer}.{n}", first_stride if n == 0 else 1
                y = functional.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1)
                y = functional.conv2d(functional.relu(norm(y, f"{name}.bn1")), state[f"{name}.conv2.weight"], padding=1)
                if f"{name}.downsample.0.weight" in state:
                    x = norm(functional.conv2d(x, state[f"{name}.downsample.0.weight"], stride=stride), f"{name}.downsample.1")
                x = functional.relu(norm(y, f"{name}.bn2") + x)
        return x

    def turn(x, degrees):
        a = np.radians(degrees)
        theta = torch.tensor([[[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0]]], dtype=x.dtype)
        grid = functional.affine_grid(theta, list(x.shape), align_corners=True)
        return functional.grid_sample(x, grid, mode="bicubic", align_corners=True)

    maps = torch.stack([turn(encode(turn(image, 45.0 * k)), -45.0 * k) for k in range(8)]).amax(0)
    maps = functional.interpolate(maps, [side // 4 for side in image.shape[2:]], mode="bilinear", align_corners=True)
    x = (maps / maps.norm(dim=1, keepdim=True).clamp(min=1e-12))[0].flatten(1)  # (128, P)
    soft = torch.softmax(state["pooling.conv.weight"][:, :, 0, 0] @ x, dim=0)  # (64, P)
    rows = []
    for k in range(64):
        residual = (soft[k] * (x - state["pooling.centroids"][k][:, None])).sum(1)
        rows.append(residual / residual.norm())
    return torch.cat(rows) / 8.0


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    torch.manual_seed(5)
    network = Rein()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2.0)
    torch.save({"epoch": 3, "best_score": np.float64(0.98), "state_dict": network.state_dict()}, tmp_path / "model_best.pth.tar")
    return tmp_path / "model_best.pth.tar"


def test_upstreams_checkpoint_gives_the_numbers_of_the_formula(checkpoint):
    counts = _counts(4)
    describer = make_describer(PlaceConfig(descriptor="bevplace", checkpoint=str(checkpoint)), GRID)
    grey = torch.from_numpy(counts.astype(np.float32) * np.float32(255.0 / counts.max() / 256.0))[None, None]
    state = torch.load(checkpoint, weights_only=False)["state_dict"]
    with torch.no_grad():
        expected = _reference(state, grey).numpy()
    ours = describer.describe(_image(counts))
    assert ours.shape == (8192,)
    np.testing.assert_allclose(ours, expected, atol=2e-6)


def test_upstreams_names_are_complete_and_its_local_features_have_unit_length(checkpoint):
    names = set(Rein().state_dict())
    assert {"rem.encoder.0.weight", "rem.encoder.5.3.bn2.bias", "pooling.conv.weight", "pooling.centroids"} <= names
    assert sum(value.numel() for value in Rein().parameters()) == pytest.approx(1.36e6, rel=0.01)
    image = torch.from_numpy(_counts(4).astype(np.float32) / 10)[None, None]
    with torch.no_grad():
        local = load_upstream(checkpoint).local_features(image, torch.tensor([[64.0, 64.0], [30.0, 70.0]]))
    torch.testing.assert_close(local.norm(dim=1), torch.ones(2))


def test_the_papers_network_comes_with_weights_which_a_quarter_turn_does_not_show_in_and_places_do():
    describer = make_describer(PlaceConfig(descriptor="bevplace"), GRID)
    assert describer.name.startswith("bevplace-")
    here, turned, elsewhere = (
        describer.describe(_image(np.ascontiguousarray(counts))) for counts in (_counts(1), np.rot90(_counts(1)), _counts(2))
    )
    assert np.linalg.norm(here - turned) < 1e-5 and here @ elsewhere < 0.9


@pytest.mark.parametrize("content", (b"not a checkpoint", None))
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "file.pth"
    if content is None:
        torch.save({"state_dict": {"pooling.centroids": torch.zeros(64, 128)}}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="file.pth"):
        load_upstream(path)


@pytest.mark.parametrize("sequence", ("00", "05"))
def test_any_turn_of_real_images_keeps_the_default_descriptor_while_places_differ(data: RealData, sequence: str):
    """Frames of 00 behind those of training; bilinear turns by fractions of degrees; places more than 50 m apart."""
    folder = data / f"kitti_bev/{sequence}"
    describer, rng = make_describer(PlaceConfig(), GRID), np.random.default_rng(1)
    positions_m = np.loadtxt(folder / "pose.txt").reshape(-1, 3, 4)[:, :, 3]
    frames = range(3200, len(positions_m), 23) if sequence == "00" else range(0, len(positions_m), 46)
    here, turned = [], []
    for frame in frames:
        picture = cv2.imread(str(folder / "imgs" / f"{frame:06d}.png"), cv2.IMREAD_GRAYSCALE)
        here.append(describer.describe(to_image(picture)))
        turned.append(describer.describe(to_image(corruptions.turn(picture, rng.uniform(0.0, 360.0)))))
    same = np.einsum("nd,nd->n", np.stack(here), np.stack(turned))
    where_m = positions_m[list(frames)]
    apart = np.linalg.norm(where_m[:, None] - where_m[None], axis=2) > 50.0
    others = (np.stack(here) @ np.stack(here).T)[apart].mean()
    print(f"cosine under any turn: least {same.min():.4f}, mean {same.mean():.4f}; between places: mean {others:.4f}")
    assert same.min() >= 0.98 and same.mean() >= 0.99 and same.mean() - others >= 0.9


def test_the_running_system_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from bev_loc.config import *; from bev_loc.place.describe import make_describer; "
        "from bev_loc.bev.raster import rasterise; import bev_loc.localizer; "
        "make_describer(PlaceConfig(descriptor='fused'), BevConfig())"
        ".describe(rasterise(np.ones((9, 3), np.float32), BevConfig())); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_real_clouds_of_the_rasteriser_fit(data: RealData):
    scans = sorted((data / "kitti_scans/00/velodyne").glob("*.bin"))
    describer = make_describer(PlaceConfig(descriptor="fused"), BevConfig())
    rows = [
        describer.describe(rasterise(np.fromfile(scan, np.float32).reshape(-1, 4)[:, :3], BevConfig())) for scan in scans[:4]
    ]
    likeness = np.stack(rows) @ np.stack(rows).T
    assert likeness[0, 1] > likeness[0, 2] + 0.2 and likeness[2, 3] > likeness[1, 3] + 0.2

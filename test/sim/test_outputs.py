"""What is written: third-party and own readers take it back, with the truth it came from; the same bytes twice."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open3d")
rosbags = pytest.importorskip("rosbags.highlevel")

from bev_loc.cli.main import main  # noqa: E402
from bev_loc.config import InputConfig  # noqa: E402
from bev_loc.geometry import se3  # noqa: E402
from bev_loc.geometry.trajectory import read_tum  # noqa: E402
from bev_loc.records import ImuSample, LidarScan  # noqa: E402
from bev_loc.sim.camera import T_BASE_CAM, CameraModel  # noqa: E402
from bev_loc.sim.options import parse  # noqa: E402
from bev_loc.sim.simulation import simulate  # noqa: E402
from bev_loc.sources.open import open_source  # noqa: E402

NAME = "town,blocks=2,lidar=vlp16,start=12,seconds=3"


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sim") / "bag"
    assert main(["sim", NAME, "--out", str(folder), "--json"]) == 0
    return folder


@pytest.fixture(scope="module")
def kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sim") / "kitti"
    assert main(["sim", NAME, "--format", "kitti", "--out", str(folder)]) == 0
    return folder


def test_the_bag_holds_every_topic_with_static_frames_and_truth(bag: Path) -> None:
    with rosbags.AnyReader([bag / "bag"]) as reader:
        counts = {topic: info.msgcount for topic, info in reader.topics.items()}
        assert counts["/points"] == 30 and counts["/imu"] == 601 and counts["/tf_static"] == 1
        assert counts["/camera/image"] == counts["/camera/camera_info"] == counts["/camera/depth"] == 6
        assert counts["/truth"] == 301
        by_topic = {c.topic: (c, raw) for c, _, raw in reader.messages()}
        frames = reader.deserialize(by_topic["/tf_static"][1], "tf2_msgs/msg/TFMessage").transforms
        assert {t.child_frame_id for t in frames} == {"lidar", "imu", "camera"}
        cloud = reader.deserialize(by_topic["/points"][1], "sensor_msgs/msg/PointCloud2")
        assert [field.name for field in cloud.fields] == ["x", "y", "z", "intensity", "t", "ring"]
        info = reader.deserialize(by_topic["/camera/camera_info"][1], "sensor_msgs/msg/CameraInfo")
        np.testing.assert_allclose(info.k.reshape(3, 3), CameraModel().matrix())
    stamps, poses = read_tum(bag / "truth.tum")
    np.testing.assert_allclose(poses, simulate(parse(NAME)).truth()[1], atol=1e-6)


def test_the_bag_replayed_equals_the_live_source(bag: Path) -> None:
    live = list(open_source(f"sim:{NAME}", InputConfig()).stream())
    source = open_source(str(bag / "bag"), InputConfig())
    read = list(source.stream())
    np.testing.assert_allclose(source.T_base_imu, simulate(parse(NAME)).T_base_imu, atol=1e-9)
    for kind in (ImuSample, LidarScan):
        a, b = ([item for item in items if isinstance(item, kind)] for items in (live, read))
        assert [item.stamp_ns for item in a] == pytest.approx([item.stamp_ns for item in b], abs=2)
    scans = [[item for item in items if isinstance(item, LidarScan)] for items in (live, read)]
    for a, b in zip(*scans):
        np.testing.assert_array_equal(a.points_lidar, b.points_lidar)
        np.testing.assert_allclose(a.offsets_s - a.offsets_s.min(), b.offsets_s - b.offsets_s.min(), atol=1e-8)


def test_the_kitti_folder_is_read_with_its_truth_and_its_scans_are_compensated(kitti: Path) -> None:
    source = open_source(str(kitti), InputConfig())
    scans = [item for item in source.stream() if isinstance(item, LidarScan)]
    assert len(scans) == 30
    truth, simulation = source.truth(), simulate(parse(NAME))
    middles = simulation.begin_s + 0.1 * np.arange(30) + 0.05
    wanted = simulation.drive.poses(middles)
    got = truth.T_truth_base
    np.testing.assert_allclose(se3.inverse(got[0]) @ got[20], se3.inverse(wanted[0]) @ wanted[20], atol=1e-5)
    raw = [item for item in open_source(f"sim:{NAME}", InputConfig()).stream() if isinstance(item, LidarScan)]
    moments = simulation.drive.poses(simulation.begin_s + 1.0 + raw[10].offsets_s.astype(float))
    world = np.einsum("nij,nj->ni", moments[:, :3, :3], raw[10].points_lidar) + moments[:, :3, 3]
    assert np.abs(se3.apply(wanted[10], scans[10].points_lidar.astype(float)) - world).max() < 0.01
    assert np.linalg.norm(scans[10].points_lidar - raw[10].points_lidar, axis=1).max() > 0.3


def test_writing_twice_gives_the_same_bytes(kitti: Path, tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        return {
            str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*"))
            if p.is_file() and p.name != "simulation.json"
        }

    assert main(["sim", NAME, "--format", "kitti", "--out", str(tmp_path / "again")]) == 0
    assert digest(kitti) == digest(tmp_path / "again")


def test_two_bags_of_the_same_drive_are_the_same_bytes(bag: Path, tmp_path: Path) -> None:
    assert main(["sim", NAME, "--out", str(tmp_path / "again")]) == 0
    assert (bag / "bag/bag.mcap").read_bytes() == (tmp_path / "again/bag/bag.mcap").read_bytes()


def test_depth_and_edges_of_a_picture_agree_with_the_scan() -> None:
    simulation = simulate(parse(NAME))
    scanner, camera = simulation.scanner(), CameraModel()
    picture = scanner.picture(simulation.begin_s, camera)
    T = se3.inverse(T_BASE_CAM)
    sweep = scanner.sweep(0)
    ahead = sweep.points_lidar[np.abs(sweep.offsets_s - 0.05) < 0.004].astype(float)
    begin, then = simulation.drive.poses(np.array([simulation.begin_s, simulation.begin_s + 0.05]))
    points = se3.apply(T @ se3.inverse(begin) @ then, ahead)
    uv = points @ camera.matrix().T
    uv = uv[:, :2] / uv[:, 2:]
    inside = (points[:, 2] > 1) & (uv[:, 0] > 1) & (uv[:, 0] < 638) & (uv[:, 1] > 1) & (uv[:, 1] < 358)
    depth = picture.depth_m[np.round(uv[inside, 1]).astype(int), np.round(uv[inside, 0]).astype(int)]
    assert inside.sum() > 100
    assert np.median(np.abs(depth - points[inside, 2])) < 0.1
    assert np.abs(np.diff(picture.grey.astype(int), axis=1)).max() > 30


def test_an_unknown_world_is_one_sentence_and_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "atlantis", "--out", str(tmp_path / "x")]) == 1
    error = capsys.readouterr().err
    assert "town" in error and "highway" in error and error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_a_folder_with_other_files_is_not_overwritten(kitti: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    assert main(["sim", NAME, "--out", str(tmp_path), "--force"]) == 1
    assert (tmp_path / "precious.txt").read_text() == "mine"
    assert json.loads((kitti / "simulation.json").read_text())["scans"] == 30

"""The other verbs, from outside."""

import json
import subprocess
import sys

import numpy as np
import pytest

from bev_loc.cli.main import main
from bev_loc.config import Config
from bev_loc.config_io import dump
from bev_loc.geometry import se3
from bev_loc.geometry.trajectory import write_tum


def arc(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    stamps = np.arange(count, dtype=np.int64) * 100_000_000
    return stamps, np.array([se3.exp(i * np.array([0, 0, 0.01, 1.0, 0, 0.02])) for i in range(count)])


def write_kitti(path, poses) -> None:
    path.write_text("\n".join(" ".join(f"{v:.12e}" for v in T[:3].ravel()) for T in poses) + "\n")


def figures(capsys, *words) -> dict:
    assert main(["evaluate", "trajectory", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_help_answers_in_half_a_second_and_loads_nothing_heavy():
    script = (
        "import sys, time; start = time.perf_counter(); from bev_loc.cli.main import build_parser; build_parser().format_help(); "
        "print(time.perf_counter() - start, [n for n in ('numpy', 'numba', 'cv2', 'matplotlib') if n in sys.modules])"
    )
    runs = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout for _ in range(3)]
    seconds, heavy = min(runs, key=lambda said: float(said.split()[0])).split(maxsplit=1)
    assert float(seconds) < 0.5 and heavy.strip() == "[]"


@pytest.mark.parametrize("verb", ["demo", "run", "map", "evaluate", "sim", "config", "doctor"])
def test_every_verb_explains_itself(capsys, verb):
    with pytest.raises(SystemExit) as exit:
        main([verb, "--help"])
    assert exit.value.code == 0 and "usage: bev_loc" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["fly"], ["run"], ["map"], ["config", "shake"], ["run", "x"]], ids=" ".join)
def test_wrong_usage_has_exit_code_2(words):
    with pytest.raises(SystemExit) as exit:
        main(words)
    assert exit.value.code == 2


PLACE = ["train", "place", "--images", "i", "--poses", "p"]
CLOSURE = ["evaluate", "closure", "--images", "i", "--odometry", "o", "--poses", "p"]
NONSENSE = {
    "a cloud thinned to nothing": ["map", "export", "m", "m.ply", "--voxel", "0"],
    "a drift that is no number": [*CLOSURE, "--drift-yaw-deg-per-m", "nan"],
    "a gap below zero": ["evaluate", "trajectory", "a", "b", "--max-gap", "-1"],
    "an attitude that is no number": ["run", "x", "--out", "o", "--initial-rpy", "nan", "0", "0"],
    "fewer pictures than none": ["sim", "town", "--out", "o", "--camera", "-1"],
    "training for no time": [*PLACE, "--out", "o", "--minutes", "0"],
    "training of no steps": ["train", "lines", "--out", "o", "--effort", "-1"],
    "more worlds than there are": [*PLACE, "--out", "o", "--worlds", "16"],
}


@pytest.mark.parametrize("words", NONSENSE.values(), ids=NONSENSE)
def test_a_number_that_makes_no_sense_is_wrong_usage(capsys, words):
    with pytest.raises(SystemExit) as exit:
        main(words)
    assert exit.value.code == 2 and f"argument {words[-2] if words[-2].startswith('--') else '--initial-rpy'}" in capsys.readouterr().err


@pytest.mark.parametrize("verb", [PLACE, ["train", "lines"], CLOSURE, ["lines", "x"]], ids=" ".join)
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(capsys, tmp_path, verb):
    (tmp_path / "file").write_text("mine")
    assert main([*verb, "--out", str(tmp_path / "file")]) == 1
    error = capsys.readouterr().err
    assert "expected a folder that can be written" in error and len(error.splitlines()) == 1


def test_config_dump_prints_the_defaults_and_takes_overrides(capsys):
    assert main(["config", "dump"]) == 0
    assert capsys.readouterr().out == dump(Config())
    main(["config", "dump", "--set", "place.candidates=3"])
    assert "candidates: 3" in capsys.readouterr().out


def test_config_check_says_what_a_file_changes(capsys, tmp_path):
    (tmp_path / "c.yaml").write_text("place: {candidates: 3}\n")
    assert main(["config", "check", str(tmp_path / "c.yaml")]) == 0
    assert "place.candidates: 3 (default" in capsys.readouterr().out
    (tmp_path / "c.yaml").write_text("place: {candidate: 3}\n")
    assert main(["config", "check", str(tmp_path / "c.yaml")]) == 1
    assert "did you mean 'place.candidates'" in capsys.readouterr().err


def test_output_into_a_closed_pipe_is_no_error():
    shell = f"{sys.executable} -m bev_loc config table | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {shell}"], capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr


def test_the_doctor_finds_what_is_required(capsys):
    code = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0 and report["missing"] == []
    assert report["findings"]["numba"]["state"] == "ok"


def test_the_doctor_describes_a_source(capsys, street):
    assert main(["doctor", str(street), "--json"]) == 0
    description = json.loads(capsys.readouterr().out)
    assert description["scans"] == 12 and description["scan_rate_hz"] == pytest.approx(10.0)
    assert description["imu_rate_hz"] is None and description["notes"]


def test_a_trajectory_equals_itself_whatever_its_format(capsys, tmp_path):
    stamps, poses = arc()
    write_tum(tmp_path / "t.tum", stamps, poses)
    write_kitti(tmp_path / "t.txt", poses)
    (tmp_path / "times.txt").write_text("\n".join(f"{s / 1e9:.6e}" for s in stamps))
    for words in (["t.tum", "t.tum"], ["t.txt", "t.txt"], ["t.txt", "t.tum", "--times", tmp_path / "times.txt"]):
        result = figures(capsys, *[tmp_path / word if isinstance(word, str) and "." in word else word for word in words])
        assert result["poses"] == 300
        for key in ("ate_rmse_m", "rpe_m", "rpe_deg", "kitti_translation_percent", "kitti_rotation_deg_per_m"):
            assert result[key] == pytest.approx(0, abs=1e-5), key


def test_a_reference_in_the_camera_frame_is_moved_into_the_lidars(capsys, tmp_path):
    _, T_world_lidar = arc()
    T_cam_lidar = se3.from_xyz_rpy((0.1, -0.05, -0.3, -1.55, 0.01, -1.57))
    write_kitti(tmp_path / "estimate.txt", T_world_lidar)
    write_kitti(tmp_path / "reference.txt", T_cam_lidar @ T_world_lidar @ se3.inverse(T_cam_lidar))
    (tmp_path / "calib.txt").write_text("P0: 1 2 3\nTr: " + " ".join(map(str, T_cam_lidar[:3].ravel())) + "\n")
    files = (tmp_path / "estimate.txt", tmp_path / "reference.txt")
    assert figures(capsys, *files)["rpe_m"] > 1e-3
    assert figures(capsys, *files, "--calib", tmp_path / "calib.txt")["rpe_m"] < 1e-6


def test_stamps_that_go_back_are_said(capsys, tmp_path):
    stamps, poses = arc()
    write_tum(tmp_path / "truth.tum", stamps, poses)
    swapped = [1, 0, *range(2, len(stamps))]
    write_tum(tmp_path / "mixed.tum", stamps[swapped], poses[swapped])
    assert main(["evaluate", "trajectory", str(tmp_path / "mixed.tum"), str(tmp_path / "truth.tum"), "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["ate_rmse_m"] < 1e-6
    assert said.err == f"bev_loc: {tmp_path / 'mixed.tum'}: 1 stamps lie before the row above them; compared in order of time\n"


WRONG = {
    "a missing file": (None, "absent"),
    "an empty file": ("", "is empty"),
    "a picture": ("\udcff", "not a text"),
    "three columns": ("1 2 3\n", "8 columns (TUM) or 12 (KITTI), got 3"),
    "a broken line": ("0 0 0 0 0 0 0 1\nx 0 0 0 0 0 0 1\n", ":2: expected"),
    "another time": ("1e6 0 0 0 0 0 0 1\n", "same clock"),
    "another number of rows": ("1 0 0 0 0 1 0 0 0 0 1 0\n", "--times"),
}


@pytest.mark.parametrize("option", ["--times", "--calib"])
def test_what_only_a_kitti_file_needs_is_refused_beside_others(capsys, tmp_path, option):
    write_tum(tmp_path / "a.tum", *arc())
    assert main(["evaluate", "trajectory", str(tmp_path / "a.tum"), str(tmp_path / "a.tum"), option, str(tmp_path / "absent")]) == 1
    assert f"{option} " in (error := capsys.readouterr().err) and len(error.splitlines()) == 1


@pytest.mark.parametrize("text, message", WRONG.values(), ids=WRONG)
def test_a_wrong_trajectory_file_is_refused_in_one_sentence(capsys, tmp_path, text, message):
    write_tum(tmp_path / "reference.tum", *arc())
    path = tmp_path / ("absent.tum" if text is None else "wrong.tum")
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    assert main(["evaluate", "trajectory", str(path), str(tmp_path / "reference.tum")]) == 1
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1

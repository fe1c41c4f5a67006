"""`bev_loc run` from outside: outputs, keys, exit codes, and every fault of the table."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bev_loc.cli.main import main
from bev_loc.config_io import load
from bev_loc.geometry.trajectory import path_length_m, read_tum

KEYS = {"scans", "poses", "dropped", "dropped_by_reason", "keyframes", "closures", "path_length_m", "median_ms_per_scan", "out"}
OUTPUTS = {"odometry.tum", "trajectory.tum", "events.jsonl", "timing.json", "config.yaml", "report.html"}


def run(capsys, *words) -> tuple[int, dict, str]:
    """Exit code, the JSON object (empty without one) and stderr of `bev_loc run WORDS --json`."""
    code = main(["run", *map(str, words), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out) if said.out else {}, said.err


def events(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]


@pytest.fixture
def own_street(street, tmp_path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(street, tmp_path / "velodyne"))


def test_a_street_gives_every_output_and_every_key(capsys, street, tmp_path):
    out = tmp_path / "out"
    code, result, _ = run(capsys, street, "--out", out, "--set", "keyframes.distance_m=1.5")

    assert code == 0
    assert KEYS <= set(result)
    assert (result["scans"], result["poses"], result["dropped"]) == (12, 12, 0)
    assert result["path_length_m"] == pytest.approx(5.5, abs=0.3)
    assert {path.name for path in out.iterdir()} == OUTPUTS
    stamps, poses = read_tum(out / "odometry.tum")
    assert len(stamps) == 12 and path_length_m(poses)[-1] == pytest.approx(result["path_length_m"], abs=1e-6)
    assert load(out / "config.yaml").keyframes.distance_m == 1.5
    assert json.loads((out / "timing.json").read_text())["scan_ms"]["count"] == 12
    kinds = [event["event"] for event in events(out)]
    assert kinds[0] == "run" and kinds[-1] == "end" and kinds.count("keyframe") == result["keyframes"] >= 3


def test_the_report_needs_nothing_but_itself(capsys, street, tmp_path):
    run(capsys, street, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 3
    assert "http" not in page.replace("http-equiv", "")
    assert "Map from above" in page and "motion compensated" in page


def test_the_same_input_gives_the_same_bytes(capsys, street, tmp_path):
    for name in ("a", "b"):
        run(capsys, street, "--out", tmp_path / name)
    for file in ("odometry.tum", "trajectory.tum", "config.yaml"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_a_saved_map_is_localized_in(capsys, street, tmp_path):
    thrifty = ("--set", "keyframes.distance_m=1", "odometry.map_radius_m=50")
    _, mapped, _ = run(capsys, street, "--out", tmp_path / "a", "--save-map", tmp_path / "map", *thrifty)
    code, result, _ = run(capsys, street, "--out", tmp_path / "b", "--map", tmp_path / "map", *thrifty)
    assert code == 0 and mapped["map"] == str(tmp_path / "map")
    assert result["closures"] >= 2 and result["state"] == "tracking"
    assert main(["map", "check", str(tmp_path / "map")]) == 0
    assert main(["map", "export", str(tmp_path / "map"), str(tmp_path / "map.ply")]) == 0
    assert main(["map", "info", str(tmp_path / "map"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["keyframes"] == mapped["keyframes"]


DAMAGES = {
    "a scan whose length is no multiple of 16": (lambda p: p.write_bytes(p.read_bytes()[:-7]), 11),
    "an empty scan": (lambda p: p.write_bytes(b""), 11),
    "a scan of equal points": (lambda p: np.ones((5000, 4), np.float32).tofile(p), 11),
    "a scan without a finite point": (lambda p: np.full((5000, 4), np.nan, np.float32).tofile(p), 11),
    "a scan that was cut short": (lambda p: p.write_bytes(p.read_bytes()[: 16 * 2000]), 11),
    "a scan with a third of NaN and infinite points": (lambda p: poison(p), 12),
}


def poison(path: Path) -> None:
    points = np.fromfile(path, np.float32).reshape(-1, 4)
    points[::6], points[3::6] = np.nan, np.inf
    points.tofile(path)


@pytest.mark.parametrize("damage, poses", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_scan_is_counted_and_nothing_after_it_is_lost(capsys, own_street, tmp_path, damage, poses):
    damage(own_street / "000005.bin")
    code, result, _ = run(capsys, own_street, "--out", tmp_path / "out")

    assert code == 0
    assert result["poses"] == poses and result["dropped"] == 12 - poses
    assert result["scans"] == result["poses"] + result["dropped"]
    assert sum(result["dropped_by_reason"].values()) == result["dropped"]
    dropped = [event for event in events(tmp_path / "out") if event["event"] == "dropped"]
    assert len(dropped) == result["dropped"]
    assert all("000005.bin" in event["where"] for event in dropped)
    _, poses_odom = read_tum(tmp_path / "out" / "odometry.tum")
    assert path_length_m(poses_odom)[-1] == pytest.approx(5.5, abs=0.4)


REFUSED = {
    "a missing source": (["{tmp}/absent"], "absent"),
    "an empty folder": (["{tmp}/empty"], "empty"),
    "an unknown world": (["sim:nowhere"], "nowhere"),
    "an unknown key": (["{street}", "--set", "odometry.scan_voxl_m=1"], "'odometry.scan_voxel_m'"),
    "a wrong type": (["{street}", "--set", "odometry.scan_voxel_m=wide"], "must be a number"),
    "a missing configuration": (["{street}", "--config", "{tmp}/absent.yaml"], "absent.yaml"),
    "a missing map": (["{street}", "--map", "{tmp}/nomap"], "nomap"),
    "an output below a file": (["{street}", "--out", "{tmp}/file/out"], "file"),
    "an output that is a file": (["{street}", "--out", "{tmp}/file"], "file"),
    "a map target that is a file": (["{street}", "--save-map", "{tmp}/file"], "--save-map"),
    "a map target that holds other things": (["{street}", "--save-map", "{tmp}/other"], "--save-map"),
    "results that no run wrote": (["{street}", "--out", "{tmp}/other"], "--force"),
}


@pytest.mark.parametrize("words, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_in_one_sentence_before_the_work(capsys, street, tmp_path, words, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("mine")
    words = [word.format(tmp=tmp_path, street=street) for word in words]
    if "--out" not in words:
        words += ["--out", str(tmp_path / "out")]

    code, result, error = run(capsys, *words)

    assert code == 1 and result == {}
    sentence = error.strip().splitlines()[-1]
    assert sentence.startswith("bev_loc: error: ") and message in sentence and "Traceback" not in error
    assert (tmp_path / "file").read_text() == (tmp_path / "other" / "config.yaml").read_text() == "mine"
    assert not (tmp_path / "out" / "odometry.tum").exists()


def test_when_no_scan_can_be_used_the_outputs_say_so_and_the_exit_code_is_1(capsys, own_street, tmp_path):
    for path in own_street.iterdir():
        path.write_bytes(b"12345")
    code, result, error = run(capsys, own_street, "--out", tmp_path / "out")
    assert code == 1 and "no scan gave a pose" in error and "12 " in error
    assert OUTPUTS <= {path.name for path in (tmp_path / "out").iterdir()}
    assert len([event for event in events(tmp_path / "out") if event["event"] == "dropped"]) == 12


def test_an_earlier_runs_results_are_replaced(capsys, street, own_street, tmp_path):
    run(capsys, street, "--out", tmp_path / "out")
    for path in sorted(own_street.iterdir())[6:]:
        path.unlink()
    code, _, _ = run(capsys, own_street, "--out", tmp_path / "out")
    assert code == 0 and len(read_tum(tmp_path / "out" / "odometry.tum")[0]) == 6


@pytest.mark.parametrize("words", [["--extend"], ["--map", "m", "--save-map", "n"]], ids=" ".join)
def test_options_that_contradict_each_other_are_wrong_usage(street, tmp_path, words):
    with pytest.raises(SystemExit) as exit:
        main(["run", str(street), "--out", str(tmp_path / "out"), *words])
    assert exit.value.code == 2


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_writes_what_it_has(street, tmp_path, signum):
    many = tmp_path / "many" / "velodyne"
    many.mkdir(parents=True)
    files = sorted(street.iterdir())
    for index in range(6000):  # to and fro
        os.link(files[abs(index % (2 * len(files) - 2) - (len(files) - 1))], many / f"{index:06d}.bin")
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "bev_loc", "run", many, "--out", out, "--save-map", tmp_path / "map", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline_s = time.monotonic() + 300
    while not (out / "events.jsonl").exists() or '"keyframe"' not in (out / "events.jsonl").read_text():
        assert process.poll() is None and time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(signum)
    said, error = process.communicate(timeout=300)

    assert process.returncode == 130 and "interrupted" in error and "Traceback" not in error
    result = json.loads(said)
    assert result["interrupted"] and 0 < result["poses"] < 6000
    assert OUTPUTS <= {path.name for path in out.iterdir()}
    assert len(read_tum(out / "odometry.tum")[0]) == result["poses"]
    assert (tmp_path / "map" / "map.json").is_file()


def test_running_loads_neither_torch_nor_open3d(street, tmp_path):
    script = (
        "import sys; from bev_loc.cli.main import main; "
        f"code = main(['run', {str(street)!r}, '--out', {str(tmp_path / 'out')!r}]); "
        "print([name for name in ('torch', 'open3d', 'rclpy') if name in sys.modules], code)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout
    assert said.splitlines()[-1] == "[] 0"


def test_real_scans_of_a_drive_become_a_trajectory(capsys, data, tmp_path):
    code, result, _ = run(capsys, data / "kitti_raw", "--out", tmp_path / "out")
    assert code == 0 and result["poses"] == result["scans"] == 40
    assert result["path_length_m"] == pytest.approx(6.9, abs=0.7)


def test_a_recording_for_the_viewer_is_written_when_asked_for(capsys, street, tmp_path):
    pytest.importorskip("rerun", reason="rerun-sdk is not installed: pip install rerun-sdk")
    code, _, _ = run(capsys, street, "--out", tmp_path / "out", "--rerun")
    assert code == 0
    assert (tmp_path / "out" / "recording.rrd").read_bytes()[:3] == b"RRF" and (tmp_path / "out" / "report.html").is_file()


def test_without_the_viewers_package_a_recording_is_refused_before_the_work(capsys, street, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    code, result, said = run(capsys, street, "--out", tmp_path / "out", "--rerun")
    assert code == 1 and not result and "pip install 'rerun-sdk" in said

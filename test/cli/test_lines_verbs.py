"""`lines`, `evaluate lines` and `train lines` as a user types them."""

import json

import cv2
import numpy as np
import pytest

from bev_loc.cli.main import main

BOX = np.array([[60, 45], [190, 55], [180, 150], [70, 140]])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two annotated pictures of a quadrangle, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, tone in (("a", 200), ("b", 160)):
        image = np.full((190, 250, 3), 60, np.uint8)
        cv2.fillConvexPoly(image, BOX.astype(np.int32), (tone, tone - 10, tone - 30), cv2.LINE_AA)
        cv2.imwrite(str(folder / f"{name}.png"), image)
        objects = [{"data": [p.tolist(), q.tolist()]} for p, q in zip(BOX, np.roll(BOX, -1, 0))]
        (folder / f"{name}.png.json").write_text(json.dumps({"objects": objects}))
    (folder / "c.jpg").write_bytes(b"no picture")
    return folder


@pytest.mark.parametrize("detector", ["lsdnet", "opencv"])
def test_lines_writes_a_table_and_a_picture_for_each_and_says_what_it_leaves_out(pictures, tmp_path, capsys, detector):
    assert main(["lines", str(pictures), "--out", str(tmp_path), "--json", "--set", f"lines.detector={detector}"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["detector"] == detector and len(result["images"]) == 2 and result["left_out"] == 1
    assert "c.jpg" in said.err
    table = np.loadtxt(tmp_path / "a.lines.csv", delimiter=",", skiprows=1, ndmin=2)
    assert (tmp_path / "a.lines.csv").read_text().startswith("x1,y1,x2,y2,score\n")
    assert table.shape == (result["images"][0]["segments"], 5) and len(table) >= 4
    assert cv2.imread(str(tmp_path / "a.lines.png")).shape == (190, 250, 3)


def test_evaluate_lines_has_every_key_that_is_promised(pictures, capsys):
    arguments = ["evaluate", "lines", "--images", str(pictures), "--markup", str(pictures), "--views", "1", "--json"]
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["images"] == 2
    for key in ("f_h", "precision", "recall", "sap5", "sap10", "sap15", "cpu_ms_per_image", "repeatability"):
        assert np.isfinite(result[key]) and np.isfinite(result["opencv"][key]), key
    assert result["f_h"] > 0.8 and 0 < result["sap10"] <= 1
    low, high = result["f_h_interval"]
    assert low <= result["f_h"] <= high
    assert set(result["ahead_of_opencv"]) == {"f_h_interval", "sap10_interval"}


def test_without_annotations_there_are_time_and_repeatability(pictures, capsys):
    assert main(["evaluate", "lines", "--images", str(pictures), "--alone", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert 0 <= result["repeatability"] <= 1 and result["cpu_ms_per_image"] > 0 and "f_h" not in result


WRONG = {
    "a folder without pictures": (["evaluate", "lines", "--images", "{empty}"], "expected pictures"),
    "no folder": (["evaluate", "lines", "--images", "{empty}/absent"], "expected a folder of pictures"),
    "no annotations": (["evaluate", "lines", "--images", "{pictures}", "--markup", "{empty}"], "no picture has annotations"),
    "no picture at all": (["lines", "{pictures}/c.jpg", "--out", "{empty}/out"], "none of the 1 pictures could be read"),
    "a model that is none": (
        ["lines", "{pictures}", "--out", "{empty}/out", "--set", "lines.model={pictures}/c.jpg"],
        "is not an ONNX model",
    ),
    "an output that is a file": (["lines", "{pictures}", "--out", "{pictures}/a.png"], "name another with --out"),
    "photographs that are none": (["train", "lines", "--out", "{empty}/training", "--photos", "{pictures}/none"], "expected a folder"),
}


@pytest.mark.parametrize("arguments, text", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(pictures, tmp_path, capsys, arguments, text):
    assert main([argument.format(empty=tmp_path, pictures=pictures) for argument in arguments]) == 1
    said = capsys.readouterr().err
    assert text in said.splitlines()[-1] and "Traceback" not in said

"""`bev_loc bench`: every stage of the system is timed, peers where they are installed."""

import json
from importlib.util import find_spec

import pytest

from bev_loc.cli.main import main


def test_every_stage_is_timed_and_every_ratio_is_that_of_the_printed_times(street, capsys):
    assert main(["bench", str(street), "--json", "--set", "keyframes.distance_m=0.4"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["scans"] == 12 and result["keyframes"] > 3 and result["points_per_scan"] > 1000
    assert {"odometry", "describe", "search", "verify", "graph", "verify one candidate"} <= set(result["stages_ms"])
    assert all(ms > 0.0 for ms in result["stages_ms"].values())
    assert result["stages_ms"]["verify"] > result["stages_ms"]["verify one candidate"]
    assert result["scan_ms"] > result["stages_ms"]["odometry"] and result["query_ms"] > 0.0
    kiss_ms = result["peers_ms"]["KISS-ICP"]
    assert (kiss_ms is not None) == bool(find_spec("kiss_icp"))
    if kiss_ms is not None:
        assert result["ratios"]["KISS-ICP / odometry"] == pytest.approx(kiss_ms / result["stages_ms"]["odometry"])


def test_fewer_scans_than_the_warm_up_are_an_error(street, capsys):
    assert main(["bench", str(street), "--scans", "3"]) == 1
    assert "holds 3 scans" in capsys.readouterr().err

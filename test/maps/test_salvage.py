"""What a damaged map still holds is saved, and what is lost is named."""

from pathlib import Path

from maps_made import made_bundle

from bev_loc.cli.main import main
from bev_loc.maps.bundle import load_map, save_map


def test_a_map_with_a_damaged_and_a_missing_keyframe_keeps_the_others(tmp_path: Path) -> None:
    save_map(tmp_path / "map", made_bundle())
    first, second, *_ = sorted((tmp_path / "map" / "keyframes").iterdir())
    first.write_bytes(first.read_bytes()[:-7] + b"damaged")
    second.unlink()
    assert main(["map", "check", str(tmp_path / "map")]) == 1
    assert main(["map", "check", str(tmp_path / "map"), "--repair", str(tmp_path / "repaired")]) == 0
    repaired = load_map(tmp_path / "repaired")
    assert [entry.id for entry in repaired.entries] == [2, 3, 4]
    assert repaired.closures == ()  # its match is gone

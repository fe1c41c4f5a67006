"""A recording holds what a run showed, and the file can be read back."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rerun", reason="rerun-sdk is not installed: pip install rerun-sdk")

from houses_on_a_plain import CONFIG, BoxWorld, drive, square_drive
from rerun.chunk import RrdReader

from bev_loc.errors import OutputError
from bev_loc.localizer import Localizer
from bev_loc.records import Step
from bev_loc.viz.recording import FILE, Recording


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Step], Localizer, dict[str, list]]:
    """Steps of a drive around the block and a little more, the system after it, and the file's chunks by entity."""
    path = tmp_path_factory.mktemp("recording") / FILE
    localizer, recording, steps = Localizer(CONFIG), Recording(path, "a square"), []
    for odometry in drive(BoxWorld(seed=1), square_drive(260.0), seed=1):
        steps.append(localizer.on_odometry(odometry))
        recording.add(steps[-1], localizer)
    recording.close(localizer)
    chunks: dict[str, list] = {}
    for chunk in RrdReader(path).stream().to_chunks():
        chunks.setdefault(chunk.entity_path, []).append(chunk.to_record_batch())
    return steps, localizer, chunks


def rows(chunks: dict[str, list], entity: str, component: str) -> list:
    """Every value of a component, in order."""
    return [
        value
        for batch in chunks[entity]
        for name in batch.schema.names
        if name.endswith(component)
        for value in batch.column(name).to_pylist()
        if value is not None
    ]


def test_every_scan_and_keyframe_of_the_run_is_in_it(recorded):
    steps, localizer, chunks = recorded
    assert len(rows(chunks, "/map/odom/base/scan", "Points3D:positions")) == len(steps)
    keyframes = [entity for entity in chunks if entity.startswith("/map/keyframes/")]
    assert len(keyframes) == len(localizer.places()) > 30
    assert len(rows(chunks, "/bev", "Image:buffer")) == len(keyframes)
    assert rows(chunks, "/log", "TextLog:text")[0] == ["state: tracking"]


def test_trajectories_and_closures_end_as_the_system_has_them(recorded):
    _, localizer, chunks = recorded
    (optimised,) = rows(chunks, "/map/trajectory", "LineStrips3D:strips")[-1]
    np.testing.assert_allclose(optimised, localizer.trajectory()[1][:, :3, 3], atol=1e-4)
    (odometry,) = rows(chunks, "/map/odometry", "LineStrips3D:strips")[-1]
    assert np.shape(odometry) == np.shape(optimised) and not np.allclose(odometry, optimised)
    assert localizer.closures() and len(rows(chunks, "/map/closures", "LineStrips3D:strips")[-1]) == len(localizer.closures())


def test_a_recording_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(OutputError, match="nowhere"):
        Recording(tmp_path / "nowhere" / FILE, "a square")

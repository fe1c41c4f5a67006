"""The map's table as bytes: a row a keyframe, a row a closure, as plain NumPy arrays in one npz."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np

from ..errors import MapError
from ..records import Closure
from .contents import Entry


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """An entry and the file that has the rest of its keyframe."""

    entry: Entry
    file: str
    sha256: str


def encode(rows: list[Row], closures: tuple[Closure, ...]) -> bytes:
    """The npz; the same map gives the same bytes."""
    entries = [row.entry for row in rows]
    dimension = len(entries[0].descriptor) if entries else 0
    arrays = {
        "id": np.array([e.id for e in entries], np.int64),
        "session": np.array([e.session for e in entries], np.int64),
        "stamp_ns": np.array([e.stamp_ns for e in entries], np.int64),
        "path_m": np.array([e.path_m for e in entries], float),
        "T_odom_kf": np.array([e.T_odom_kf for e in entries], float).reshape(-1, 4, 4),
        "T_map_kf": np.array([e.T_map_kf for e in entries], float).reshape(-1, 4, 4),
        "descriptor": np.array([e.descriptor for e in entries], np.float16).reshape(len(entries), dimension),
        "keyframe_file": np.array([row.file for row in rows], "S64"),
        "sha256": np.array([row.sha256 for row in rows], "S64"),
        "closure_ends": np.array([(c.query_id, c.match_id) for c in closures], np.int64).reshape(-1, 2),
        "closure_T": np.array([c.T_match_query for c in closures], float).reshape(-1, 4, 4),
        "closure_information": np.array([_information(c) for c in closures], float).reshape(-1, 6, 6),
        "closure_method": np.array([c.method for c in closures], "S32"),
        "closure_evidence": np.array(
            [(c.descriptor_distance, c.inliers, c.score, c.overlap, c.rmse_m) for c in closures], float
        ).reshape(-1, 5),
    }
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def decode(data: bytes, where: str) -> tuple[list[Row], tuple[Closure, ...]]:
    """Rows by id ascending, and closures; MapError names `where` when the bytes are no table."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return [_row(arrays, n) for n in range(len(arrays["id"]))], tuple(
            _closure(arrays, n) for n in range(len(arrays["closure_ends"]))
        )
    except (KeyError, ValueError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise MapError(f"{where}: is not a readable table ({error}); restore the map from a copy") from None


def _row(arrays: dict[str, np.ndarray], n: int) -> Row:
    entry = Entry(
        id=int(arrays["id"][n]),
        session=int(arrays["session"][n]),
        stamp_ns=int(arrays["stamp_ns"][n]),
        T_odom_kf=arrays["T_odom_kf"][n],
        T_map_kf=arrays["T_map_kf"][n],
        path_m=float(arrays["path_m"][n]),
        descriptor=arrays["descriptor"][n].astype(np.float32),
    )
    return Row(entry=entry, file=arrays["keyframe_file"][n].decode(), sha256=arrays["sha256"][n].decode())


def _closure(arrays: dict[str, np.ndarray], n: int) -> Closure:
    distance, inliers, score, overlap, rmse_m = arrays["closure_evidence"][n].tolist()
    information = arrays["closure_information"][n]
    return Closure(
        query_id=int(arrays["closure_ends"][n, 0]),
        match_id=int(arrays["closure_ends"][n, 1]),
        accepted=True,
        reason="accepted",
        method=arrays["closure_method"][n].decode(),
        T_match_query=arrays["closure_T"][n],
        information=None if np.isnan(information).any() else information,
        descriptor_distance=distance,
        inliers=int(inliers),
        score=score,
        overlap=overlap,
        rmse_m=rmse_m,
    )


def _information(closure: Closure) -> np.ndarray:
    return np.full((6, 6), np.nan) if closure.information is None else closure.information

"""The map's table as bytes: a row a keyframe, a row a closure, as plain NumPy arrays in one npz."""

import io
import zipfile
from dataclasses import dataclass, replace

import numpy as np

from ..errors import MapError
from ..records import Closure
from .contents import Entry

TYPES = {
    "id": "<i8", "session": "<i8", "stamp_ns": "<i8", "path_m": "<f8", "T_odom_kf": "<f8", "T_map_kf": "<f8",
    "descriptor": "<f2", "keyframe_file": "S64", "sha256": "S64", "closure_ends": "<i8", "closure_T": "<f8",
    "closure_information": "<f8", "closure_method": "S32", "closure_evidence": "<f8", "origin": "u1",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """An entry and the file that has the rest of its keyframe."""

    entry: Entry
    file: str
    sha256: str

    def at(self, T_map_kf: np.ndarray) -> "Row":
        """The same keyframe at another (4, 4) place."""
        return replace(self, entry=replace(self.entry, T_map_kf=T_map_kf))


def encode(rows: list[Row], closures: tuple[Closure, ...], origin: bytes) -> bytes:
    """The npz, with what the head says of the map's `origin`; the same map gives the same bytes."""
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
        "origin": np.frombuffer(origin, np.uint8),
        "closure_evidence": np.array(
            [(c.descriptor_distance, c.inliers, c.score, c.overlap, c.rmse_m) for c in closures], float
        ).reshape(-1, 5),
    }
    out = io.BytesIO()
    np.savez(out, **{name: array.astype(TYPES[name]) for name, array in arrays.items()})
    return out.getvalue()


def decode(data: bytes, where: str) -> tuple[list[Row], tuple[Closure, ...]]:
    """Rows by id ascending, and closures; MapError names `where` when the bytes are no table."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        _require_types(arrays)
        return [_row(arrays, n) for n in range(len(arrays["id"]))], tuple(
            _closure(arrays, n) for n in range(len(arrays["closure_ends"]))
        )
    except (KeyError, ValueError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise MapError(f"{where}: is not a readable table ({error}); restore the map from a copy") from None


def origin(data: bytes, where: str) -> bytes:
    """What the head said when the table was written; empty in the first maps. MapError when the bytes are no table."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return archive["origin"].tobytes() if "origin" in archive.files else b""
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise MapError(f"{where}: is not a readable table ({error}); restore the map from a copy") from None


def _require_types(arrays: dict[str, np.ndarray]) -> None:
    """ValueError unless every array has the layout that all maps have."""
    for name, array in arrays.items():
        if array.dtype != np.dtype(TYPES.get(name, array.dtype)):
            raise ValueError(f"'{name}' is of type {array.dtype.str}, not {TYPES[name]}: it comes from another architecture")


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

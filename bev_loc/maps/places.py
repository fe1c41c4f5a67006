"""Places of all keyframes in a file of their own: when a closure moves the map, the rest of its table need not be written."""

import io
import zipfile
from pathlib import Path

import numpy as np

from ..errors import MapError
from .folder import read_whole, sha256, write_whole

_DIGITS = 12


def write(folder: Path, T_map_kf: dict[int, np.ndarray]) -> tuple[str, str]:
    """Write (4, 4) places by id; the file's name and checksum. OutputError when it cannot be written."""
    out = io.BytesIO()
    np.savez(out, id=np.array(list(T_map_kf), "<i8"), T_map_kf=np.array(list(T_map_kf.values()), "<f8").reshape(-1, 4, 4))
    data = out.getvalue()
    checksum = sha256(data)
    name = f"places-{checksum[:_DIGITS]}.npz"
    write_whole(folder / name, data)
    return name, checksum


def read(file: Path, expected_sha256: str) -> dict[int, np.ndarray]:
    """(4, 4) places by id; MapError when the file is missing, damaged or of another kind."""
    try:
        with np.load(io.BytesIO(read_whole(file, expected_sha256)), allow_pickle=False) as archive:
            return dict(zip(archive["id"].tolist(), archive["T_map_kf"].astype(float)))
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise MapError(f"{file}: holds no places ({error}); restore the map from a copy, or try `map check --repair`") from None

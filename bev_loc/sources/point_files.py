"""Point files as structured arrays: .pcd, .ply, .npz. DamagedScan for what cannot be decoded."""

import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..clouds.damaged import DamagedScan
from ..clouds.point_times import FIELD_NAMES

_PLY_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_NPZ_POINTS = ("points", "points_m", "xyz")
_NPZ_TIMES = ("offsets_s", "times", *FIELD_NAMES)


def read_pcd(path: Path) -> np.ndarray:
    """(N,) structured points of a PCD file: ascii, binary or binary_compressed (version 0.7)."""
    raw = path.read_bytes()
    if not raw:
        raise DamagedScan("empty scan", "the file is empty; copy it again")
    data_line = re.search(rb"^DATA[ \t]+(\S+)[^\n]*\n", raw, re.MULTILINE)
    if data_line is None:
        raise DamagedScan("unreadable file", "expected a PCD header with a line 'DATA ...', found none; copy it again")
    lines = [line.split() for line in raw[: data_line.start()].decode("latin-1").splitlines()]
    header = {line[0]: line[1:] for line in lines if line and not line[0].startswith("#")}
    try:
        columns = _pcd_columns(header)
        count = int(header["POINTS"][0]) if "POINTS" in header else int(header["WIDTH"][0]) * int(header["HEIGHT"][0])
    except (KeyError, IndexError, ValueError) as error:
        raise DamagedScan(
            "unreadable file", f"its PCD header cannot be understood ({error!r}); write it again"
        ) from None
    body = raw[data_line.end() :]
    match data_line.group(1):
        case b"ascii":
            return _ascii_points(body, columns, count)
        case b"binary":
            return _binary_points(body, np.dtype(columns), count)
        case b"binary_compressed":
            return _pcd_compressed(body, columns, count)
    raise DamagedScan(
        "unreadable file",
        f"expected DATA ascii, binary or binary_compressed, got {data_line.group(1).decode('latin-1')}; convert it",
    )


def read_ply(path: Path) -> np.ndarray:
    """(N,) structured vertices of a PLY file: ascii, binary_little_endian or binary_big_endian."""
    raw = path.read_bytes()
    if not raw:
        raise DamagedScan("empty scan", "the file is empty; copy it again")
    end = re.search(rb"^end_header[ \t\r]*\n", raw, re.MULTILINE)
    if not raw.startswith(b"ply") or end is None:
        raise DamagedScan("unreadable file", "expected a PLY header up to 'end_header', found none; copy it again")
    lines = [line.split() for line in raw[: end.start()].decode("latin-1").splitlines() if line.split()]
    try:
        kind = next(line[1] for line in lines if line[0] == "format")
        elements = [i for i, line in enumerate(lines) if line[0] == "element"]
        first = lines[elements[0]]
        following = elements[1] if len(elements) > 1 else len(lines)
        properties = [line for line in lines[elements[0] + 1 : following] if line[0] == "property"]
        if first[1] != "vertex":
            raise ValueError(f"first element is {first[1]}, not vertex")
        order = ">" if kind == "binary_big_endian" else "<"
        columns = [(line[2], order + _PLY_TYPES[line[1]]) for line in properties]
        dtype, count = np.dtype(columns), int(first[2])
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise DamagedScan(
            "unreadable file", f"its PLY header cannot be understood ({error!r}); write it again"
        ) from None
    body = raw[end.end() :]
    if kind == "ascii":
        return _ascii_points(b"\n".join(body.splitlines()[:count]), columns, count)
    if kind in ("binary_little_endian", "binary_big_endian"):
        return _binary_points(body, dtype, count)
    raise DamagedScan("unreadable file", f"expected format ascii or binary, got {kind}; convert it")


def read_npz(path: Path) -> np.ndarray:
    """(N,) structured points of an .npz with `points`, `points_m` or `xyz` (N, 3 or more) and perhaps times (N,)."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            key = next((name for name in _NPZ_POINTS if name in archive.files), None)
            if key is None:
                raise DamagedScan(
                    "wrong keys",
                    f"expected one of {', '.join(_NPZ_POINTS)}, "
                    f"got {', '.join(archive.files) or 'nothing'}; rename the array",
                )
            points = archive[key]
            times_key = next((name for name in _NPZ_TIMES if name in archive.files), None)
            times = archive[times_key] if times_key else None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedScan("unreadable file", f"cannot be read as .npz ({error}); copy it again") from None
    if points.ndim != 2 or points.shape[1] < 3 or points.dtype.kind not in "fiu":
        raise DamagedScan(
            "wrong shape",
            f"expected '{key}' as (N, 3) numbers in metres, got {points.dtype} {points.shape}; write it again",
        )
    columns: list[tuple[str, str | np.dtype]] = [("x", "f4"), ("y", "f4"), ("z", "f4")]
    if times is not None:
        if times.shape != (len(points),) or times.dtype.kind not in "fiu":
            raise DamagedScan(
                "wrong shape",
                f"expected '{times_key}' as one number for each of {len(points)} points, "
                f"got {times.dtype} {times.shape}; write it again",
            )
        columns.append(("time", times.dtype))
    out = np.zeros(len(points), columns)
    for column, name in enumerate(("x", "y", "z")):
        out[name] = points[:, column]
    if times is not None:
        out["time"] = times
    return out


def npz_keys(path: Path) -> list[str]:
    """The names of the arrays in an .npz; none when it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return list(archive.files)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return []


READERS: dict[str, Callable[[Path], np.ndarray]] = {".pcd": read_pcd, ".ply": read_ply, ".npz": read_npz}


def _pcd_columns(header: dict[str, list[str]]) -> list[tuple]:
    """Columns for a dtype; PCD pads with fields named '_', which may repeat."""
    counts = [int(c) for c in header.get("COUNT", ["1"] * len(header["FIELDS"]))]
    kinds = {"F": "f", "U": "u", "I": "i"}
    columns = []
    for i, (name, size, kind, count) in enumerate(
        zip(header["FIELDS"], header["SIZE"], header["TYPE"], counts, strict=True)
    ):
        name = f"_{i}" if name == "_" else name
        code = f"<{kinds[kind]}{size}"
        columns.append((name, code) if count == 1 else (name, code, (count,)))
    return columns


def _ascii_points(body: bytes, columns: list[tuple], count: int) -> np.ndarray:
    dtype = np.dtype(columns)
    widths = [int(np.prod(dtype[name].shape, dtype=int)) for name in dtype.names]
    words = body.split()
    if len(words) < count * sum(widths):
        raise DamagedScan(
            "truncated scan",
            f"expected {count} points of {sum(widths)} numbers, got {len(words)} numbers; copy it again",
        )
    try:
        table = np.array(words[: count * sum(widths)], np.float64).reshape(count, sum(widths))
    except ValueError as error:
        raise DamagedScan("unreadable file", f"expected numbers ({error}); write it again") from None
    out = np.empty(count, dtype)
    for name, begin, width in zip(dtype.names, np.cumsum([0, *widths[:-1]]), widths, strict=True):
        with np.errstate(invalid="ignore", over="ignore"):  # 'nan' in an integer column is as invalid as it was
            out[name] = (
                table[:, begin] if dtype[name].shape == () else table[:, begin : begin + width].reshape(out[name].shape)
            )
    return out


def _binary_points(body: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    if len(body) < count * dtype.itemsize:
        raise DamagedScan(
            "truncated scan", f"expected {count} points of {dtype.itemsize} bytes, got {len(body)} bytes; copy it again"
        )
    return np.frombuffer(body, dtype, count)


def _pcd_compressed(body: bytes, columns: list[tuple], count: int) -> np.ndarray:
    """Two sizes, then all values of the first field, of the second, ... in one LZF block."""
    from .lzf import decompress

    dtype = np.dtype(columns)
    sizes = np.frombuffer(body[:8], "<u4")
    if len(sizes) < 2 or len(body) < 8 + int(sizes[0]) or int(sizes[1]) < count * dtype.itemsize:
        raise DamagedScan(
            "truncated scan",
            f"expected a whole compressed block for {count} points, got {len(body)} bytes; copy it again",
        )
    plain = decompress(np.frombuffer(body, np.uint8, int(sizes[0]), 8), int(sizes[1]))
    if plain is None:
        raise DamagedScan("unreadable file", "its compressed block is damaged; copy it again")
    out, at = np.empty(count, dtype), 0
    for name in dtype.names:
        block = count * dtype[name].itemsize
        out[name] = np.frombuffer(plain[at : at + block].tobytes(), dtype[name].base).reshape(out[name].shape)
        at += block
    return out

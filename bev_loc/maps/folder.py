"""Files that are either wholly there or not there at all."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import MapError, OutputError

TEMPORARY = ".tmp"  # ending of what a killed writer leaves behind; readers never look at it


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What goes wrong in it is an OutputError that names `path`."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); free space or choose another folder") from None


def make_folder(path: Path) -> None:
    """The folder, with its parents; OutputError when it cannot be made or written into."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f"writable{TEMPORARY}"
        probe.write_bytes(b"")
        probe.unlink()


def write_whole(path: Path, data: bytes) -> None:
    """The file at `path`: written beside it, flushed to the disk, then renamed over it. OutputError when that fails."""
    temporary = path.with_name(path.name + TEMPORARY)
    with writing(path):
        try:
            with open(temporary, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, path)
        except OSError:
            if temporary.exists():
                temporary.unlink()
            raise


def flush(folder: Path) -> None:
    """Make the names in `folder` survive a power cut; the contents `write_whole` has flushed."""
    with writing(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_whole(path: Path, expected_sha256: str) -> bytes:
    """The file's content; MapError when it is missing or not what was written."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MapError(f"{path}: a part of the map cannot be read ({error.strerror}); restore the map from a copy") from None
    if sha256(data) != expected_sha256:
        raise MapError(f"{path}: is damaged (its checksum differs); restore the map from a copy")
    return data

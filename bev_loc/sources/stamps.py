"""Times of scans: from text files, from file names, or from an assumed rate. Nanoseconds, int64."""

from pathlib import Path

import numpy as np

from ..errors import SourceError
from .scan_folder import file_numbers

_NS_OF_DIGITS = {10: 1_000_000_000, 13: 1_000_000, 16: 1_000, 19: 1}  # 2001 to 2286 in s, ms, us, ns


def read_seconds(path: Path) -> np.ndarray:
    """(N,) int64 ns of a text file with one number of seconds per line."""
    return np.array([ns_of_seconds(float(row[0])) for row in read_numbers(path, 1)], np.int64)


def read_dates(path: Path) -> np.ndarray:
    """(N,) int64 ns of a text file with lines like `2011-09-26 13:02:25.964389445`."""
    lines = read_lines(path)
    try:
        return np.array([line.strip() for line in lines], "datetime64[ns]").astype(np.int64)
    except ValueError as error:
        raise SourceError(
            f"{path}: expected lines like '2011-09-26 13:02:25.964389445' ({error}); repair it or take it away"
        ) from None


def read_numbers(path: Path, columns: int) -> np.ndarray:
    """(N, columns) float64 of a text file; SourceError names the line that does not fit."""
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != columns or not np.isfinite(row).all():
            raise SourceError(
                f"{path}: line {number}: expected {columns} finite numbers, got '{line.strip()[:60]}'; "
                "repair it or take it away"
            )
        rows.append(row)
    return np.array(rows, float).reshape(-1, columns)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without trailing empty ones."""
    try:
        return path.read_text().rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: cannot be read as text ({error}); repair it or take it away") from None


def ns_of_seconds(seconds: float) -> int:
    """Whole nanoseconds, with no loss beyond that of the float64."""
    whole = int(np.floor(seconds))
    return whole * 1_000_000_000 + round((seconds - whole) * 1e9)


def rows_of_files(files: list[Path], rows: int, table: Path) -> np.ndarray:
    """(N,) int64 the row of `table` (of `rows` rows) that belongs to each file: in order, or by file number."""
    if rows == len(files):
        return np.arange(rows)
    numbers = file_numbers(files)
    if numbers is not None and rows > len(files) and numbers.max() < rows:
        return numbers.astype(np.int64)
    raise SourceError(
        f"{table}: has {rows} lines for {len(files)} scans in {files[0].parent}; "
        "complete the one or the other, or take it away"
    )


def dates_of(path: Path, files: list[Path]) -> np.ndarray:
    """(N,) int64 ns of the lines of a stamp file that belong to `files`."""
    every_ns = read_dates(path)
    return every_ns[rows_of_files(files, len(every_ns), path)]


def from_names_or_rate(files: list[Path], rate_hz: float) -> tuple[np.ndarray, str]:
    """(N,) int64 ns of files without a list of stamps, and the sentence that says what was assumed."""
    numbers = file_numbers(files)
    if numbers is None:
        numbers, how = np.arange(len(files), dtype=float), "in the order of their names"
    else:
        digits = {len(path.stem.split(".")[0]) for path in files}
        if len(digits) == 1 and (unit_ns := _NS_OF_DIGITS.get(digits.pop())) and numbers.min() >= 1e9:
            return np.array([_ns_of_name(path.stem, unit_ns) for path in files]), "stamps are taken from the file names"
        if np.median(np.diff(numbers, prepend=numbers[0] - 1)) > 100:  # dates or counters, not scan numbers
            numbers = np.arange(len(files), dtype=float)
        numbers, how = numbers - numbers[0], "by their numbers"
    stamps_ns = np.round(numbers * (1e9 / rate_hz)).astype(np.int64)
    return stamps_ns, f"no stamps found: {rate_hz:g} scans per second assumed, {how} (input.scan_rate_hz)"


def _ns_of_name(stem: str, unit_ns: int) -> int:
    whole, _, fraction = stem.partition(".")
    return int(whole) * unit_ns + (round(float(f"0.{fraction}") * unit_ns) if fraction else 0)

"""Real recordings for tests, where they are."""

from pathlib import Path

import pytest


class RealData:
    """The folder of real recordings, which are not part of the package: their licences do not allow it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __truediv__(self, name: str) -> Path:
        """The file or folder `name`; the test is skipped where it is not."""
        path = self.folder / name
        if not path.exists():
            pytest.skip(f"{name} is not in {self.folder}: set BEV_LOC_DATA to the folder of the recordings that docs/real_data.md lists")
        return path

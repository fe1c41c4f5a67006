"""From what the user typed to a source: recognised by looking at what lies there."""

from pathlib import Path

from ..config import InputConfig
from ..errors import SourceError
from .base import Source

_PREFIXES = ("kitti", "bag", "clouds", "keyframes")
_KNOWN = (
    "a KITTI odometry sequence or raw drive, a folder of .bin, .pcd, .ply or .npz scans, range images with "
    "velodyne_config.txt, a keyframe archive (.npz), a rosbag (.bag, .db3, .mcap or its folder), or sim:NAME"
)


def open_source(text: str, config: InputConfig) -> Source:
    """The source at a path, or `sim:NAME`; a prefix as in `kitti:PATH`, `bag:PATH` is allowed.

    SourceError, in one sentence, for what does not exist or is not recognised.
    """
    prefix, colon, rest = text.partition(":")
    if colon and prefix == "sim":
        from .simulated import open_simulated

        return open_simulated(rest, config)
    if not (named := rest if colon and prefix in _PREFIXES else text):  # else the working directory
        raise SourceError(f"no source is named; expected {_KNOWN}")
    path = Path(named).expanduser()
    try:
        if not path.exists():
            raise SourceError(f"{path}: no such file or folder; expected {_KNOWN}")
        return _open_folder(path, config) if path.is_dir() else _open_file(path, config)
    except OSError as error:  # a folder that may not be listed, a disk that is gone, a name that is too long
        raise SourceError(
            f"{path}: cannot be read ({error.strerror or error}); check the path and its rights"
        ) from None


def _open_file(path: Path, config: InputConfig) -> Source:
    match path.suffix.lower():
        case ".bag" | ".db3" | ".mcap":
            from .rosbag import open_bag

            return open_bag(path, config)
        case ".npz":
            from .keyframe_archive import open_keyframe_archive

            return open_keyframe_archive(path)
        case ".bin" | ".pcd" | ".ply" | ".png":
            raise SourceError(f"{path}: is a single scan; give the folder that holds it ({path.parent})")
    raise SourceError(f"{path}: is not a recording that is known here; expected {_KNOWN}")


def _open_folder(path: Path, config: InputConfig) -> Source:
    from . import kitti

    path = _recording_of(path)
    if (path / "velodyne_points").is_dir():
        return kitti.open_raw_drive(path, config)
    if (path / "velodyne").is_dir():
        return kitti.open_sequence(path, config)
    if (path / "velodyne_config.txt").is_file():
        from .range_images import open_range_images

        return open_range_images(path, config)
    if (path / "metadata.yaml").is_file():
        from .rosbag import open_bag

        return open_bag(path, config)
    suffixes = [entry.suffix.lower() for entry in path.iterdir() if entry.is_file()]
    bags = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in (".bag", ".db3", ".mcap"))
    if len(bags) == 1:
        return _open_file(bags[0], config)
    if bags:
        raise SourceError(
            f"{path}: holds {len(bags)} rosbags and no metadata.yaml; give one of them, for example {bags[0]}"
        )
    if ".bin" in suffixes:
        return kitti.open_velodyne(path, config)
    for suffix in (".pcd", ".ply", ".npz"):
        if suffix in suffixes:
            from .cloud_files import open_clouds

            return open_clouds(path, suffix, config)
    seen = ", ".join(sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))[:5])
    raise SourceError(f"{path}: {f'holds {seen} and no scans' if seen else 'is empty'}; expected {_KNOWN}")


def _recording_of(path: Path) -> Path:
    """The folder of the whole recording when `path` is the one inside it that holds the scans."""
    whole = path.resolve()
    if whole.name == "data" and whole.parent.name == "velodyne_points":
        return whole.parent.parent
    if whole.name == "velodyne_points" and (whole / "data").is_dir():
        return whole.parent
    if whole.name == "velodyne" and any(
        (whole.parent / name).exists() for name in ("times.txt", "calib.txt", "poses.txt")
    ):
        return whole.parent
    if whole.name == "data" and (whole.parent / "velodyne_config.txt").is_file():
        return whole.parent
    return path

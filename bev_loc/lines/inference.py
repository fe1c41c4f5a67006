"""Maps of a picture from an ONNX file: the shipped LSDNet, or upstream's published one. Only this file runs a network."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import DependencyError, SourceError

SHIPPED = Path(__file__).parent / "weights" / "lsdnet.onnx"
_MULTIPLE = 32  # sides that the shipped network takes
_STRIDE = 2  # its maps have one cell for 2 x 2 pixels
_UPSTREAM_SIDE = 288
_MOST_ENLARGED = 1.2  # thin pairs of lines come apart: 4 points of sAP10 on held-out scenes for half as much time again


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineMaps:
    """What the second stage reads. Cell (column, row) lies at pixel (column, row) * scale_xy + offset_xy of the picture."""

    heat: np.ndarray  # (h, w) float32, 0..1
    tangent: np.ndarray  # (2, h, w) float32, cosine and sine of twice the angle, in cells
    ends: np.ndarray | None  # (h, w) float32, 0..1; None where the network has no such map
    end_fall: float  # behind a line's end the heat is one half after so many cells
    scale_xy: np.ndarray  # (2,)
    offset_xy: np.ndarray  # (2,)


class LineModel:
    """One ONNX session; which of the two kinds it is shows in its input."""

    def __init__(self, path: str, threads: int) -> None:
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as states
        except ImportError:
            raise DependencyError(
                "lines.detector lsdnet needs onnxruntime: pip install 'onnxruntime>=1.17', or set lines.detector=opencv"
            ) from None
        file = Path(path) if path else SHIPPED
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if not file.is_file():
            raise SourceError(f"{file}: expected an ONNX model, found no file; leave lines.model empty for the shipped one")
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except (states.Fail, states.InvalidArgument, states.InvalidGraph, states.InvalidProtobuf, states.NotImplemented) as error:
            raise SourceError(f"{file}: is not an ONNX model that can be run ({_first_line(error)})") from None
        taken = self._session.get_inputs()[0]
        self._input = taken.name
        self._upstream = taken.type == "tensor(float)" and list(taken.shape)[1:] == [_UPSTREAM_SIDE, _UPSTREAM_SIDE, 3]
        if not self._upstream and (taken.type != "tensor(uint8)" or len(taken.shape) != 4):
            raise SourceError(
                f"{file}: expected the input of LSDNet, uint8 (1, H, W, 3) or upstream's float (N, 288, 288, 3); got "
                f"{taken.type} {taken.shape}"
            )
        self.name = "lsdnet" if file == SHIPPED else f"lsdnet:{file.name}"

    def maps(self, rgb: np.ndarray, working_pixels: int) -> LineMaps:
        """Maps of (H, W, 3) uint8, which is brought to about `working_pixels` first."""
        return self._upstream_maps(rgb) if self._upstream else self._own_maps(rgb, working_pixels)

    def _own_maps(self, rgb: np.ndarray, working_pixels: int) -> LineMaps:
        height, width = rgb.shape[:2]
        scale = min(_MOST_ENLARGED, (working_pixels / (height * width)) ** 0.5)
        h, w = max(1, round(height * scale)), max(1, round(width * scale))
        how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
        image = rgb if (h, w) == (height, width) else cv2.resize(rgb, (w, h), interpolation=how)
        image = padded(image, _MULTIPLE)
        maps = self._session.run(None, {self._input: image[None]})[0][0]
        maps = maps[:, : max(2, -(-h // _STRIDE)), : max(2, -(-w // _STRIDE))]
        size = np.array([width / w, height / h])
        # cell c is centred on the small picture's pixel 2 c + 0.5, and that on (p + 0.5) size - 0.5 of the picture
        return LineMaps(heat=maps[0], tangent=maps[1:3], ends=maps[3], end_fall=0.88, scale_xy=_STRIDE * size,
                        offset_xy=size - 0.5)  # fmt: skip

    def _upstream_maps(self, rgb: np.ndarray) -> LineMaps:
        height, width = rgb.shape[:2]
        side = _UPSTREAM_SIDE
        image = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
        maps = self._session.run(None, {self._input: image[None]})[0][0]
        doubled = 2.0 * np.pi * maps[..., 1]
        size = np.array([width / side, height / side])
        return LineMaps(heat=maps[..., 0], tangent=np.stack([np.cos(doubled), np.sin(doubled)]), ends=None, end_fall=0.0,
                        scale_xy=size, offset_xy=0.5 * size - 0.5)  # fmt: skip


def padded(image: np.ndarray, multiple: int) -> np.ndarray:
    """The picture with mirrored margins below and to the right: any other margin would look like a line."""
    below, beside = -image.shape[0] % multiple, -image.shape[1] % multiple
    mirrors = below < image.shape[0] and beside < image.shape[1]
    return cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_REFLECT_101 if mirrors else cv2.BORDER_REPLICATE)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200]

"""An exported network with its convolutions in eight bits, calibrated on images."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import DependencyError


def quantise(model: Path, inputs: Iterable[np.ndarray], path: Path) -> None:
    """Writes the int8 form of an ONNX file whose only input is an image; `inputs` are some of these, as it takes them.

    Weights per output channel, activations unsigned by the range that they have on the inputs (Nagel 2021,
    post-training quantisation). Everything but convolutions stays as it is: sums over the image need more bits. So does
    the first convolution: on it lay nearly all that the rings lost (cosine 0.986 with float32, 0.999 without), and it is cheap.
    """
    try:
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise DependencyError(f"exporting in int8 needs {error.name}: pip install 'onnx>=1.16'") from None
    name = onnx.load(str(model)).graph.input[0].name
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        first = next(node.name for node in onnx.load(str(prepared)).graph.node if node.op_type == "Conv")
        quantize_static(
            str(prepared), str(path), _Calibration(name, inputs), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv"], nodes_to_exclude=[first],
        )  # fmt: skip


class _Calibration:
    """What onnxruntime asks for inputs."""

    def __init__(self, name: str, inputs: Iterable[np.ndarray]) -> None:
        self._name, self._inputs = name, iter(inputs)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._inputs, None)
        return None if image is None else {self._name: image}

    def set_range(self, start_index: int, end_index: int) -> None:
        """Not for parts: all inputs are one range."""

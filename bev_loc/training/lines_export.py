"""The trained network as the ONNX file that `lines/inference.py` reads."""

from pathlib import Path

import torch

from ..errors import DependencyError
from ..lines.network import MULTIPLE, Exported, LineNet


def export(network: LineNet, path: Path) -> None:
    """Writes the file; batch normalisation is folded into the convolutions by the exporter."""
    try:
        import onnx  # noqa: F401  torch's exporter needs it
    except ImportError:
        raise DependencyError("exporting the network needs onnx: pip install 'onnx>=1.16'") from None
    picture = torch.zeros((1, 2 * MULTIPLE, 3 * MULTIPLE, 3), dtype=torch.uint8)
    torch.onnx.export(
        Exported(network.cpu().eval()).eval(), (picture,), str(path), dynamo=False, opset_version=17,
        input_names=["picture"], output_names=["maps"],
        dynamic_axes={"picture": {1: "height", 2: "width"}, "maps": {2: "height", 3: "width"}},
    )  # fmt: skip

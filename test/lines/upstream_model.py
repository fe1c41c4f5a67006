"""A tiny ONNX file to upstream LSDNet's contract: it thresholds brightness, so that painted lines are its answer."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save


def write_model(path: Path, angle: float) -> None:
    """Heat is the red channel; the angle is the green one times 1 (a constant picture says which)."""
    shape = ["N", 288, 288]
    nodes = [
        helper.make_node("Gather", ["input_1:0", "first"], ["red"], axis=3),
        helper.make_node("Mul", ["red", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "angle"], ["angles"]),
        helper.make_node("Concat", ["red", "angles"], ["Identity:0"], axis=3),
    ]
    graph = helper.make_graph(
        nodes,
        "upstream",
        [helper.make_tensor_value_info("input_1:0", TensorProto.FLOAT, [*shape, 3])],
        [helper.make_tensor_value_info("Identity:0", TensorProto.FLOAT, [*shape, 2])],
        [
            numpy_helper.from_array(np.array([0], np.int64), "first"),
            numpy_helper.from_array(np.float32(0.0), "zero"),
            numpy_helper.from_array(np.float32(angle), "angle"),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))

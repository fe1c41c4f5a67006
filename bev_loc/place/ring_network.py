"""The exported equivariant REIN: a session that runs it, and images as it takes them."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DependencyError
from .structure import MOST_COUNT

if TYPE_CHECKING:
    import onnxruntime

INPUT = "structure"


def open_network(path: Path, threads: int = 1) -> "onnxruntime.InferenceSession":
    """The network of an ONNX file, float32 or int8; DependencyError without onnxruntime.

    One thread by default: two gain little and starve the odometry.
    """
    try:
        import onnxruntime
    except ImportError:
        raise DependencyError(
            "learned place descriptors need onnxruntime: pip install 'onnxruntime>=1.17', "
            "or set place.descriptor=spectral"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def network_input(counts: np.ndarray) -> np.ndarray:
    """(1, 1, S, S) float32 in 0..1 of (S, S) counts of occupied voxels."""
    return np.minimum(counts / np.float32(MOST_COUNT), np.float32(1.0))[None, None]


def rings(network: "onnxruntime.InferenceSession", counts: np.ndarray) -> np.ndarray:
    """(rings, 2048) float32, each of unit length or zeros, of (129, 129) counts."""
    return network.run(None, {INPUT: network_input(counts)})[0][0]

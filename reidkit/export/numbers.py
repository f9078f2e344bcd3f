"""Fewer bits: an ONNX file in 16 bits, or in 8 by what some crops show of its range."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

EIGHT = ("Conv", "Gemm", "MatMul")  # what is computed in 8 bits; the rest stays float32


def to_half(source: Path, file: Path) -> None:
    """A float32 ONNX file in 16 bits, with inputs and outputs as they were.

    Resizing and normalising stay float32: pixel values up to 255 would lose their last bit.

    Args:
        source: float32.
        file: to write.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.load(source)
    first = next(i for i, node in enumerate(model.graph.node) if node.op_type == "Conv")
    before = [node.name for node in model.graph.node[:first]]
    half = convert_float_to_float16(model, keep_io_types=True, node_block_list=before)
    onnx.save(half, file)


def to_eight_bits(source: Path, file: Path, inputs: Sequence[Sequence[Tensor]]) -> None:
    """A float32 ONNX file with convolutions and products in 8 bits, ranges taken from crops.

    Weights by output channel, activations by tensor, with ``QuantizeLinear`` nodes that other
    runtimes read, too.

    Args:
        source: float32.
        file: to write.
        inputs: batches of what the file takes.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    graph = onnx.load(source).graph
    takes = [one.name for one in graph.input]
    first = next(i for i, node in enumerate(graph.node) if node.op_type == "Conv")
    pixels = [node.name for node in graph.node[:first]]  # resizing
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder, "ready.onnx")
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready),
            str(file),
            _Batches(takes, inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(EIGHT),
            nodes_to_exclude=pixels,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


class _Batches:
    """Batches as onnxruntime's quantisation asks for them, one after the other."""

    def __init__(self, takes: list[str], inputs: Sequence[Sequence[Tensor]]):
        self.left = [
            {n: np.ascontiguousarray(t.numpy()) for n, t in zip(takes, one, strict=True)}
            for one in inputs
        ]

    def get_next(self) -> dict[str, Any] | None:
        """The next batch; None after the last one."""
        return self.left.pop(0) if self.left else None

"""Exported files of every format, run in one way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Session = Callable[..., dict[str, Tensor]]


def open_exported(file: Path, names: list[str]) -> Session:
    """What runs a file: images and perhaps keypoints as tensors in, outputs by name out.

    Args:
        file: .onnx, .pt2 or .xml.
        names: of its outputs, in order.
    """
    run = {".onnx": _onnx, ".pt2": _torch, ".xml": _openvino}[file.suffix](file)

    def session(*inputs: Tensor) -> dict[str, Tensor]:
        with torch.inference_mode():
            return dict(zip(names, run(*inputs), strict=True))

    return session


def _onnx(file: Path) -> Callable[..., list[Tensor]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])
    takes = [one.name for one in session.get_inputs()]

    def run(*inputs: Tensor) -> list[Tensor]:
        feed = dict(zip(takes, map(_array, inputs), strict=True))
        return [torch.from_numpy(one) for one in session.run(None, feed)]

    return run


def _torch(file: Path) -> Callable[..., list[Tensor]]:
    module = torch.export.load(file).module()
    return lambda *inputs: list(module(*inputs))


def _openvino(file: Path) -> Callable[..., list[Tensor]]:
    import openvino

    options: dict[str, Any] = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    # float32 as it stands: measured is the file, not what this processor rounds to
    options["INFERENCE_PRECISION_HINT"] = "f32"
    model: Any = openvino.Core().compile_model(file, "CPU", options)

    def run(*inputs: Tensor) -> list[Tensor]:
        return [torch.from_numpy(one.copy()) for one in model(list(map(_array, inputs))).values()]

    return run


def _array(tensor: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(tensor.numpy())

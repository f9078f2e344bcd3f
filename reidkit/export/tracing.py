"""Writing a graph: torch.export first, ONNX from it, OpenVINO from that."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reidkit.errors import UserError
from reidkit.export.graph import JOINTS, Graph

FORMATS = {"onnx": "model.onnx", "torch_export": "model.pt2", "openvino": "model.xml"}
NEEDS = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch_export": ()}
NEEDS["openvino"] = (*NEEDS["onnx"], "openvino")


def _largest(values: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Adaptive maximum pooling in slices; its indices, which a test does not use, are zeros."""
    for dim, cells in ((2, size[0]), (3, size[1])):
        whole = values.shape[dim]
        edges = [(i * whole // cells, -(-(i + 1) * whole // cells)) for i in range(cells)]
        parts = [values.narrow(dim, start, end - start) for start, end in edges]
        values = torch.cat([part.amax(dim, keepdim=True) for part in parts], dim)
    return values, torch.zeros_like(values, dtype=torch.int64)


# what ONNX has no operator for, in terms of what it has
DECOMPOSED: dict[Any, Any] = {torch.ops.aten.adaptive_max_pool2d.default: _largest}
FREE = {"images": ("n", "", "height", "width"), "keypoints": ("n", "", "")}
SMALLEST, EXAMPLE = 8, (100, 50)  # pixels of an image side


def refuse_missing(to: str) -> None:
    """Say what to install for a format.

    Raises:
        UserError: a package is missing.
    """
    missing = [name for name in NEEDS[to] if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"--to {to} needs {', '.join(missing)}: python -m pip install 'reidkit[export]'"
        )


class _Flat(nn.Module):
    """A module whose tensors have one name each, without dots.

    torch.export writes paths of modules as Python, and "branches.global" is none.
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        self._hidden = (module,)  # in a tuple, so that it is no submodule
        tensors = [*module.named_parameters(), *module.named_buffers()]
        self._names = {name: f"t_{name.replace('.', '_')}" for name, _ in tensors}
        for name, tensor in tensors:
            self.register_buffer(self._names[name], tensor.detach())

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        state = {name: getattr(self, flat) for name, flat in self._names.items()}
        return torch.func.functional_call(self._hidden[0], state, inputs)


def trace(graph: Graph, keypoints: bool) -> torch.export.ExportedProgram:
    """The graph as torch.export sees it, for any number of images.

    Args:
        graph: in eval mode.
        keypoints: whether it takes them.

    Raises:
        UserError: something in the model depends on values in a way that no graph can hold.
    """
    size = EXAMPLE if graph.any_size else graph.size
    images = torch.zeros(2, 3, *size, dtype=torch.uint8 if graph.pixels == "uint8" else None)
    count = torch.export.Dim("n", min=1)
    dims: dict[int, Any] = {0: count}
    if graph.any_size:
        dims |= {2: torch.export.Dim("height", min=SMALLEST)}
        dims |= {3: torch.export.Dim("width", min=SMALLEST)}
    inputs: tuple[torch.Tensor, ...] = (images,)
    dynamic: tuple[dict[int, Any], ...] = (dims,)
    if keypoints:
        inputs, dynamic = (images, torch.zeros(2, JOINTS, 3)), (dims, {0: count})
    try:
        with torch.no_grad(), _quiet():
            program = torch.export.export(
                _Flat(graph), inputs, dynamic_shapes=(dynamic,), strict=False
            )
            return program.run_decompositions(DECOMPOSED)
    except Exception as error:  # torch raises many kinds
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{type(graph.model).__name__} cannot be exported: {cause}\n  --debug shows where; "
            "numbers taken out of tensors (len, int, .item()) are the usual reason"
        ) from error


def write_onnx(
    program: torch.export.ExportedProgram, names: list[str], facts: Mapping[str, Any], file: Path
) -> None:
    """Write an ONNX file with one description of itself in its metadata ("reidkit").

    Args:
        program: of ``trace``.
        names: of its outputs, in order.
        facts: what a reader of the file needs to know.
        file: to write.
    """
    import onnx

    takes = ["images", "keypoints"][: len(program.graph_signature.user_inputs)]
    with torch.no_grad(), _quiet():
        written = torch.onnx.export(
            program, dynamo=True, input_names=takes, output_names=names, verbose=False
        )
    assert written is not None  # it is where no file is named
    proto = written.model_proto
    _name_dimensions(proto, [list(FREE[name]) for name in takes])
    entry = proto.metadata_props.add()
    entry.key, entry.value = "reidkit", json.dumps(dict(facts))
    onnx.checker.check_model(proto)
    onnx.save(proto, file)


def _name_dimensions(proto: Any, inputs: list[list[str]]) -> None:
    """Give free dimensions, which torch numbers, the names that people know."""
    names: dict[str, str] = {}
    for value, known in zip(proto.graph.input, inputs, strict=True):
        for dim, name in zip(value.type.tensor_type.shape.dim, known, strict=True):
            names |= {dim.dim_param: name} if dim.dim_param else {}
    for value in [*proto.graph.input, *proto.graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = names.get(dim.dim_param, dim.dim_param)
    del proto.graph.value_info[:]  # of inner values, under the old names


def write_openvino(source: Path, file: Path, half: bool) -> None:
    """OpenVINO's two files from an ONNX file.

    Args:
        source: the ONNX file.
        file: ends in .xml; the .bin lies beside it.
        half: keep weights in 16 bits.
    """
    import openvino

    with _quiet():
        openvino.save_model(openvino.convert_model(source), file, compress_to_fp16=half)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters say about their own insides."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)

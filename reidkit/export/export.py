"""A model to a folder with the file that other programs run, its card, and what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidkit.engine.folder import write_json
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.export import numbers, tracing
from reidkit.export.card import card
from reidkit.export.graph import INPUTS, Graph, labels_of, lengths_count
from reidkit.export.session import open_exported
from reidkit.export.verify import (
    CROPS,
    TOLERANCE,
    Exported,
    drawn_crops,
    drawn_joints,
    inputs_of,
    parity,
    test_crops,
    test_gap,
)
from reidkit.structures import Field, ReIDBatch
from reidkit.utils.io import atomic_folder, atomic_write
from reidkit.version import __version__

BITS = ("fp32", "fp16", "int8")
RANGES = 128  # crops that ranges of int8 are taken from
FILE, CARD = "export.json", "README.md"


@dataclass(frozen=True)
class Options:
    """How a model is exported.

    Args:
        to: "onnx", "torch_export" or "openvino".
        bits: "fp32", "fp16" or "int8"; the last two of "onnx" and "openvino".
        pixels: what the file takes, see ``Graph``.
        any_size: crops of any size come in; False: of the network's size.
        test: measure mAP of model and file on the run's own test.

    Raises:
        UserError: values outside these.
    """

    to: str = "onnx"
    bits: str = "fp32"
    pixels: str = "float"
    any_size: bool = True
    test: bool = False

    def __post_init__(self) -> None:
        known = dict(to=tuple(tracing.FORMATS), bits=BITS, pixels=INPUTS)
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise UserError(f"{name} must be one of {', '.join(values)}")
        if self.to == "torch_export" and self.bits != "fp32":
            raise UserError(f"{self.bits} is for onnx and openvino; torch_export keeps float32")


def export_model(
    run: Run, folder: str | Path, options: Options, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Write a model's file, and measure it against the model as it was written.

    Args:
        run: with a model; it moves to the processor.
        folder: to write; new or empty.
        options: what and how.
        say: takes lines for people.

    Returns:
        What ``export.json`` keeps.

    Raises:
        UserError: packages that are missing, a model that cannot be exported, a float32 file whose
            embeddings differ by more than a cosine of 1e-4.
    """
    tracing.refuse_missing(options.to)
    place = Path(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UserError(f"{place}: exists and is not empty; choose a new folder with --out")
    run.model.to("cpu").eval()
    keypoints = "keypoints" in labels_of(run.model)
    size: Any = tuple(run.cfg.input.size)
    probe = run.model.embed(_probe(size, keypoints))
    unit = not lengths_count(probe, run.model.matcher)
    graph = Graph(run.model, size, run.cfg.input.resize, options.pixels, options.any_size, unit)
    parts = 0 if probe.vectors is None else probe.vectors.shape[1]
    outputs = {name: list(t.shape[1:]) for name, t in graph.flat(probe).items()}
    facts = _described(run, options) | dict(
        keypoints=keypoints, parts=parts, lengths=not unit, outputs=outputs
    )
    crops, source = drawn_crops(CROPS), "drawn crops"
    if options.test or options.bits == "int8":  # data is opened only where it is needed
        crops, source = test_crops(run, RANGES if options.bits == "int8" else CROPS)
    with atomic_folder(place) as new:
        file = new / tracing.FORMATS[options.to]
        _write(graph.eval(), facts, file, options, crops)
        say(f"{options.to}  {sum(one.stat().st_size for one in new.iterdir()) / 1e6:.1f} MB")
        session = open_exported(file, list(facts["outputs"]))
        facts |= dict(compared_on=source, crops=min(len(crops), CROPS))
        facts["gap"] = parity(run, graph, session, crops[:CROPS], keypoints)
        for name, gap in facts["gap"].items():
            say(f"{name}: largest {_measure(name)} {gap:.2g} on {facts['crops']} ({source})")
        if options.bits == "fp32" and max(facts["gap"].values()) > TOLERANCE:
            raise UserError(
                f"{options.to}: the file's embeddings are not the model's: {facts['gap']}, allowed "
                f"{TOLERANCE}; nothing was kept"
                + ("; --size input leaves resizing to the caller" if options.any_size else "")
            )
        if options.test:
            facts["test"] = test_gap(run, Exported(run.model, graph, session, parts), say)
        write_json(new / FILE, facts)
        with atomic_write(new / CARD, "w") as text:
            text.write(card(place.name, facts))
    return facts


def _described(run: Run, options: Options) -> dict[str, Any]:
    """What a file is of, as far as the run and the options say."""
    return dict(
        reidkit=__version__,
        format=options.to,
        bits=options.bits,
        size=list(run.cfg.input.size),
        resize=run.cfg.input.resize,
        pixels=options.pixels,
        any_size=options.any_size,
        matcher=run.cfg.model.matcher.type,
    )


def _measure(name: str) -> str:
    return "difference" if name == "visibility" else "1 - cosine"


def _probe(size: tuple[int, int], keypoints: bool) -> ReIDBatch:
    """A batch of three images that every model can embed."""
    crops = [np.resize(crop, (*size, 3)) for crop in drawn_crops(3)]
    fields = dict(image_sizes=Field(torch.tensor([size] * 3)))
    if keypoints:
        fields["keypoints"] = Field(drawn_joints(crops).double())
    return ReIDBatch(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2), fields=fields)


def _write(
    graph: Graph,
    facts: dict[str, Any],
    file: Path,
    options: Options,
    crops: Sequence[NDArray[np.uint8]],
) -> None:
    """The file of a format, by way of the formats that lead to it."""
    program = tracing.trace(graph, facts["keypoints"])
    if options.to == "torch_export":
        torch.export.save(program, file)
        return
    onnx = file.with_suffix(".onnx")
    tracing.write_onnx(program, list(facts["outputs"]), facts, onnx)
    if options.bits == "int8" or (options.bits == "fp16" and options.to == "onnx"):
        whole = onnx.rename(onnx.with_name("whole.onnx"))
        if options.bits == "fp16":
            numbers.to_half(whole, onnx)
        else:
            joints = drawn_joints(crops) if facts["keypoints"] else None
            numbers.to_eight_bits(whole, onnx, _batches(graph, crops, joints))
        whole.unlink()
    if options.to == "openvino":
        tracing.write_openvino(onnx, file, options.bits == "fp16")
        onnx.unlink()


def _batches(
    graph: Graph, crops: Sequence[NDArray[np.uint8]], joints: Tensor | None
) -> list[list[Tensor]]:
    return [
        inputs_of(graph, crop, None if joints is None else joints[number])
        for number, crop in enumerate(crops)
    ]


def default_folder(run: Run, options: Options) -> Path:
    """Where an export of a run or network goes: beside the run, named by format and bits."""
    name = f"{run.folder.name or 'model'}-{options.to}"
    return Path("exports", name if options.bits == "fp32" else f"{name}-{options.bits}")

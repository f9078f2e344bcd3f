"""``reidkit generate-part-labels``: part labels of any data set, scored where truth is."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import Any

from reidkit.cli.common import parser, split_overrides
from reidkit.errors import UserError

EPILOG = """examples:
  python tools/generate_part_labels.py                              SynthPed A and B
  python tools/generate_part_labels.py SynthPed domain=B --split train
  python tools/generate_part_labels.py Market1501 \\
      --config td-hm_hrnet-w32_8xb64-210e_coco-256x192 --checkpoint hrnet.pth
  torchrun --nproc-per-node 4 tools/generate_part_labels.py MSMT17 --config ... --checkpoint ...
  python tools/generate_part_labels.py Market1501 --import coco=keypoints.json
  python tools/generate_part_labels.py Market1501 --part-labels densepose_pngs --export labels/
  python tools/generate_part_labels.py --score                      quality on SynthPed, a table
A mmpose config file is Python and is executed; checkpoints and pickles never are."""


def _parser() -> argparse.ArgumentParser:
    what = "Keypoints and part maps of person crops by mmpose."
    command = parser("reidkit generate-part-labels", what, EPILOG)
    add = command.add_argument
    add("dataset", nargs="?", help="name of a reader, options as key=value; default: SynthPed A, B")
    add("--data-root", type=Path, default=Path("data"), help="default: data")
    add("--split", nargs="+", help="default: all splits of the data set")
    add("--config", default="synthped", help="shipped model, mmpose config name or file")
    add("--checkpoint", help="weights; needed for every config but the shipped one")
    add("--batch-size", type=int, default=64, help="crops per forward pass")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, ...; per rank under torchrun")
    add("--precision", default="auto", help="auto, fp32, bf16, fp16")
    add("--flip-test", action="store_true", help="average with the mirrored crop")
    switch = argparse.BooleanOptionalAction
    add("--part-pairs", action=switch, default=True, help="part left and right joints on one place")
    add("--workers", type=int, default=2, help="processes that decode crops")
    add("--part-maps", type=int, nargs=2, default=[48, 16], metavar=("H", "W"))
    add("--no-part-maps", action="store_true", help="keypoints only")
    add("--part-labels", type=Path, help="folder of label PNGs, classes 0..7, instead of capsules")
    add("--bilinear", action="store_true", help="reduce PNGs as EANet's released code does")
    add("--force", action="store_true", help="replace labels that are there")
    add(
        "--import", dest="source", metavar="FORMAT=FILE", type=_source,
        help=f"keypoints from a file instead of a model; formats: {', '.join(_formats())}",
    )  # fmt: skip
    add("--export", type=Path, help="also write COCO JSON, one file per split, to this folder")
    add("--score", action="store_true", help="compare with SynthPed's truth and print a table")
    return command


def _formats() -> list[str]:
    """Formats of label files that can be imported: the core's and those of plugins."""
    from reidkit.plugin.extend import extensions

    return ["coco", *extensions("label_formats")]


def _source(text: str) -> tuple[str, Path]:
    form, equals, file = text.partition("=")
    if not equals or not file:
        raise argparse.ArgumentTypeError(f"expected FORMAT=FILE, got {text!r}")
    return form, Path(file)


def main(argv: list[str]) -> int:
    """Make, import, export or score part labels."""
    options, rest = split_overrides(argv)
    args = _parser().parse_args(rest)
    readers = _readers(args, options)
    stores = [(reader, *labelled) for reader in readers for labelled in _label(reader, args)]
    if args.export:
        _export(stores, args.export)
    if args.score:
        _score(stores)
    return 0


def _readers(args: argparse.Namespace, options: list[str]) -> list[Any]:
    """The readers asked for, prepared."""
    import reidkit.data  # registers the readers
    import reidkit.synthped.reader  # noqa: F401
    from reidkit.registry import DATASETS

    values = {}
    for option in options:
        key, _, text = option.partition("=")
        try:
            values[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            values[key] = text
    asked = [dict(type=args.dataset or "SynthPed", **values)]
    if args.dataset is None and "domain" not in values:
        asked = [dict(type="SynthPed", domain=domain, **values) for domain in "AB"]
    try:
        readers = [DATASETS.build(dict(one, data_root=str(args.data_root))) for one in asked]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(str(error.args[0])) from None
    if args.score and not all(hasattr(reader, "truth") for reader in readers):
        raise UserError("--score needs data whose truth is known: SynthPed")
    for reader in readers:
        reader.prepare()
    return readers


def _label(reader: Any, args: argparse.Namespace) -> list[tuple[Any, Any]]:
    """(split, store) of each split of one reader."""
    from reidkit.pose.generate import ensure_labels
    from reidkit.pose.imports import import_labels
    from reidkit.pose.labeller import TopdownLabeller

    splits = reader.splits()
    unknown = [name for name in args.split or [] if name not in splits]
    if unknown:
        raise UserError(f"no split {unknown[0]!r}; {reader.name} has: {', '.join(splits)}")
    size = None if args.no_part_maps else tuple(args.part_maps)
    stores = []
    for name in args.split or splits:
        split = splits[name]
        folder = args.data_root / "part_labels" / split.label_key
        if args.source:
            form, file = args.source
            store = import_labels(
                split, folder, file, form, size, args.part_labels, args.bilinear, args.force
            )
        else:
            store = ensure_labels(
                split, folder,
                lambda: TopdownLabeller(
                    args.config, args.checkpoint, args.batch_size, _device(args.device),
                    args.precision, args.flip_test, args.part_pairs,
                ),
                size, args.workers, part_labels=args.part_labels, bilinear=args.bilinear,
                made_by="run" if _is_default(args) else "command", force=args.force,
            )  # fmt: skip
        stores.append((split, store))
        print(f"{folder}: {len(store)} crops, {store.meta['pose']['config']}")
    return stores


def _is_default(args: argparse.Namespace) -> bool:
    """Nothing was chosen, so these are the labels that a run would make for itself."""
    chosen = (args.checkpoint, args.part_labels, args.flip_test, args.bilinear, not args.part_pairs)
    return args.config == "synthped" and not any(chosen)


def _device(device: str) -> str:
    import os

    import torch

    if device == "auto" and torch.cuda.is_available():
        return f"cuda:{int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()}"
    return device


def _export(stores: list[tuple[Any, Any, Any]], folder: Path) -> None:
    from reidkit.pose.coco_json import coco_dict, export_coco

    for _, split, store in stores:
        file = folder / f"{split.label_key.replace('/', '_')}.json"
        export_coco(file, coco_dict(split.paths, store.image_sizes, store.keypoints))
        print(f"{file}: COCO keypoints of {len(split)} crops")


def _score(stores: list[tuple[Any, Any, Any]]) -> None:
    from reidkit.pose.score import plugin_columns, score_store, score_table

    rows = []
    for reader, split, store in stores:
        truth = reader.truth(split.name)
        rows.append((split.label_key, score_store(store, truth), plugin_columns(store, truth)))
    print(score_table(rows))

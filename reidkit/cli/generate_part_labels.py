"""``reidkit generate-part-labels``: part labels of any data set, scored where truth is."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from reidkit.cli.common import parser, split_overrides
from reidkit.errors import UserError
from reidkit.utils.commands import pages

StoreOf = Callable[[Any, Path], Any]  # split, folder -> label store

EPILOG = """examples:
  python tools/generate_part_labels.py                              SynthPed A and B
  python tools/generate_part_labels.py SynthPed domain=B --split train
  python tools/generate_part_labels.py Market1501 \\
      --pose hrnet-w32 --checkpoint hrnet.pth
  torchrun --nproc-per-node 4 tools/generate_part_labels.py MSMT17 --pose rtmpose-m
  python tools/generate_part_labels.py Market1501 --import keypoints.json
  python tools/generate_part_labels.py Market1501 --part-labels densepose_pngs --export labels/
  python tools/generate_part_labels.py --score                      quality on SynthPed, a table
A mmpose config file is Python and is executed; checkpoints and pickles never are."""


def _parser() -> argparse.ArgumentParser:
    what = "Keypoints and part maps of person crops by mmpose."
    command = parser("reidkit generate-part-labels", what, EPILOG)
    add = command.add_argument
    add("dataset", nargs="?", help="name of a reader, options as key=value; default: SynthPed A, B")
    add("--data-root", type=Path, default=Path("data"), help="default: data")
    add("--label-root", type=Path, help="folder of label stores; default: part_labels in data root")
    add("--split", nargs="+", help="default: all splits of the data set")
    add(
        "--pose",
        metavar="MODEL",
        help="rtmpose-s, rtmpose-m, hrnet-w32, vitpose-b, or the name or file of another mmpose "
        "config; default: rtmpose-m for photographs, the shipped one for SynthPed",
    )
    add("--checkpoint", help="weights of the model; default: its official ones")
    add("--on-photographs", action="store_true", help="let --pose synthped label photographs, too")
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
        "--replace-imported",
        action="store_true",
        help="replace imported labels by generated ones, which --force does not",
    )
    add(
        "--import",
        dest="source",
        metavar="FILE",
        type=Path,
        help="keypoints that another program found: its file, or its folder of files",
    )
    add(
        "--import-format",
        metavar="FORMAT",
        help="its format, where it is not recognised; an unknown name lists all there are",
    )
    add(
        "--allow-missing",
        action="store_true",
        help="crops that an imported file does not list have nobody in them",
    )
    add("--export", type=Path, help="also write COCO JSON, one file per split, to this folder")
    add("--score", action="store_true", help="compare with SynthPed's truth and print a table")
    return command


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


def _label(reader: Any, args: argparse.Namespace) -> Iterator[tuple[Any, Any]]:
    """(split, store) of each split of one reader."""
    from reidkit.data.tracklets import TrackletSplit
    from reidkit.pose.quality import Quality

    listed = reader.splits()
    splits = {n: s.crops() if isinstance(s, TrackletSplit) else s for n, s in listed.items()}
    splits = {name: split.originals or split for name, split in splits.items()}
    unknown = [name for name in args.split or [] if name not in splits]
    if unknown:
        raise UserError(f"no split {unknown[0]!r}; {reader.name} has: {', '.join(splits)}")
    among = {path for split in splits.values() for path in split.paths}
    store_of = _importer(args, among) if args.source else _generator(args, among)
    root = args.label_root or args.data_root / "part_labels"
    for name in args.split or splits:
        folder = root / splits[name].label_key
        store = store_of(splits[name], folder)
        quality = Quality.stored(store.meta)
        print(f"{folder}: {len(store)} crops, {store.meta['pose']['config']}; {quality}")
        if quality.poor and splits[name].pictures == "photographs":
            print(pages("  that is poor: 'Part labels' in docs/data.md says what does better"))
        yield splits[name], store


def _importer(args: argparse.Namespace, among: set[str]) -> StoreOf:
    """Makes the store of a split from the file that is imported."""
    from reidkit.pose.imports import KeypointFile, import_labels

    source = KeypointFile(args.source, args.import_format, among, args.allow_missing)
    maps = (_map_size(args), args.part_labels, args.bilinear)
    return lambda split, folder: import_labels(split, folder, source, *maps, args.force)


def _generator(args: argparse.Namespace, among: set[str]) -> StoreOf:
    """Opens the store of a split, or makes it with a pose model."""
    from reidkit.pose.generate import ensure_labels
    from reidkit.pose.labeller import TopdownLabeller

    return lambda split, folder: ensure_labels(
        split, folder,
        lambda: TopdownLabeller(
            args.pose, args.checkpoint, args.batch_size, _device(args.device),
            args.precision, args.flip_test, args.part_pairs, args.on_photographs, split.pictures,
            dict(data_root=args.data_root),
        ),
        _map_size(args), args.workers, part_labels=args.part_labels, bilinear=args.bilinear,
        made_by="run" if _is_default(args) else "command", force=args.force,
        replace_imported=args.replace_imported, among=among,
    )  # fmt: skip


def _map_size(args: argparse.Namespace) -> tuple[int, int] | None:
    return None if args.no_part_maps else (args.part_maps[0], args.part_maps[1])


def _is_default(args: argparse.Namespace) -> bool:
    """Nothing was chosen, so these are the labels that a run would make for itself."""
    chosen = (args.checkpoint, args.part_labels, args.flip_test, args.bilinear, not args.part_pairs)
    return not any((args.pose, args.on_photographs, *chosen))


def _device(device: str) -> str:
    import os

    import torch

    if device == "auto" and torch.cuda.is_available():
        return f"cuda:{int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()}"
    return device


def _export(stores: list[tuple[Any, Any, Any]], folder: Path) -> None:
    from reidkit.pose.coco_json import coco_dict, export_coco

    for _, split, store in stores:
        if split.boxes is not None:
            raise UserError(
                f"{split.label_key}: crops are cut out of photographs, which a COCO file of crops "
                "cannot say; export data sets whose crops are files"
            )
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

"""``reidkit browse``: look through a data set in the browser, search it, correct its labels."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidkit.cli.common import parser, split_overrides, take_weights
from reidkit.errors import UserError

if TYPE_CHECKING:
    from reidkit.report.live import Catalogue

EXAMPLES = """examples:
  python tools/browse.py data/mine                             images of a folder, any layout
  python tools/browse.py mine                                  a file of configs/_base_/data
  python tools/browse.py runs/eanet-pap-synthped-quick-s0      with search by picture
  python tools/browse.py RUN --test target --out fixes.csv
  python tools/browse.py people --model osnet_x0_25 weights=FILE   a gallery, searched by picture
The page is for this machine alone: open the address that is printed, which holds a password."""


def main(argv: list[str]) -> int:
    """Serve the images of a data set until interrupted."""
    args, rest = _parsed(argv)
    from reidkit.registry import import_core
    from reidkit.utils.io import ensure_writable

    import_core()
    from reidkit.gallery.manifest import FILE

    is_run, is_gallery = ((Path(args.place) / name).is_file() for name in ("config.py", FILE))
    if args.test and not is_run:
        raise UserError("--test is of a run; a data set has no tests")
    if args.model and not is_gallery:
        raise UserError("--model is for a gallery; a run has its own, a data set is not searched")
    if args.out and is_gallery:
        raise UserError(
            "--out is for corrections of a data set; a gallery is changed by reidkit gallery"
        )
    catalogue = (_of_run if is_run else _of_gallery if is_gallery else _of_data)(args, rest)
    if catalogue.out:
        ensure_writable(catalogue.out)
    from reidkit.report.live import serve

    more = f"; corrections go to {catalogue.out}" if catalogue.out else ""
    print(f"{catalogue.title}: {len(catalogue):,} images{more}")
    serve(catalogue, args.port, lambda address: print(f"open {address}", flush=True))
    return 0


def _parsed(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    about = "Look through images in the browser, search them, correct labels."
    command = parser("reidkit browse", about, EXAMPLES)
    command.add_argument("place", help="folder of a run, gallery or data set, or a data group")
    command.add_argument("--test", metavar="DOMAIN", help="of a run; default: its first test")
    command.add_argument("--out", type=Path, metavar="CSV", help="default: corrections.csv there")
    command.add_argument("--model", help="of a gallery: run folder or network, to search with")
    command.add_argument("--port", type=int, default=0, help="default: any that is free")
    overrides, others = split_overrides(argv)
    args = command.parse_args(others)
    if not 0 <= args.port < 65536:
        raise UserError(f"--port must be from 0 to 65535, got {args.port}")
    return args, overrides


def _of_data(args: argparse.Namespace, typed: Sequence[str]) -> Catalogue:
    """The images of a data set, without features."""
    from reidkit.cli.data_group import group_reader
    from reidkit.cli.doctor import reader_options
    from reidkit.data.datasets.layouts import find_reader

    options = reader_options(typed)
    if Path(args.place).is_dir() or "/" in args.place:
        reader = find_reader(Path(args.place), None, options)
    else:
        reader, _ = group_reader(args.place, options)
    return _catalogue(reader, args.out, args.place)


def _of_gallery(args: argparse.Namespace, overrides: list[str]) -> Catalogue:
    """The images that a gallery keeps; with its model, other pictures can be searched for."""
    import reidkit
    from reidkit.cli.browse_gallery import gallery_catalogue

    others, weights = take_weights(overrides)
    model = reidkit.load(args.model, others, weights) if args.model else None
    return gallery_catalogue(Path(args.place), model)


def _of_run(args: argparse.Namespace, overrides: Sequence[str]) -> Catalogue:
    """The images of a run's test set, with features, suspects and its model."""
    import numpy as np

    from reidkit.engine.extractor import Extractor
    from reidkit.engine.stores import features
    from reidkit.evaluation.label_errors import label_errors
    from reidkit.evaluation.matchers.base import flat_vectors
    from reidkit.structures import Embedding

    extractor = Extractor(args.place, overrides)
    run = extractor.run
    tests = list(run.cfg.data.tests)
    if not tests and not args.test:
        raise UserError(f"{args.place}: has no tests; name a domain with --test")
    test = args.test or tests[0]
    reader, store = run.domains.reader(test), features(run, test)
    splits, names = reader.splits(), ("query", "gallery")
    for name in names:
        known = store.sides[name].labels.paths or ()
        pairs = zip(known, splits[name].paths, strict=False)
        if len(known) != len(splits[name]) or not all(a.endswith(b) for a, b in pairs):
            raise UserError(f"{test}: the {name} images are others than those of the features")
    places = [(name, row) for name in names for row in range(len(splits[name]))]
    errors = label_errors(
        Embedding.cat([store.sides[name].embedding for name in names]),
        np.concatenate([splits[name].identities for name in names]),
        np.concatenate([splits[name].cameras for name in names]),
    )
    return _catalogue(
        reader,
        args.out,
        f"{test} of {Path(args.place).name}",
        vectors={name: flat_vectors(store.sides[name].embedding) for name in names},
        suspects={places[one.row]: one for one in errors},
        embed=lambda pixels: flat_vectors(extractor(pixels))[0],
    )


def _catalogue(reader: Any, out: Path | None, title: str, **more: Any) -> Catalogue:
    """Images as the data set labels them, and the corrections of its table or of ``out``."""
    from reidkit.data.corrections import FILE, read_corrections
    from reidkit.report.live import Catalogue

    splits, own = reader.splits(), None
    if getattr(reader, "as_labelled", None):
        splits, own = reader.as_labelled, reader.find() / FILE
    out = out or own
    if out is None:
        raise UserError(
            f"{title}: several data sets joined have no folder of their own; name a table with "
            "--out, or browse one of them"
        )
    previous = next((file for file in (out, own) if file is not None and file.is_file()), None)
    rows = read_corrections(previous) if previous else []
    return Catalogue(splits, out, rows, title=title, **more)

"""``reidkit gallery``: enrol, search, erase, merge, save, purge, calibrate, recall, info, log."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from reidkit.cli.common import parser, split_overrides, take_weights
from reidkit.errors import UserError

if TYPE_CHECKING:
    from reidkit.gallery import Answer, Gallery
    from reidkit.gallery.milvus import Recall

EXAMPLES = """examples:
  python tools/gallery.py enrol people RUN --id anna a1.jpg a2.jpg --source "signed 3 May"
  python tools/gallery.py enrol people osnet_x0_25 weights=FILE --folders crops     one folder each
  python tools/gallery.py enrol people RUN --extraction vectors    of: extract RUN --images crops
  python tools/gallery.py search people RUN unknown.jpg --fpir 0.01
  python tools/gallery.py calibrate people RUN --folders known    people the model has not seen
  python tools/gallery.py erase people anna
  python tools/gallery.py merge people other
  python tools/gallery.py save people /backup/people               erasures reach the copy
  python tools/gallery.py info people --verify
  python tools/gallery.py log people --last 20
  python tools/gallery.py recall people RUN --database people/vectors.db     what Milvus misses"""
IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


def main(argv: list[str]) -> int:
    """Run one command on a gallery."""
    overrides, rest = split_overrides(argv)
    args = _parser().parse_args(rest)
    others, weights = take_weights(overrides)
    if overrides and not hasattr(args, "model"):
        raise UserError(f"{overrides[0]!r}: only enrol, search, calibrate and recall open a model")
    from reidkit.gallery import Gallery

    model: Any = None
    if hasattr(args, "model"):
        import reidkit

        model = reidkit.load(args.model, others, weights)
    days = getattr(args, "retention_days", None)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        gallery = Gallery(args.gallery, model, days, database=args.database)
        status = args.work(gallery, args)
        gallery.close()
    for text in dict.fromkeys(str(one.message) for one in heard):
        print(f"warning: {text}")
    return int(status or 0)


def _parser() -> argparse.ArgumentParser:
    """All commands; those that embed take a model and overrides of its config."""
    about = "People to be found again: enrolled with images, searched for, erased."
    command = parser("reidkit gallery", about, EXAMPLES)
    commands = command.add_subparsers(metavar="command", required=True)

    def add(name: str, work: Any, text: str, model: bool = False) -> Any:
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(work=work)
        one.add_argument("gallery", type=Path, help="folder of the gallery")
        one.add_argument("--database", help="of Milvus: FILE.db or http://host:19530")
        if model:
            one.add_argument("model", help="run folder or network; weights=FILE, key=value")
        return one.add_argument

    option = add("enrol", _enrol, "add images of people; the gallery is made if missing", True)
    _images(option)
    option("--extraction", type=Path, help="embeddings of: reidkit extract MODEL --images")
    option("--id", help="who the images show")
    option("--camera", type=int, help="number of the camera, from 0")
    option("--source", default="", help="where they come from, why they may be kept")
    option("--retention-days", type=float, help="for which they are kept; of a new gallery: all")
    option = add("search", _search, "who is it? the nearest people of each image", True)
    _images(option)
    option("-k", type=int, default=3, help="people that are listed (default: 3)")
    option("--fpir", type=float, help="share of searches for absent people that may answer")
    option("--threshold", type=float, help="distance up to which someone is answered")
    option("--note", default="", help="for the log: who asks, and why")
    option("--json", action="store_true", help="print one JSON object per image")
    option = add(
        "calibrate", _calibrate, "thresholds from people that the model has not seen", True
    )
    _images(option)
    option = add("recall", _recall, "what the database's shortlists miss of exact search", True)
    option("-k", type=int, default=10, help="nearest images looked for (default: 10)")
    option("--queries", type=int, default=256, help="enrolled images (default: 256)")
    option = add("erase", _erase, "take people away, from copies and the log as well")
    option("identities", nargs="+", help="names")
    option = add("merge", _merge, "take over the images of another gallery of the same model")
    option("other", type=Path, help="folder of it; stays as it is")
    option = add("save", _save, "copy the gallery; erasures reach the copy")
    option("copy", type=Path, help="folder that does not exist yet")
    add("purge", _purge, "erase what has expired; enrol does so, too")
    option = add("info", _info, "what the gallery holds, and its thresholds")
    option("--id", help="provenance of one person's images")
    option("--verify", action="store_true", help="compare every file with its checksum")
    option = add("log", _log, "searches and erasures")
    option("--last", type=int, default=0, help="only so many lines; default: all")
    return command


def _images(option: Any) -> None:
    option("images", nargs="*", help="crops, one person each")
    option("--folders", type=Path, help="a folder with a folder of images for each person")


def _crops(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Files, and the folder that each lies in; the names given by --id where there is one."""
    if bool(args.images) == bool(args.folders):
        raise UserError("name images, or a folder of folders with --folders")
    if args.images:
        return list(args.images), [getattr(args, "id", None) or ""] * len(args.images)
    if not args.folders.is_dir():
        raise UserError(f"{args.folders}: no such folder")
    files = sorted(f for f in args.folders.glob("*/*") if f.suffix.lower() in IMAGES)
    if not files:
        raise UserError(f"{args.folders}: no folders with images ({', '.join(sorted(IMAGES))})")
    return [str(file) for file in files], [file.parent.name for file in files]


def _enrol(gallery: Gallery, args: argparse.Namespace) -> None:
    more = dict(source=args.source, retention_days=args.retention_days)
    if args.extraction is not None:
        count = _enrol_extraction(gallery, args, more)
    else:
        files, names = _crops(args)
        if "" in names:
            raise UserError("whom do the images show? --id NAME, or --folders")
        count = gallery.enrol(names, files, args.camera, **more)
    print(f"{gallery.folder}: {count} images enrolled, {len(gallery.identities)} people")


def _enrol_extraction(gallery: Gallery, args: argparse.Namespace, more: dict[str, Any]) -> int:
    """Enrol embeddings by the identities of their source, else by the folders of the images."""
    from reidkit.evaluation.io.extraction import Extraction

    if args.images or args.folders:
        raise UserError("--extraction takes the place of images and --folders; leave these out")
    extraction = Extraction(args.extraction)
    part = extraction.whole()
    names = [
        args.id or identity or PurePosixPath(file).parent.name
        for identity, file in zip(part.identities, part.files, strict=True)
    ]
    lost = next((file for file, name in zip(part.files, names, strict=True) if not name), None)
    if lost is not None:
        raise UserError(f"{lost}: whom does it show? its source gives no identity; --id NAME")
    cameras: Any = args.camera if None in part.cameras else part.cameras
    times: Any = None if None in part.times else part.times
    return gallery.enrol(names, part.embedding, cameras, times, model=extraction.plan.model,
                         paths=part.files, **more)  # fmt: skip


def _search(gallery: Gallery, args: argparse.Namespace) -> None:
    files, _ = _crops(args)
    options = dict(fpir=args.fpir, threshold=args.threshold, note=args.note)
    answers = gallery.search(files, args.k, **options)
    if answers.recall is not None:
        print(_recalled(answers.recall))
    if answers.threshold is not None:
        print(f"someone is answered up to distance {answers.threshold:.4f}")
    for file, answer in zip(files, answers, strict=True):
        print(json.dumps(_plain(file, answer)) if args.json else _shown(file, answer))


def _plain(file: str, answer: Answer) -> dict[str, Any]:
    from dataclasses import asdict

    return dict(image=file, identity=answer.identity, candidates=asdict(answer)["candidates"])


def _shown(file: str, answer: Answer) -> str:
    lines = [f"{file}: {answer.identity}"]
    for one in answer.candidates:
        sure = "" if one.probability is None else f", probability {one.probability:.2f}"
        images = ", ".join(f"{i.path or 'an image'} {i.distance:.4f}" for i in one.images)
        lines.append(f"  {one.identity}  {one.distance:.4f}{sure}  ({images})")
    return "\n".join(lines)


def _calibrate(gallery: Gallery, args: argparse.Namespace) -> None:
    from reidkit.evaluation.open_set import threshold_table

    files, names = _crops(args)
    numbers = {name: number for number, name in enumerate(sorted(set(names)), 1)}
    known = gallery.calibrate([numbers[name] for name in names], files)
    print(threshold_table(known))


def _recall(gallery: Gallery, args: argparse.Namespace) -> None:
    print(_recalled(gallery.measure_recall(args.k, args.queries)))


def _recalled(known: Recall) -> str:
    return (
        f"shortlists of {known.candidates} images hold the nearest image in {known.nearest:.2%} of "
        f"{known.queries} searches, {known.listed:.2%} of the {known.k} nearest; measured with "
        f"{known.images} images"
    )


def _erase(gallery: Gallery, args: argparse.Namespace) -> int:
    return _told(gallery, gallery.erase(*args.identities))


def _purge(gallery: Gallery, args: argparse.Namespace) -> int:
    return _told(gallery, gallery.purge())


def _told(gallery: Gallery, done: Any) -> int:
    print(
        f"{gallery.folder}: {done.images} images, {done.identities} people and {done.log_lines} "
        f"lines of the log erased, in {len(done.copies)} copies too"
    )
    for copy in done.missing:
        print(f"{copy}: this copy is not there; erase from it where it is, or delete it")
    return int(bool(done.missing))


def _merge(gallery: Gallery, args: argparse.Namespace) -> None:
    print(f"{gallery.folder}: {gallery.merge(args.other)} images taken over from {args.other}")


def _save(gallery: Gallery, args: argparse.Namespace) -> None:
    gallery.save(args.copy)
    print(f"{args.copy}: a copy; erasures in {gallery.folder} reach it")


def _info(gallery: Gallery, args: argparse.Namespace) -> None:
    manifest = gallery.snapshot.manifest
    if args.id is not None:
        for one in gallery.images(args.id):
            print(json.dumps(one))
        return
    shapes = ", ".join(f"{n} {'x'.join(map(str, s))}" for n, s in manifest.shapes.items())
    days = manifest.retention_days
    print(
        f"{gallery.folder}: {len(gallery)} images of {len(gallery.identities)} people\n"
        f"model      {manifest.model_name} ({manifest.model[:12]}), {shapes or 'no images yet'}\n"
        f"kept       {'until they are erased' if days is None else f'for {days:g} days'}\n"
        f"generation {manifest.generation}, {len(manifest.segments)} segments, "
        f"{len(manifest.copies)} copies"
    )
    known = gallery.snapshot.open_set
    if known is not None:
        from reidkit.evaluation.open_set import threshold_table

        size = len(gallery.identities)
        print(threshold_table(known, (size,) if size else ()))
    if args.verify:
        print(f"verified   {gallery.verify() / 2**20:.1f} MB and the log")


def _log(gallery: Gallery, args: argparse.Namespace) -> None:
    for line in list(gallery.log.lines())[-args.last :]:
        print(json.dumps(line.get("event", dict(n=line["n"], erased=True))))

"""``reidkit generate``: pictures and data sets from a run whose model generates images."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parse_with_overrides, parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/generate.py RUN --grid swap.png                      8 x 8, one crop each of 8 people
  python tools/generate.py RUN --grid swap.png --rows 3 80 200 512  these crops of the split
  python tools/generate.py RUN --interpolate steps.png --rows 3 80
  python tools/generate.py RUN --dataset data/composites/market1501 --copies 2
  python tools/train.py CONFIG data=market1501 settings.data_root=data/composites
  python tools/generate.py RUN --quality --features RUN_OF_FEATURES
  python tools/generate.py RUN --quality --inception weights.pth --lpips alexnet.pth
RUN is the run folder of a model that generates images. key=value changes its config."""


def main(argv: list[str]) -> int:
    """Draw, write or measure what a run's model generates."""
    args, overrides = _arguments(argv)
    if not (args.grid or args.interpolate or args.dataset or args.quality):
        raise UserError("say what to make: --grid, --interpolate, --dataset or --quality")
    from reidkit.engine.products.composites import Composer
    from reidkit.engine.run import Run

    run = Run.open(args.run, overrides)
    composer = Composer.of_run(run, args.split, args.domain)
    if args.grid:
        rows = args.rows or composer.choose(args.count, args.seed)
        _save(composer.grid(rows), args.grid)
    if args.interpolate:
        rows = args.rows or composer.choose(2, args.seed)
        if len(rows) != 2:
            raise UserError(f"--interpolate goes between two crops; --rows has {len(rows)}")
        _save(composer.interpolation(rows[0], rows[1], args.steps), args.interpolate)
    if args.dataset:
        originals = run.domains.splits(args.domain)
        options = args.copies, args.seed, args.with_real
        count = composer.write_dataset(args.dataset, originals, *options)
        print(f"{args.dataset}: {count:,} composites; who gave what: composites.csv")
    if args.quality:
        _quality(composer, run, args)
    return 0


def _arguments(argv: list[str]):
    command = parser("reidkit generate", "Images from a run that generates.", EXAMPLES)
    add = command.add_argument
    add("run", type=Path, help="run folder")
    add("--grid", type=Path, metavar="PNG", help="every appearance in every structure")
    add("--interpolate", type=Path, metavar="PNG", help="from one crop to another, code by code")
    add("--dataset", type=Path, metavar="FOLDER", help="composites in Market-1501's layout")
    add("--quality", action="store_true", help="Frechet distances, SSIM, ... of composites")
    add("--split", default="train", help="whose crops: train, query or gallery (default: train)")
    add("--domain", default="source", help="which data set of the run (default: source)")
    add("--rows", type=int, nargs="+", help="crops by their row in the split; default: at random")
    add("--count", type=int, default=8, help="people in the grid (default: 8)")
    add("--steps", type=int, default=11, help="images of an interpolation (default: 11)")
    add("--copies", type=int, default=1, help="composites per crop (default: 1)")
    add("--with-real", action="store_true", help="the data set also holds the real training crops")
    add("--seed", type=int, default=10, help="of every random choice (default: 10)")
    add("--features", type=Path, metavar="RUN", help="run whose embeddings the re-id Frechet uses")
    add("--inception", type=Path, metavar="PTH", help="Inception weights of torch-fidelity: FID")
    add("--lpips", type=Path, metavar="PTH", help="torchvision's AlexNet weights: LPIPS")
    add("--out", type=Path, metavar="JSON", help="write the quality's numbers there")
    return parse_with_overrides(command, argv)


def _save(picture, path: Path) -> None:
    import cv2

    from reidkit.utils.io import atomic_write

    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    with atomic_write(path) as file:
        file.write(data.tobytes())
    print(f"{path}: {picture.shape[1]} x {picture.shape[0]} pixels")


def _quality(composer, run, args) -> None:
    from reidkit.engine.folder import write_json
    from reidkit.engine.products.image_quality import ImageQuality, first_run

    features = args.features or first_run(run.cfg.get("prerequisites", {}))
    reader = run.domains.reader(args.domain)
    quality = ImageQuality(features, args.inception, args.lpips, args.copies, args.seed, reader)
    numbers = quality.measure(composer)
    counts = {"real crops": len(composer.split), "composites": args.copies * len(composer.split)}
    data = f"{composer.split.dataset}/{composer.split.name}"
    width = max(map(len, numbers))
    for name, value in numbers.items():
        print(f"{name:<{width}}  {value:.4g}")
    for name, count in counts.items():
        print(f"{name:<{width}}  {count:,}")
    print(f"data: {data}\nfeatures: {features}")
    if args.out:
        write_json(args.out, dict(numbers, **counts, data=data, features=str(features)))

"""``reidkit gpu``: everything that a GPU has to show, in stages that resume, as a page."""

from __future__ import annotations

from pathlib import Path

from reidkit.cli.common import parser
from reidkit.errors import UserError


def main(argv: list[str]) -> int:
    """Run all stages, or those that are named.

    Raises:
        UserError: an unknown stage; no GPU and not ``--tiny``.
    """
    command = parser("reidkit gpu", "Measure what a GPU has to show; repeat it to go on.")
    add = command.add_argument
    add("stage", nargs="*", help="default: all; --list shows them")
    add("--list", action="store_true", help="the stages")
    add("--tiny", action="store_true", help="tiny sizes, on a CPU too: does everything run?")
    add("--minutes", type=float, default=25, help="no stage goes on after them")
    add("--again", action="store_true", help="also what was measured before on this card and code")
    add("--out", default="docs/results", help="folder of gpu.md and gpu.json")
    args = command.parse_args(argv)
    import torch

    from reidkit.bench.gpu.campaign import page, run, stage_names
    from reidkit.plugin.extend import unknown_name
    from reidkit.utils.io import atomic_write

    names = stage_names()
    if args.list:
        print("\n".join(names))
        return 0
    for name in args.stage:
        if name not in names:
            raise UserError(unknown_name("stage", name, names))
    if not torch.cuda.is_available() and not args.tiny:
        raise UserError("no CUDA device here; --tiny tries every stage on a CPU")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    kept = run(
        args.stage or names,
        out / "gpu.json",
        args.minutes,
        args.tiny,
        args.again,
        lambda text: print(text, flush=True),
    )
    with atomic_write(out / "gpu.md", "w") as file:
        file.write(page(kept))
    print(f"\n{out / 'gpu.md'}")
    return 1 if any(kept["stages"].get(n, {}).get("error") for n in args.stage or names) else 0

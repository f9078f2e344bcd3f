"""``reidkit synthped``: render domains of SynthPed, write a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence

from reidkit.cli.common import kept, parser
from reidkit.errors import UserError
from reidkit.synthped.presets import DOMAINS, PRESETS
from reidkit.utils.io import ensure_writable


def main(argv: Sequence[str]) -> int:
    """Render, verify, show; returns the exit status."""
    command = parser(
        "reidkit synthped",
        "Render the SynthPed benchmark (only what is missing) and look at it.",
        "examples:\n  python tools/synthped.py --preset standard --domains A B P\n"
        "  python tools/synthped.py --video --domains A\n"
        "  python tools/synthped.py --sheet sheet.png --domains\n",
    )
    command.add_argument("--preset", choices=sorted(PRESETS), default="standard")
    command.add_argument("--domains", nargs="*", choices=DOMAINS, default=["A", "B"])
    command.add_argument("--style", choices=DOMAINS, help="render under this domain's cameras")
    command.add_argument(
        "--video", action="store_true", help="the domains' tracklets, not pictures"
    )
    command.add_argument("--seed", type=int, default=0, help="another world of the same kind")
    command.add_argument("--root", default="data", help="folder of all data sets (default: data)")
    command.add_argument("--sheet", metavar="PNG", help="write a contact sheet")
    command.add_argument("--workers", type=int, help="processes (default: one per CPU)")
    command.add_argument("--force", action="store_true", help="render again what is there")
    command.add_argument(
        "--verify", action="store_true", help="compare every byte with the manifest"
    )
    args = command.parse_args(list(argv))
    if args.workers is not None and args.workers < 0:
        raise UserError(f"--workers {args.workers}: expected processes from 0 (in this one)")
    if args.sheet:
        ensure_writable(args.sheet)
    status = 0
    with kept("what is rendered"):
        for domain in args.domains:
            status = max(status, _domain(args, domain))
    if args.sheet:
        from reidkit.synthped.sheet import write_sheet

        print(f"contact sheet: {write_sheet(args.sheet, args.preset, args.seed)}")
    return status


def _domain(args, domain: str) -> int:
    from reidkit.synthped import layout
    from reidkit.synthped.video_plan import contents as video_contents
    from reidkit.synthped.video_plan import video_folder

    which = (args.preset, domain, args.seed, None if args.style == domain else args.style)
    if args.video:
        contents, folder = video_contents(*which), video_folder(args.root, *which)
    else:
        contents, folder = layout.contents(*which), layout.domain_folder(args.root, *which)
    layout.write_contents(folder, contents, args.workers, args.force)
    if args.verify and not layout.holds(folder, contents, thorough=True):
        print(f"{folder.as_posix()}: differs from its manifest; render again with --force")
        return 1
    print(f"{folder.as_posix()}: {len(contents.items):,} images")
    return 0

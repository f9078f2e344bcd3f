"""``reidkit link``: identities across cameras for the tracks of any tracker."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidkit.cli.common import parser, split_overrides, take_weights
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/link.py a.txt b.txt --videos a.mp4 b.mp4 --model RUN --out linked
  python tools/link.py a.txt b.txt --videos MOT/a MOT/b --model RUN --out linked   with img1/
  python tools/link.py a.txt --videos a.mp4 --model osnet_x0_25 weights=FILE --threshold 0.3 \\
      --out linked
  ... --max-gap 600 --min-travel 20    nobody is away for ten minutes; cameras are 20 s apart
TRACKS are MOT's text files: frame, track, left, top, width, height, ... Written are the same with
the identity in the track's place, and identities.csv."""


def main(argv: list[str]) -> int:
    """Link the tracks and say what came out."""
    overrides, rest = split_overrides(argv)
    args = _parser().parse_args(rest)
    others, weights = take_weights(overrides)
    _check(args)
    import reidkit
    from reidkit.tracks.cameras import read_cameras
    from reidkit.tracks.linking import link

    if args.out.is_dir() and any(args.out.iterdir()):
        raise UserError(f"{args.out} exists already and is not empty; choose another with --out")
    cameras = read_cameras(args.tracks, args.videos, args.starts)
    linked = link(
        cameras,
        reidkit.load(args.model, others, weights),
        args.threshold,
        args.fmr,
        args.frames,
        args.max_gap,
        args.min_travel,
        args.min_height,
    )
    linked.write(args.out)
    print(_summary(linked, args.out))
    return 0


def _parser() -> argparse.ArgumentParser:
    command = parser("reidkit link", "Give tracks of several cameras common identities.", EXAMPLES)
    add = command.add_argument
    add("tracks", nargs="+", type=Path, help="MOT's text file of each camera")
    add("--videos", nargs="+", type=Path, required=True, help="videos, or folders of frames")
    add("--model", required=True, help="run folder or network; weights=FILE, key=value")
    add("--out", type=Path, required=True, help="folder for the tracks with their identities")
    add("--threshold", type=float, help="distance up to which tracks are one; default: the run's")
    add("--fmr", type=float, default=0.01, help="pairs of two people that match; default: 0.01")
    add("--frames", type=int, default=8, help="of each track that are looked at; default: 8")
    add("--max-gap", type=float, help="seconds; who comes back later is another identity")
    add("--min-travel", type=float, help="seconds between cameras, whose views do not overlap")
    add("--starts", nargs="+", type=float, default=[], help="of each video, seconds; default: 0")
    add("--min-height", type=float, default=32, help="of a crop in pixels; default: 32")
    return command


def _check(args: argparse.Namespace) -> None:
    """Refuse numbers that cannot be, before anything is opened.

    Raises:
        UserError: the first of them.
    """
    for name in ("max_gap", "min_travel", "min_height"):
        value = getattr(args, name)
        if value is not None and not value >= 0:
            raise UserError(f"--{name.replace('_', '-')} must be at least 0, got {value}")
    if not 0 < args.fmr < 1 or args.frames < 1:
        raise UserError(
            f"--fmr must lie between 0 and 1, and --frames be at least 1; got {args.fmr}, "
            f"{args.frames}"
        )


def _summary(linked, out: Path) -> str:  # type: ignore[no-untyped-def]
    """What came out, and what speaks against it."""
    seen: dict[int, set[int]] = {}
    for one, identity in zip(linked.tracklets, linked.identities.tolist(), strict=True):
        seen.setdefault(identity, set()).add(one.camera)
    several = sum(len(cameras) > 1 for cameras in seen.values())
    lines = [
        f"{out}: {len(linked.tracklets)} tracks of {len(linked.cameras)} cameras are {len(seen)} "
        f"identities, {several} of them seen by several cameras",
        f"joined up to distance {linked.threshold:.4f} ({linked.source})",
    ]
    if linked.pairs:
        lines.append(
            f"of {linked.pairs} pairs of tracks that a frame shows together, {linked.near:.1%} are "
            "nearer than that; they were kept apart"
        )
    if linked.unseen:
        lines.append(
            f"{linked.unseen} tracks have no box that is high enough (--min-height): each is an "
            "identity of its own"
        )
    return "\n".join(lines)

"""``reidkit crops``: crops out of MOT sequences, or out of a video with a table of boxes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from reidkit.cli.common import parser
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/crops.py data/MOT17 --out data/mine                        all sequences below
  python tools/crops.py door.mp4 --boxes door.csv --out data/mine         frame,identity,x1,y1,x2,y2
  python tools/crops.py a.mp4 b.mp4 --boxes a.csv b.csv --shared --out data/mine    two cameras
The data group that fits: python tools/doctor.py data data/mine --reader ImageTable --write mine"""


def main(argv: list[str]) -> int:
    """Cut the crops and say what was made."""
    command = parser("reidkit crops", "Cut crops out of sequences or videos.", EXAMPLES)
    add = command.add_argument
    add("sources", nargs="+", type=Path, help="folders of MOT sequences, or videos")
    add("--out", type=Path, required=True, help="folder for the crops and their table, crops.csv")
    add("--boxes", nargs="+", type=Path, default=[], help="for each video: .csv, .parquet, or .txt")
    add("--shared", action="store_true", help="one track number is one person in all sources")
    add("--every", type=int, default=10, help="only each n-th frame; default: 10")
    add("--classes", type=int, nargs="+", default=[1], help="of MOT's files; default: 1, people")
    add("--min-visibility", type=float, default=0.3, help="of MOT's files; default: 0.3")
    add("--min-height", type=float, default=48, help="of a crop in pixels; default: 48")
    args = command.parse_args(argv)
    if args.every < 1:
        raise UserError(f"--every must be at least 1, got {args.every}")
    from reidkit.data.cut import TABLE, cut

    recordings = _recordings(args)
    count = cut(recordings, args.out, args.shared)
    people = "people seen by all cameras" if args.shared else "people of one camera each"
    print(f"{args.out}: {count:,} crops of {len(recordings)} recordings, {people}; {TABLE}")
    return 0


def _recordings(args: argparse.Namespace) -> list:
    from reidkit.data.cut import sequence_recording, video_recording
    from reidkit.data.datasets.mot import find_sequences

    videos = [source for source in args.sources if not source.is_dir()]
    if len(videos) != len(args.boxes):
        raise UserError(
            f"{len(videos)} videos and {len(args.boxes)} tables of boxes: each video needs one, "
            "--boxes a.csv b.csv in the same order"
        )
    tables = iter(args.boxes)
    recordings: list[Any] = []
    for source in args.sources:
        if source.is_dir():
            places, notes = find_sequences(source)
            for note in notes:
                print(note)
            for place in places:
                recordings.append(
                    sequence_recording(
                        place, len(recordings) + 1, args.every, args.classes,
                        args.min_visibility, args.min_height,
                    )
                )  # fmt: skip
        else:
            recordings.append(
                video_recording(
                    source, next(tables), len(recordings) + 1, args.every, args.min_height
                )
            )
    return recordings

"""``reidkit train-pose``: train the small pose model that is shipped, through mmpose's Runner."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from reidkit.cli.common import parser
from reidkit.errors import UserError
from reidkit.synthped.presets import PRESETS
from reidkit.utils.io import ensure_writable, sha256_file

EPILOG = """examples:
  python tools/train_pose.py                                  as the shipped weights were made
  python tools/train_pose.py --epochs 2 --preset easy --out small.safetensors
The people and cameras of SynthPed's domain P are in no other domain. Only P's truth is read."""


def _parser() -> argparse.ArgumentParser:
    command = parser("reidkit train-pose", "Train the shipped small pose model.", EPILOG)
    command.add_argument("--data-root", type=Path, default=Path("data"), help="default: data")
    command.add_argument("--preset", choices=sorted(PRESETS), default="standard")
    command.add_argument("--worlds", type=int, default=12, help="domains P of so many seeds")
    command.add_argument("--work-dir", type=Path, default=Path("runs/train_pose"))
    command.add_argument(
        "--out", type=Path, help="weights to write; default: WORK_DIR/*.safetensors"
    )
    command.add_argument("--epochs", type=int, default=10)
    command.add_argument("--batch-size", type=int, default=32)
    command.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    command.add_argument("--workers", type=int, default=1)
    command.add_argument("--threads", type=int, default=0, help="of torch; 0 leaves its choice")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--weights", type=Path, help="go on from these weights")
    return command


LEAST = dict(worlds=1, epochs=1, batch_size=1, workers=0, threads=0, seed=0)


def _refuse_impossible(args: argparse.Namespace) -> None:
    """Refuse numbers that train nothing, before anything is rendered.

    Raises:
        UserError: the first of them, or weights that are not there.
    """
    for name, least in LEAST.items():
        value, most = getattr(args, name), 2**32 - 1
        if not least <= value <= most:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} {value}: expected a whole number from {least} to {most}")
    if not 0 < args.rate < math.inf:
        raise UserError(f"--rate {args.rate:g}: expected a finite number above 0")
    if args.weights and not args.weights.is_file():
        raise UserError(f"{args.weights}: no such checkpoint file")


def main(argv: list[str]) -> int:
    """Train on domain P, calibrate the confidence on P's held-out people, write the weights."""
    args = _parser().parse_args(argv)
    _refuse_impossible(args)
    out = args.out or args.work_dir / "synthped.safetensors"
    for place in (out, args.work_dir / "log"):
        ensure_writable(place)

    import torch

    from reidkit.pose.calibrate import calibrate_model, save_weights
    from reidkit.pose.training import Recipe, synthped_people, train_pose
    from reidkit.synthped.reader import SynthPed

    if args.threads:
        torch.set_num_threads(args.threads)
    readers = [
        SynthPed(str(args.data_root), domain="P", preset=args.preset, seed=args.seed + world)
        for world in range(args.worlds)
    ]
    for reader in readers:
        reader.prepare()
    train = synthped_people(readers, ["train"])
    held_out = synthped_people(readers[:1], ["query", "gallery"])
    recipe = Recipe(args.epochs, args.batch_size, args.workers, args.seed, args.rate)
    model = train_pose(train, held_out, args.work_dir, recipe, args.weights)
    gamma, right = calibrate_model(model, held_out)
    about = {
        "data": " ".join(r.name for r in readers),
        "epochs": str(args.epochs),
        "seed": str(args.seed),
    }
    if args.weights:
        about["continued_from_sha256"] = sha256_file(args.weights)
    save_weights(model, out, gamma, about)
    print(
        f"{os.path.relpath(out)}: {out.stat().st_size / 1e6:.2f} MB, confidence = heat ** "
        f"{gamma:.3f}, which puts {right:.1%} of the held-out joints on the right side of 0.1"
    )
    return 0

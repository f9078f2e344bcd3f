"""``reidkit extract MODEL --images``: embeddings of any images, resumable, in Parquet."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidkit.cli.common import kept
from reidkit.errors import UserError

if TYPE_CHECKING:
    from reidkit.data.sources import Shard
    from reidkit.engine.extraction.embed import Task
    from reidkit.engine.extractor import Extractor

ENGINES = ("local", "ray")


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of images of one's own."""
    group = command.add_argument_group("images of your own, in place of test sets")
    add = group.add_argument
    add("--images", nargs="+", metavar="SOURCE",
        help="folders, .parquet, webdataset .tar; local, or an address such as s3://")  # fmt: skip
    add("--engine", default="local", choices=ENGINES, help="default: local; ray: reidkit[ray]")
    add("--column", help="of the images in Parquet files; default: the one that holds bytes")
    add("--batch-size", type=int, default=64, help="images in one forward pass (default: 64)")
    add("--shard-size", type=int, default=4096, help="image files of one shard (default: 4096)")
    add("--actors", type=int, default=1, help="of Ray, each with a model (default: 1)")
    add("--actor-gpus", type=float, default=0.0, help="GPUs of each, such as 0.5 (default: 0)")


def extract_images(args: argparse.Namespace, overrides: list[str], weights: str | None) -> int:
    """Embed what is not embedded yet, and count; the exit status is 1 if something was not read.

    Args:
        args: of the command.
        overrides, weights: of the model.

    Raises:
        UserError: options that do not fit; see ``plan_shards`` and the engines.
    """
    _check(args)
    from reidkit.data.tables.read import pyarrow
    from reidkit.engine.extraction.embed import Task
    from reidkit.engine.extraction.plan import finish, plan_shards, start
    from reidkit.engine.extractor import Extractor
    from reidkit.evaluation.io.extraction import Plan

    pyarrow(args.out)
    extractor = Extractor(args.run, overrides, weights, args.launcher)
    from mmengine.dist import barrier, is_main_process

    plan, missing = plan_shards(
        args.out,
        Plan(
            extractor.fingerprint, extractor.name, extractor.cfg.model.matcher.type,
            tuple(args.images), args.column, args.shard_size,
        ),
    )  # fmt: skip
    barrier()  # nobody finishes a shard before everybody has seen which are missing
    if is_main_process():
        start(args.out, plan)
        there = len(plan.shards) - len(missing)
        if there:
            print(f"{args.out}: {there:,} of {len(plan.shards):,} shards are there already")
    barrier()
    task = Task(str(args.out.absolute()), args.column, args.batch_size)
    with kept("what is embedded"):
        if args.engine == "ray":
            _by_ray(args, overrides, weights, extractor.fingerprint, missing, task)
        else:
            _here(extractor, missing, task)
    barrier()
    if not is_main_process():
        return 0
    total = finish(args.out, plan)
    print(total.report(args.out))
    return int(total.again > 0 or total.images == 0)


def _check(args: argparse.Namespace) -> None:
    for name in ("batch_size", "shard_size", "actors"):
        if getattr(args, name) < 1:
            option = name.replace("_", "-")
            raise UserError(f"--{option} must be at least 1, got {getattr(args, name)}")
    if not 0 <= args.actor_gpus <= 64:
        raise UserError(f"--actor-gpus must be from 0 to 64, got {args.actor_gpus}")
    if args.tests:
        raise UserError("--tests names test sets, --images takes their place; leave one out")
    if args.engine == "ray":
        from reidkit.engine.extraction.ray_data import ray_package

        ray_package()
        if args.launcher not in ("auto", "none") or int(os.environ.get("WORLD_SIZE", 1)) > 1:
            raise UserError(
                "--engine ray starts its own processes: leave --launcher and torchrun out"
            )


def _here(extractor: Extractor, shards: Sequence[Shard], task: Task) -> None:
    """This process's share of the shards."""
    from mmengine.dist import get_rank, get_world_size

    from reidkit.engine.extraction.embed import embed_shard
    from reidkit.utils.progress import track

    mine = shards[get_rank() :: get_world_size()]
    show = get_rank() == 0 and bool(mine)
    for shard in track(mine, label="embedding", unit="shards", show=show):
        embed_shard(extractor, shard, task)


def _by_ray(
    args: argparse.Namespace, overrides: list[str], weights: str | None, fingerprint: str,
    shards: Sequence[Shard], task: Task,
) -> None:  # fmt: skip
    from reidkit.engine.extraction.ray_data import Opening, Pool, embed_by_ray

    if not shards:
        return
    model = str(Path(args.run).absolute()) if Path(args.run).exists() else args.run
    file = None if weights is None else str(Path(weights).absolute())
    opening = Opening(model, tuple(overrides), file, fingerprint)
    embed_by_ray(shards, opening, task, Pool(args.actors, args.actor_gpus))

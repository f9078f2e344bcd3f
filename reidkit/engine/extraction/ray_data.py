"""Shards embedded by Ray Data: actors that hold the model, on this machine or on a cluster.

Ray hands shards out, starts actors where there is room (a GPU each, if asked for), and gives the
shard of one that died to another. Every actor reads its shards itself and writes them whole, so
that no image and no embedding travels through Ray's object store, and the files are those of the
engine without Ray.

Libraries: ``ray.data.from_items`` and ``map_batches`` with an actor pool. ``read_images``,
``read_parquet`` and ``read_webdataset`` were looked at: each has rows of its own, blocks are cut by
size, so that no shard would be written as a whole, and an image that cannot be decoded, or a pickle
in a tar (which Ray 2.60 refuses), ends the job. Ray's own checkpoints of rows
(``CheckpointConfig``) know nothing of the other engine.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reidkit.data.sources import Shard
from reidkit.engine.extraction.embed import Task, embed_shard
from reidkit.engine.extractor import Extractor
from reidkit.errors import UserError
from reidkit.utils.progress import track
from reidkit.utils.trouble import machine_error

ADDRESS = "RAY_ADDRESS"  # of a cluster that runs already; ray's own name
OBJECT_STORE = 100_000_000  # bytes, of a Ray that is started here: counts alone pass through it


@dataclass(frozen=True)
class Opening:
    """How every actor opens the model.

    Attributes:
        model, overrides, weights: as for ``reidkit.load``; files must be there on every machine.
        fingerprint: that it must have.
    """

    model: str
    overrides: tuple[str, ...]
    weights: str | None
    fingerprint: str


@dataclass(frozen=True)
class Pool:
    """The actors.

    Attributes:
        actors: how many, >= 1.
        gpus: of each, which may be a part of one; 0 for none.
    """

    actors: int = 1
    gpus: float = 0.0


class ShardEmbedder:
    """A model in a process of Ray's, which embeds one shard after the other.

    Args:
        opening: of the model.
        task: see `Task`.
    """

    def __init__(self, opening: Opening, task: Task):
        self.opening, self.task = opening, task

    @cached_property
    def extractor(self) -> Extractor:
        """The model, opened for the first shard.

        Raises:
            UserError: another model than the one that the extraction is of.
        """
        opening = self.opening
        extractor = Extractor(opening.model, opening.overrides, opening.weights)
        if extractor.fingerprint != opening.fingerprint:
            raise UserError(
                f"{opening.model}: is another model on {os.uname().nodename} than where the "
                "command was typed; put the same files at the same place on every machine"
            )
        return extractor

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Embed the shards of a batch; gives of each what ended it, nothing if it is finished.

        As text, since Ray would try again, and hand an exception on without its kind.
        """
        return {"problem": [self._problem(str(text)) for text in batch["shard"]]}

    def _problem(self, shard: str) -> str:
        try:
            embed_shard(self.extractor, Shard.from_json(shard), self.task)
        except Exception as error:
            known = machine_error(error)
            if known is None:
                raise
            return str(known)
        return ""


def embed_by_ray(shards: Sequence[Shard], opening: Opening, task: Task, pool: Pool) -> None:
    """Embed shards by actors of Ray.

    Args:
        shards: those that are not finished.
        opening, task: what every actor does.
        pool: the actors.

    Raises:
        UserError: Ray is not installed, has no room for the actors, or lost them for good; what
            ends ``embed_shard``.
    """
    ray = ray_package()
    rows = [{"shard": shard.to_json()} for shard in shards]
    with _cluster(ray, pool):
        _refuse_too_many(ray, pool)
        embedded = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            ShardEmbedder,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(pool.actors, len(rows))),
            fn_constructor_args=(opening, task),
            num_cpus=1,
            num_gpus=pool.gpus or None,
        )
        try:
            for row in track(embedded.iter_rows(), len(rows), "embedding", unit="shards"):
                if row["problem"]:
                    raise UserError(row["problem"])
        except ray.exceptions.RayError as error:
            if isinstance(error, (ray.exceptions.RayTaskError, ray.exceptions.UserCodeException)):
                raise  # a fault of this program, with its traceback
            raise UserError(f"Ray: {str(error).strip() or type(error).__name__}") from None


def ray_package() -> Any:
    """The module ``ray`` with ``ray.data``.

    Raises:
        UserError: it is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise UserError(
            "--engine ray needs Ray: python -m pip install 'reidkit[ray]', or use --engine local"
        ) from None
    return ray


@contextmanager
def _cluster(ray: Any, pool: Pool) -> Iterator[None]:
    """Ray: the cluster of RAY_ADDRESS, or one on this machine for as long as it is needed."""
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = dict(logging_level=logging.ERROR, log_to_driver=False)
    if not os.environ.get(ADDRESS):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        options |= dict(address="local", num_cpus=pool.actors, include_dashboard=False,
                        object_store_memory=OBJECT_STORE)  # fmt: skip
    try:
        ray.init(**options)
    except Exception as error:  # Ray raises plain ones
        where = os.environ.get(ADDRESS) or "on this machine"
        raise UserError(f"Ray {where}: did not start or answer; try again ({error})") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _refuse_too_many(ray: Any, pool: Pool) -> None:
    """Refuse actors for which there is no room; Ray would wait for it without an end."""
    there = ray.cluster_resources()
    for name, wanted in (("CPU", float(pool.actors)), ("GPU", pool.actors * pool.gpus)):
        if wanted > there.get(name, 0.0):
            raise UserError(
                f"Ray has {there.get(name, 0.0):g} {name}s, {pool.actors} actors want {wanted:g}; "
                "ask for fewer with --actors and --actor-gpus"
            )

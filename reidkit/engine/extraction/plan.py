"""An extraction from its plan to its closing count, whichever engine embeds the shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reidkit.data.sources import Shard, list_shards
from reidkit.errors import UserError
from reidkit.evaluation.io.extraction import (
    BAD,
    FILE,
    SETTINGS,
    SHARDS,
    Finish,
    Plan,
    write_bad,
)
from reidkit.utils.leftovers import clear_leftovers


@dataclass(frozen=True)
class Total:
    """What an extraction holds in the end.

    Attributes:
        images: embedded ones.
        shards: of them.
        bad: images that were not, listed in ``bad_images.csv``.
        again: so many of these could not be read.
    """

    images: int
    shards: int
    bad: int
    again: int

    def report(self, folder: Path) -> str:
        """The closing line."""
        text = f"{folder}: {self.images:,} images in {self.shards:,} shards"
        if self.bad:
            text += f"; {self.bad:,} left out, {folder / BAD} says why"
        if self.again:
            text += f"; {self.again:,} of these could not be read: the same command tries again"
        return text


def plan_shards(folder: Path, plan: Plan) -> tuple[Plan, list[Shard]]:
    """List the sources, and choose the shards that are not finished yet.

    Args:
        folder: of the extraction; may be missing.
        plan: without its shards.

    Returns:
        The plan with all shards, and those to embed: new ones, changed ones, and those of which
        something could not be read.

    Raises:
        UserError: the folder holds another extraction or other files; see ``list_shards``.
    """
    if (folder / FILE).exists():
        _refuse_others(folder, Plan.read(folder), plan)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: holds other files and no extraction; choose another --out")
    shards = list_shards(plan.sources, plan.size)
    missing = [shard for shard in shards if not _is_finished(folder, shard.key)]
    return replace(plan, shards=tuple(shard.key for shard in shards)), missing


def start(folder: Path, plan: Plan) -> None:
    """Write the plan down, and clear away what a kill has left."""
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    clear_leftovers(folder, deep=True)
    plan.write(folder)


def finish(folder: Path, plan: Plan) -> Total:
    """Count what is there, list what is bad, and remove shards that have been replaced.

    Raises:
        UserError: a shard is missing.
    """
    found = [Finish.read(folder, key) for key in plan.shards]
    finishes = [one for one in found if one is not None]
    if len(finishes) < len(found):
        lost = len(found) - len(finishes)
        raise UserError(f"{folder}: {lost} of {len(found)} shards are missing; extract again")
    kept = set(plan.shards)
    for file in (folder / SHARDS).iterdir():
        if file.suffix in (".json", ".parquet") and file.stem not in kept:
            file.unlink()
    bad = write_bad(folder, finishes)
    images = sum(one.images for one in finishes)
    return Total(images, len(finishes), bad, sum(one.again for one in finishes))


def _is_finished(folder: Path, key: str) -> bool:
    known = Finish.read(folder, key)
    if known is None or known.again:
        return False
    return not known.images or (folder / SHARDS / f"{key}.parquet").is_file()


def _refuse_others(folder: Path, known: Plan, plan: Plan) -> None:
    """Refuse a folder that holds embeddings of another model or of other images."""
    if known.model != plan.model:
        raise UserError(
            f"{folder}: holds embeddings of another model, {known.model_name} "
            f"({known.model[:12]}); choose another --out"
        )
    for name in SETTINGS:
        own, given = getattr(known, name), getattr(plan, name)
        if own != given:
            raise UserError(
                f"{folder}: was extracted with {name} {_said(own)}, now {_said(given)}; choose "
                "another --out"
            )


def _said(value: object) -> str:
    return (
        " ".join(value)
        if isinstance(value, Sequence) and not isinstance(value, str)
        else str(value)
    )

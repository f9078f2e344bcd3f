"""Animals, listed as the wildlife-datasets library lists them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reidkit.data.datasets.image_table import ImageTable
from reidkit.data.tables.columns import Column, texts
from reidkit.data.tables.read import read_table
from reidkit.registry import DATASETS


@DATASETS.register_module()
class Wildlife(ImageTable):
    """Animals of a ``metadata.csv`` as the wildlife-datasets library writes it.

    Columns ``image_id``, ``identity`` and ``path``; if there, ``bbox`` ([x, y, w, h]), ``date``,
    ``camera`` and ``split``. Rows of an unknown animal are left out. Where all animals of the split
    "test" are known from "train", as in closed sets, the test images are the queries and the
    training images the gallery; else see ``ImageTable``.

    Args:
        data_root, root, name, columns, holdout, seed: see ``ImageTable``.
        table: relative to ``root``.
        unknown: the identity that stands for all unknown animals.

    Raises:
        ValueError, UserError: see ``ImageTable``.

    Source:
        Čermák, Picek, Adam, Papafitsoros, WildlifeDatasets (WACV 2024), and the library's
        documentation of its data frame.
    """

    title = "Wildlife"
    how = "put metadata.csv there, beside the folder that its paths begin with"

    def __init__(
        self,
        data_root: str,
        root: str,
        table: str = "metadata.csv",
        name: str | None = None,
        columns: Mapping[str, str] | None = None,
        unknown: str = "unknown",
        holdout: float = 0.5,
        seed: int = 0,
    ):
        known = {"path": "file", "date": "time", **(columns or {})}
        super().__init__(data_root, root, table, name, known, holdout=holdout, seed=seed)
        self.unknown = unknown

    def read_columns(self, folder: Path) -> dict[str, Column]:
        """The columns of the table, without the rows of unknown animals."""
        wanted, self.columns = self.columns, {}
        head = read_table(folder / self.table, errors="surrogateescape")
        self.columns = {name: meaning for name, meaning in wanted.items() if name in head}
        columns = super().read_columns(folder)
        identities = texts(columns["identity"])
        kept = [i for i, identity in enumerate(identities) if identity != self.unknown]
        if len(kept) < len(identities):
            self.notes.append(
                f"left out: {len(identities) - len(kept):,} images of unknown animals"
            )
        return {
            name: Column([column.values[i] for i in kept], column.where)
            for name, column in columns.items()
        }

    def words(self, columns: Mapping[str, Column], count: int) -> list[str] | None:
        """See ``ImageTable.words``; in a closed set the training images are the gallery, too."""
        words = super().words(columns, count)
        if words is None:
            return None
        words = [word.strip().lower() for word in words]
        animals: dict[str, set[str]] = {"train": set(), "test": set()}
        for word, animal in zip(words, texts(columns["identity"]), strict=True):
            animals.setdefault(word, set()).add(animal)
        if not animals["test"] or not animals["test"] <= animals["train"]:
            return words
        self.notes.append(
            "every animal of test is in train: test images ask, training images answer"
        )
        return [{"test": "query", "train": "train_gallery"}.get(word, word) for word in words]

"""What label stores say of a data set, for whoever examines it: whose labels, and how good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.pose.quality import Quality
from reidkit.pose.store_meta import read_meta


def label_findings(root: Path | str, splits: Mapping[str, Split]) -> Iterator[tuple[str, str]]:
    """(level, text) of every split that has labels: "info", or "warning" where they look poor.

    Only descriptions are read. A store that cannot be read is a warning, too.

    Args:
        root: folder of the label stores.
        splits: of a reader, by name.
    """
    for name, split in splits.items():
        folder = Path(root, split.label_key)
        if not folder.is_dir():
            continue
        try:
            meta = read_meta(folder)
        except UserError as error:
            yield "warning", str(error)
            continue
        quality = Quality.stored(meta)
        text = f"{name}: keypoints of {meta['pose']['config']}: {quality}"
        poor = quality.poor and split.pictures == "photographs"
        yield ("warning", f"{text}; that is poor") if poor else ("info", text)

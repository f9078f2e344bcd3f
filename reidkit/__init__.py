"""reidkit: person re-identification in which every paper is a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reidkit.version import PLUGIN_API, __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reidkit.engine.extractor import Extractor

__all__ = ["PLUGIN_API", "__version__", "load"]


def load(run: str, overrides: Sequence[str] = ()) -> Extractor:
    """A finished run as an extractor: images in, embeddings out.

    Args:
        run: the run folder; it may come from a stranger (``docs/security.md``).
        overrides: of its config, as on the command line ("settings.device=cpu").

    Returns:
        ``reidkit.engine.extractor.Extractor``.
    """
    from reidkit.engine.extractor import Extractor  # heavy, and not everyone wants it

    return Extractor(run, overrides)

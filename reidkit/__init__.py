"""reidkit: person re-identification in which every paper is a plugin."""

__version__ = "0.1.0"
PLUGIN_API = 1


def load(run: str):
    """A finished run as an extractor: images in, embeddings out.

    Args:
        run: the run folder.

    Returns:
        ``reidkit.engine.load.Extractor``.
    """
    from reidkit.engine.load import Extractor  # heavy; nobody pays for it who only asks the version

    return Extractor(run)

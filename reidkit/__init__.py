"""reidkit: person re-identification in which every paper is a plugin."""

__version__ = "0.1.0"
PLUGIN_API = 1

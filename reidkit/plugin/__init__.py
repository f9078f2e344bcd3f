"""Plugins: declared by a manifest, discovered without running them, loaded as a transaction."""

from reidkit.plugin.discover import Discovery, discover
from reidkit.plugin.errors import ManifestError, PluginError
from reidkit.plugin.manifest import Manifest, read_manifest
from reidkit.plugin.setting import Setting

__all__ = [
    "Discovery",
    "Manifest",
    "ManifestError",
    "PluginError",
    "Setting",
    "discover",
    "load_plugins",
    "read_manifest",
]


def __getattr__(name: str):  # load_plugins needs the registries, which listing plugins does not
    if name == "load_plugins":
        from reidkit.plugin.load import load_plugins

        return load_plugins
    raise AttributeError(f"module 'reidkit.plugin' has no attribute {name!r}")

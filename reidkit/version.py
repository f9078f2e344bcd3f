"""The version of the package and of the interface that plugins are written against."""

__version__ = "0.1.0"
PLUGIN_API = 1

"""The plugin is loaded as a config would load it, so that its components carry its name."""

try:
    from reidkit.plugin import load_plugins

    load_plugins(["eanet"])
except ImportError:
    from reidkit.registry import registering

    with registering("eanet/"):
        import reidkit_plugins.eanet  # noqa: F401

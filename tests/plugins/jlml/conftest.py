"""The plugin is loaded as a config would load it, so that its components carry its name."""

from reidkit.plugin import load_plugins
from reidkit.registry import import_core

import_core()
load_plugins(["jlml"])

"""The plugins that ship with reidkit, installed as ``reidkit_plugins``: one folder, one paper.

Folders named in the environment variable ``REIDKIT_PLUGIN_PATH`` (separated like ``PATH``) join
this package, so that a plugin lying in one of them is importable as ``reidkit_plugins.<name>``, in
worker processes too. Nothing is imported because it lies there: the config names what is loaded.
"""

import os as _os

__path__ += [
    _os.path.abspath(_folder)
    for _folder in _os.environ.get("REIDKIT_PLUGIN_PATH", "").split(_os.pathsep)
    if _folder and _os.path.isdir(_folder)
]

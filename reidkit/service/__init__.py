"""A gallery over HTTP: one process, one folder.

In reading order: `limits`, `tokens` (who may ask), `guard` (what is refused before it is read),
`uploads` (from bytes to crops), `access` (one request at a time), `replies` (what is sent back),
`problems` (which status a problem has), `metrics`, `routes`, `app` (all of it), `serving`.
"""

from reidkit.service.app import application
from reidkit.service.limits import Limits
from reidkit.service.serving import serve
from reidkit.service.tokens import Tokens

__all__ = ["Limits", "Tokens", "application", "serve"]

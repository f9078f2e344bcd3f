"""Look through a data set in the browser: live, on this machine alone, corrections kept as CSV."""

from reidkit.report.live.catalogue import Catalogue
from reidkit.report.live.server import serve

__all__ = ["Catalogue", "serve"]

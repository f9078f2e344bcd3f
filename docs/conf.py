"""The documentation site: these pages and the docstrings, by Sphinx with MyST and furo."""

import re
from pathlib import Path

project = "reidkit"
author = "The reidkit maintainers"
_VERSION = Path(__file__).parents[1] / "reidkit/version.py"
release = re.search(r'__version__ = "(.+?)"', _VERSION.read_text()).group(1)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = f"reidkit {release}"
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["static"]
html_css_files = ["site.css"]
exclude_patterns = ["_build"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
# pages also link to files of the repository; tests/test_site.py sees that every target exists
suppress_warnings = ["myst.xref_missing"]

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_use_ivar = True
napoleon_custom_sections = ["Shape", "Source", "Departure", "Departures"]

"""The configuration of Sphinx; `docs/reference/build_site.py` runs it on a copy of the pages."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "reference"))
from website import pages  # noqa: E402  # it is beside the generator

project = "convostore"
author = "The convostore authors"
release = pages.version()
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
language = "en"
nitpicky = True
suppress_warnings = [
    "misc.highlighting_failure"
]  # JSON with an ellipsis, output in a console block

smartquotes = False

myst_heading_anchors = 6
myst_enable_extensions = ["strikethrough", "tasklist"]

highlight_language = "text"
pygments_style = "default"
pygments_dark_style = "github-dark"

html_theme = "furo"
html_title = f"convostore {release}"
html_favicon = str(HERE / "_static" / "icon.svg")
html_static_path = [str(HERE / "_static")]
templates_path = [str(HERE / "_templates")]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "versions.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_context = {"release": release}
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#22624f",
        "color-brand-content": "#22624f",
        "color-brand-visited": "#22624f",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8fcbb5",
        "color-brand-content": "#8fcbb5",
        "color-brand-visited": "#8fcbb5",
    },
    "footer_icons": [{"name": "Source", "url": pages.repository(), "html": "Source", "class": ""}],
}

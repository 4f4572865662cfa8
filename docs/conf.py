"""How Sphinx builds these pages: `make docs` puts them below build/docs/."""

from __future__ import annotations

from pkgutil import resolve_name

from docutils.nodes import TextElement
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

project = "streamd"
copyright = "the streamd developers"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary"]
html_theme = "alabaster"
html_theme_options = {
    "description": "The current state of data streams, on every screen",
    "page_width": "60em",
}
html_sidebars = {"**": ["about.html", "navigation.html"]}
html_copy_source = False
exclude_patterns = ["pictures"]

autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

# These have pages elsewhere, and nothing is fetched from the network to look them up.
nitpick_ignore_regex = [("py:.*", r"(asyncio|collections|msgspec|pathlib|twisted|typing|zope)\..*")]


def unlinked(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: TextElement
) -> TextElement | None:
    """Accept a reference to a part of streamd that exists but has no entry in these pages.

    Returns the text without a link, or None if there is no such part, which Sphinx then reports.
    """
    name = str(node["reftarget"])
    if node["refdomain"] != "py" or not name.startswith("streamd."):
        return None
    try:
        resolve_name(name)
    except (AttributeError, ImportError, ValueError):
        return None
    return text


def setup(app: Sphinx) -> None:
    app.connect("missing-reference", unlinked)

"""Makes the page, with its typeface, marks and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamd.app.defaults import wall_place
from streamd.app.load import read_marks
from streamd.config.parse import pictures_of
from streamd.config.tables import Config
from streamd.http.reading.page import Page, web_folder
from streamd.http.reading.pictures import Pictures
from streamd.http.reading.typeface import typeface

DEMO_NOTE = "demo · add yours to streamd.toml"


def make_page(config: Config, base: Path) -> Page:
    """Make the page of a configuration.

    :param base: the folder of the configuration.
    :raises ConfigError: if the mark of a wall cannot be read.
    """
    return Page(web_folder(), typeface=typeface(), **page_content(config, base))


def page_content(config: Config, base: Path) -> dict[str, Any]:
    """Return the arguments of :meth:`~streamd.http.reading.page.Page.show` for a configuration.

    :param base: the folder of the configuration.
    :raises ConfigError: if the mark of a wall cannot be read.
    """
    language, timezone = wall_place(config.server)
    return {
        "walls": config.walls,
        "note": "" if config.file else DEMO_NOTE,
        "order": config.order,
        "language": language,
        "timezone": timezone,
        "marks": read_marks(config, base),
        "screens": config.screens,
    }


def make_pictures(config: Config, base: Path, reactor: Any) -> Pictures:
    """Make the part of the site that serves the pictures of sources."""
    return Pictures(base, pictures_of(config), reactor)

"""All kinds of tiles in one state in a browser, and the faults of what they look like."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, Route

from streamd.http.reading.typeface import typeface
from tests.support.daemon import CHECKOUT

WEB = CHECKOUT / "web"
LOOKS = CHECKOUT / "tests" / "looks"
# A host that is never looked up: the browser's requests are all answered here.
ORIGIN = "http://wall.test"

STATES = ("fresh", "late", "failed", "waiting", "warning", "critical", "lost", "catching up")
THEMES = ("dark", "light")
VALUES = ("plain", "hostile")
SIZES = {
    "1080p": (1920, 1080),
    "portrait": (1080, 1920),
    "phone": (390, 844),
    "4K at a quarter": (960, 540),
}

# Hatching is below texts by design: those that must be read have a ground of their own.
_BARE = """[data-bare] * {
  -webkit-text-fill-color: transparent !important;
  -webkit-text-stroke-color: transparent !important;
  text-decoration: none !important;
}
[data-bare] :is(text, tspan) { fill: transparent !important; stroke: none !important }
[data-bare] body { --hatching: none !important }"""


class Case(NamedTuple):
    """One wall with all kinds."""

    state: str
    theme: str = "dark"
    size: str = "1080p"
    values: str = "plain"


@contextmanager
def looks(browser: Browser, *, forced_colors: bool = False) -> Iterator[Page]:
    """A page for `faults`, with the modules and style sheets of the checkout and without a server."""
    context = browser.new_context(
        forced_colors="active" if forced_colors else None, reduced_motion="reduce"
    )
    page = context.new_page()
    page.route(f"{ORIGIN}/**", _answer)
    page.goto(f"{ORIGIN}/")
    page.evaluate("async () => { globalThis.stage = await import('/looks/stage.js') }")
    yield page
    context.close()


def faults(page: Page, case: Case, without: Sequence[str] = ()) -> list[str]:
    """What the audit finds on all pages of a wall that shows each kind but some."""
    width, height = SIZES[case.size]
    page.set_viewport_size({"width": width, "height": height})
    wanted = {"state": case.state, "theme": case.theme, "values": case.values}
    pages: int = page.evaluate("(wanted) => stage.show(wanted)", {**wanted, "without": [*without]})
    found: list[str] = []
    for number in range(pages):
        if number:
            page.evaluate("stage.turn()")
        page.evaluate("stage.bare()")
        picture = base64.b64encode(page.screenshot(full_page=True, scale="css")).decode()
        found += page.evaluate("(picture) => stage.audit(picture)", picture)
    return found


def _answer(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN).split("?")[0].lstrip("/")
    if path == "":
        route.fulfill(body=_index(), content_type="text/html")
    elif path == "inter.ttf":
        route.fulfill(body=typeface() or b"", content_type="font/ttf")
    else:
        file = LOOKS / path.removeprefix("looks/") if path.startswith("looks/") else WEB / path
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        route.fulfill(body=file.read_bytes(), content_type=kind)


def _index() -> str:
    """The wall's page with the kinds' style sheets, and without its scripts."""
    sheets = "".join(
        f'<link rel="stylesheet" href="{file.relative_to(WEB).as_posix()}">'
        for folder in ("page", "parts", "kinds")
        for file in sorted((WEB / folder).glob("*.css"))
    )
    lines = Path(WEB / "index.html").read_text().splitlines()
    page = "\n".join(line for line in lines if "<script" not in line)
    return page.replace("</head>", f"{sheets}<style>{_BARE}</style></head>")

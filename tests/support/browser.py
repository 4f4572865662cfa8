"""A real browser: Chromium, headless, one for all tests. Without it a test fails: none skips."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# For whatever a test waits for, also an attempt to connect after the longest pause of 8 s, and a
# handshake of 10 s: of a wait that ends well nobody sees how long it might have been.
WAIT_MS = 40_000

# A page that does what its Content-Security-Policy forbids is as broken as one with an exception.
_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) => {
  throw new Error(`against the policy: ${event.violatedDirective} ${event.blockedURI}`);
})"""


def found_chromium() -> str | None:
    """The program of the system; None: that which playwright has."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium or Chrome, else the one that `playwright install chromium` brings."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found_chromium(), args=CHROMIUM_ARGUMENTS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests; see `chromium`."""
    expect.set_options(timeout=WAIT_MS)
    with chromium() as browser:
        yield browser


@pytest.fixture
def console_errors() -> list[str]:
    """What `page` wrote to its console as an error. A lost link is one: a test judges for itself."""
    return []


@pytest.fixture
def page_errors() -> Iterator[list[str]]:
    """Exceptions that nobody caught in `page`. They fail the test, unless it clears the list."""
    errors: list[str] = []
    yield errors
    assert not errors, "uncaught in the page:\n" + "\n".join(errors)


@pytest.fixture
def page(browser: Browser, console_errors: list[str], page_errors: list[str]) -> Iterator[Page]:
    """A page in a browser profile of its own; more of them: `page.context.new_page()`."""
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(_VIOLATIONS)
    page = context.new_page()
    page.on("pageerror", lambda error: page_errors.append(str(error)))
    page.on(
        "console",
        lambda message: console_errors.append(message.text) if message.type == "error" else None,
    )
    yield page
    context.close()

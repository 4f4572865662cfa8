"""The page that comes back by itself, in Firefox."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, StartDaemon
from tests.support.firefox import Bidi, FirefoxPage
from tests.support.nginx import StartNginx
from tests.support.proxy import Proxy
from tests.support.wall import post

# The page is live this many seconds after the moment when it could be.
BACK = 20.0
CONFIG = """
[access]
publish = "loopback"
[streams.orders]
keep = 10
"""
# While the file "portal" is there, somebody else answers everything.
PORTAL = """default_type text/html;
    if (-f FOLDER/portal) { return 200 "<h1>Welcome to our Wi-Fi</h1>"; }"""
# While the file "broken" is there, one module does not arrive.
BROKEN = """location = /client/clock.js {
      if (-f FOLDER/broken) { return 502; }
      proxy_pass http://127.0.0.1:5000;
    }"""


@pytest.fixture
def wall(start_daemon: StartDaemon) -> Daemon:
    daemon = start_daemon(config=CONFIG)
    post(daemon, "orders", 42)
    return daemon


@pytest.fixture
def flags() -> Iterator[Path]:
    """A folder that nginx can read, whoever runs it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_module_that_does_not_arrive(
    wall: Daemon, start_nginx: StartNginx, firefox_page: FirefoxPage, flags: Path
) -> None:
    proxy = start_nginx(wall, directives=BROKEN.replace("FOLDER", str(flags)))
    broken = flags / "broken"
    broken.touch()
    firefox_page.goto(proxy.url)
    firefox_page.until("lost.textContent === 'This wall is not running'")
    firefox_page.until("lasting.textContent.includes('502')")
    broken.unlink()
    firefox_page.shows("42", seconds=BACK)


def test_proxy_that_passes_another_host(
    wall: Daemon, start_nginx: StartNginx, firefox_page: FirefoxPage
) -> None:
    proxy = start_nginx(wall, bare=True)
    firefox_page.goto(proxy.url)
    firefox_page.shows("42", seconds=BACK)
    post(wall, "orders", 43)
    firefox_page.shows("43")
    cure = f'origins = ["{proxy.url}"]'
    url = f'url = "{proxy.url}/"'
    firefox_page.until(f"notice.textContent.includes('{url}')")
    assert cure in wall.log()


def test_portal_at_the_renewal(
    wall: Daemon, start_nginx: StartNginx, firefox_page: FirefoxPage, flags: Path
) -> None:
    proxy = start_nginx(wall, directives=PORTAL.replace("FOLDER", str(flags)))
    firefox_page.goto(proxy.url)
    firefox_page.shows("42")
    firefox_page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    portal = flags / "portal"
    portal.touch()
    assert firefox_page.evaluate("fetchPage().catch(({ message }) => message)") == (
        "the answer is not streamd's page: a proxy or a login may be in between"
    )
    firefox_page.reload()
    firefox_page.until("document.body.dataset.link === 'lost'")
    firefox_page.shows("42", "lost")
    firefox_page.until("notice.textContent.includes('a login answers')")
    portal.unlink()
    post(wall, "orders", 43)
    firefox_page.shows("43", seconds=BACK)


def test_service_worker_on_a_slow_line(
    wall: Daemon, firefox: Bidi, firefox_page: FirefoxPage
) -> None:
    """A line of 100 kbit/s is no server that is down."""
    with closing(Proxy(wall.port)) as proxy:
        firefox_page.goto(proxy.url)
        firefox_page.shows("42")
        firefox_page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
        firefox_page.goto("about:blank", "complete")
        post(wall, "orders", 43)
        firefox.send("network.setCacheBehavior", cacheBehavior="bypass")
        proxy.rate = 100_000 / 8
        firefox_page.goto(proxy.url)
        firefox_page.shows("43")
        firefox.send("network.setCacheBehavior", cacheBehavior="default")


def test_network_that_is_back(wall: Daemon, firefox: Bidi, firefox_page: FirefoxPage) -> None:
    def set_network(conditions: dict[str, str] | None) -> None:
        firefox.send(
            "emulation.setNetworkConditions",
            networkConditions=conditions,
            contexts=[firefox_page.context],
        )

    drawn = "() => { Math.random = () => globalThis.drawn ?? 0; }"
    firefox.send(
        "script.addPreloadScript", functionDeclaration=drawn, contexts=[firefox_page.context]
    )
    with closing(Proxy(wall.port)) as proxy:
        firefox_page.goto(proxy.url)
        firefox_page.shows("42")
        # The next attempt would come after more than eight minutes.
        firefox_page.evaluate("globalThis.drawn = 1000")
        set_network({"type": "offline"})
        proxy.sever()
        firefox_page.until("document.body.dataset.link === 'lost'")
        firefox_page.evaluate("globalThis.drawn = 0")
        post(wall, "orders", 43)
        set_network(None)
        firefox_page.shows("43")

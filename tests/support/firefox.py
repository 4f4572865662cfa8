"""A real Firefox, headless, driven by WebDriver BiDi: Playwright's own Firefox is another program.

`firefox` starts one for all tests of a module; `firefox_page` is a tab of it::

    def test_x(wall, firefox_page):
        firefox_page.goto(wall.url)
        firefox_page.until("document.querySelector('.value')?.textContent === '42'")
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.net import wait_until

PREFERENCES: dict[str, object] = {
    # Nothing is asked of any address beyond this machine: no update, study, portal check, blocklist.
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.newtabpage.enabled": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "browser.startup.page": 0,
    "captivedetect.canonicalURL": "",
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "geo.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disabled": True,
    "network.prefetch-next": False,
    "network.trr.mode": 5,
    "privacy.trackingprotection.enabled": False,
    "remote.active-protocols": 1,
    "security.remote_settings.crlite_filters.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.server": "",
    "toolkit.telemetry.unified": False,
}

WAIT = 40.0
"""Seconds for whatever a test waits for."""


class Bidi:
    """A session of WebDriver BiDi."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.send("session.new", capabilities={})

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command, and returns its result; AssertionError with the browser's reason."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=WAIT))
            if answer.get("id") == number:
                assert answer["type"] == "success", (method, answer["error"], answer["message"])
                result: dict[str, Any] = answer["result"]
                return result


class FirefoxPage:
    """A tab."""

    def __init__(self, bidi: Bidi) -> None:
        self._bidi = bidi
        self.context: str = bidi.send("browsingContext.create", type="tab")["context"]

    def goto(self, url: str, wait: str = "none") -> None:
        """Loads a page. `wait`: for its "interactive" or "complete" state, or for "none"."""
        self._bidi.send("browsingContext.navigate", context=self.context, url=url, wait=wait)

    def reload(self) -> None:
        self._bidi.send("browsingContext.reload", context=self.context, wait="none")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; of a promise what it becomes. It must be JSON."""
        answer = self._bidi.send(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value))",
            target={"context": self.context},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"].get("value", "null"))

    def until(self, expression: str, seconds: float = WAIT) -> None:
        """Waits until an expression is true; while a page loads, it may fail."""
        said: list[object] = [None]

        def holds() -> bool:
            try:
                said[0] = self.evaluate(f"[Boolean({expression}), document.body?.innerText]")
            except AssertionError as error:
                said[0] = error
                return False
            return isinstance(said[0], list) and bool(said[0][0])

        try:
            wait_until(holds, seconds, expression)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{said[0]}") from None

    def shows(self, value: str, state: str = "current", seconds: float = WAIT) -> None:
        """Waits until the first tile shows a value, in this state."""
        told = "[tile?.querySelector('.value')?.textContent, tile?.dataset.state]"
        tile = "((tile) => String(" + told + "))(document.querySelector('.tile'))"
        self.until(f"{tile} === {json.dumps(f'{value},{state}')}", seconds)

    def screenshot(self, file: Path) -> None:
        shot = self._bidi.send("browsingContext.captureScreenshot", context=self.context)
        file.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self._bidi.send("browsingContext.close", context=self.context)


@contextmanager
def running_firefox() -> Iterator[Bidi]:
    """Starts the system's Firefox with a profile of its own, and ends it."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    assert program, "no firefox here: run tests/install-servers"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        command = [program, "--headless", "--no-remote", "--remote-debugging-port=0"]
        log = Path(profile) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--profile", profile, "about:blank"], stdout=output, stderr=output
            )
        try:
            yield from _session(process, log)
        finally:
            process.terminate()
            process.wait(20)


def _session(process: subprocess.Popen[bytes], log: Path) -> Iterator[Bidi]:
    def address() -> str | None:
        assert process.poll() is None, log.read_text(errors="replace")
        found = re.search(
            r"WebDriver BiDi listening on (ws://\S+)", log.read_text(errors="replace")
        )
        return found and found[1]

    url = wait_until(address, 60, "a Firefox")
    with connect(f"{url}/session", max_size=None) as socket:
        yield Bidi(socket)


@pytest.fixture(scope="module")
def firefox() -> Iterator[Bidi]:
    with running_firefox() as bidi:
        yield bidi


@pytest.fixture
def firefox_page(firefox: Bidi) -> Iterator[FirefoxPage]:
    page = FirefoxPage(firefox)
    yield page
    page.close()

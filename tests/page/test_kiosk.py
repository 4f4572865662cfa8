"""examples/kiosk: a screen without a person, with a real browser (headless)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.browser import CHROMIUM_ARGUMENTS
from tests.support.daemon import CHECKOUT, Daemon
from tests.support.manager import Manager
from tests.support.net import free_port, wait_until

KIOSK = CHECKOUT / "examples/kiosk"
WAIT = 120.0
"""Seconds for a browser to start on a busy machine."""

PATIENCE = 20
"""Seconds within which a page has to answer. A page that works takes some of them on a busy machine."""

HANGS = b"<!doctype html><title>hangs</title><script>for (;;);</script>"
WORKS = b"<!doctype html><title>works</title><p>a wall</p>"


class Kiosk:
    """The script as a process, and what it tells systemd."""

    def __init__(self, process: subprocess.Popen[bytes], manager: Manager, log: Path) -> None:
        self.process = process
        self._manager, self._log = manager, log
        self._told = ""

    def told(self) -> str:
        """Return all that it has told. Unread messages fill the socket soon, and then it waits."""
        self._told += "\n".join(self._manager.heard()) + "\n"
        return self._told

    def forget(self) -> None:
        self.told()
        self._told = ""

    def log(self) -> str:
        self.told()
        return self._log.read_text()


@contextmanager
def kiosk(url: str, folder: Path) -> Iterator[Kiosk]:
    flags = [f"--flag={flag}" for flag in ("--headless=new", *CHROMIUM_ARGUMENTS)]
    options = ["--every=0.5", f"--patience={PATIENCE}", f"--profile={folder / 'profile'}"]
    with Manager(str(folder / "notify")) as manager, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [KIOSK / "kiosk", *options, *flags, url],
            env={**os.environ, "NOTIFY_SOCKET": manager.address},
            stdout=log,
            stderr=log,
        )
        screen = Kiosk(process, manager, folder / "log")
        try:
            yield screen
        except AssertionError as error:
            error.add_note(f"{screen.log()}\n{screen.told()}")
            raise
        finally:
            process.terminate()
            assert process.wait(30) == 0
            wait_until(lambda: not browsers(folder), what="an end of the browser")


def browsers(folder: Path) -> list[int]:
    """The processes of the kiosk's browser."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--user-data-dir={folder / 'profile'}".encode() in words:
            found.append(int(file.parent.name))
    return found


@contextmanager
def served(pages: Callable[[], bytes]) -> Iterator[str]:
    """The address of a server that says of each GET / what a function returns."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages() if self.path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_waits_for_the_daemon_and_survives_a_start_without_it(tmp_path: Path) -> None:
    """First a page that waits, then the wall, then the last picture of the wall."""
    port = free_port()
    (tmp_path / "daemon").mkdir()
    with Manager(str(tmp_path / "daemon/notify")) as manager:
        daemon = Daemon(tmp_path / "daemon", port=port, env={"NOTIFY_SOCKET": manager.address})
        told: list[str] = []

        def has_viewer() -> bool:
            screen.told()
            told.extend(manager.heard())
            return any("1 viewer," in line for line in told)

        with kiosk(f"http://127.0.0.1:{port}/", tmp_path) as screen:
            wait_until(lambda: "STATUS=waits for http://" in screen.told(), WAIT)
            assert screen.told().lstrip().startswith("READY=1\n")
            daemon.start()
            try:
                wait_until(has_viewer, WAIT)
                wait_until(lambda: "STATUS=shows http://" in screen.told(), WAIT)
                kept = ", kept for a start without network"
                wait_until(lambda: kept in screen.told(), WAIT)
            finally:
                daemon.finish()
        with kiosk(f"http://127.0.0.1:{port}/", tmp_path) as screen:
            wait_until(lambda: "STATUS=shows http://" in screen.told(), WAIT)
            assert "waits for" not in screen.told()


def test_page_that_hangs_is_started_again(tmp_path: Path) -> None:
    pages = iter([HANGS])
    with (
        served(lambda: next(pages, WORKS)) as url,
        kiosk(url, tmp_path) as screen,
    ):
        wait_until(lambda: "the page hangs" in screen.log(), WAIT)
        screen.forget()
        wait_until(lambda: screen.told().count("WATCHDOG=1") > 3, WAIT)
        assert screen.log().count("starts again") == 1


def test_browser_that_dies_is_started_again(tmp_path: Path) -> None:
    with served(lambda: WORKS) as url, kiosk(url, tmp_path) as screen:
        wait_until(lambda: "STATUS=shows" in screen.told(), WAIT)
        for process in browsers(tmp_path):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended with its parent
        wait_until(lambda: "the browser has ended" in screen.log(), WAIT)
        screen.forget()
        wait_until(lambda: "STATUS=shows" in screen.told(), WAIT)


def test_unit_is_right(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "no systemd here: run tests/install-servers"
    text = (KIOSK / "streamd-kiosk.service").read_text()
    unit = tmp_path / "streamd-kiosk.service"
    unit.write_text(text.replace("/usr/bin/cage", "/bin/true"))  # it need not be installed here
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_browser_is_reported_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/usr/bin/env", f"PATH={tmp_path}", "/usr/bin/python3", KIOSK / "kiosk", "http://x/"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "kiosk: there is no Chromium; apt-get install chromium\n",
    )


@pytest.mark.parametrize("name", ["kiosk", "streamd-kiosk.service"])
def test_readme_installs_the_files_of_the_folder(name: str) -> None:
    text = (KIOSK / "README.rst").read_text()
    assert f"install {name} " in text or f"install -m 644 {name} " in text
    assert (KIOSK / name).exists()
